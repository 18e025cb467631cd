"""Tests of places, mappings, distance rules, incidents and risk."""
