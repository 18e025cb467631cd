"""The house rules of design.md, section 3, as programs that a copy of the project can be put through."""
