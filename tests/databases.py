"""Databases of tests, dropped when a test is done."""

import time

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


def drop_database(connection: Connection, name: str) -> None:
    """A server process that tidies the database at this moment cannot be ended by us; it is gone a moment later."""
    for attempt in range(50):
        try:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            return
        except DBAPIError:
            if attempt == 49:
                raise
            time.sleep(0.1)
