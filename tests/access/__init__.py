"""Tests of accounts, sessions, tokens and of who may see what."""
