"""Places that may not admit minors, and places that the law protects."""
