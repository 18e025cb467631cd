"""Tests of the pictures: what they say, and that they work with no network."""
