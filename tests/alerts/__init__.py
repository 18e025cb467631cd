"""Tests of alerts and delivery."""
