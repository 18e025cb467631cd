"""Which failures are about one alert, message or report, and which about all of them.

One that cannot be worked on is set aside, told of and left to people, and the rest go on; what concerns everything
stops the worker, which must not go on as if it could.
"""

import psycopg
from sqlalchemy import exc

from api.personal.keyring import KeyringError

_OF_ALL = (KeyringError, MemoryError, exc.SQLAlchemyError, psycopg.Error)
_OF_ONE = (exc.DataError, exc.IntegrityError, psycopg.DataError, psycopg.IntegrityError)
"""What the database says of the values that it was given, or has."""


def concerns_all(error: BaseException) -> bool:
    """Whether the next one would fail too: the keyring is away, the database is, or refuses us, or lacks a table."""
    return isinstance(error, _OF_ALL) and not isinstance(error, _OF_ONE)
