"""Geometry that knows metres, datum and doubt. Pure but for ``geo.postgis``."""
