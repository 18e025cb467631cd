"""Sealed records: sealing a person's record, opening it to two people for a while, destroying it when its time is up."""
