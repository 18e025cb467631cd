"""Tests of orders, presence and evaluation."""
