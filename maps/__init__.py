"""Pictures of the domain that work on an isolated network."""
