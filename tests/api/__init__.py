"""Tests of the edge: HTTP, command line, settings, transactions and workers."""
