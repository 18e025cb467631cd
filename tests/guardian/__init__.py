"""The guardian's page, and callbacks of providers."""
