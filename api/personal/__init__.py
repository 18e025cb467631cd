"""Personal fields: sealed in the database, found by a keyed index, masked wherever they are shown."""
