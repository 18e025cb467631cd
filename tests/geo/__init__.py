"""Tests of the geometry engines."""
