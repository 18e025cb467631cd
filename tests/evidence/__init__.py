"""Tests of evidence packs and exports."""
