"""Tests, one file per module, named for the behaviour they prove."""
