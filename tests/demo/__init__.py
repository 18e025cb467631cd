"""Tests of the synthetic city, its evening and the score."""
