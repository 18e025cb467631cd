"""HTTP, command line, settings, transactions and workers: the only place that wires things."""
