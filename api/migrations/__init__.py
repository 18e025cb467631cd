"""The schema, as numbered steps; tests build their databases by running them."""
