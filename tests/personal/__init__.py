"""Tests of sealed personal fields: seal, keyring, index, rotation, and a dump that holds none in clear."""
