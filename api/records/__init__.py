"""Sealed records: sealing one, opening it to two people for a while, destroying it when its time is up."""
