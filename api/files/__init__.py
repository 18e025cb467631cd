"""Files in and out: places, boundaries, tracks, zones, incidents, mappings, and the report of rejected rows."""
