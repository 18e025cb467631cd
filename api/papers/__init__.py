"""Papers about venues: the report of a measurement, the draft of a recommendation."""
