"""How the matrix in SQL asks: as an account, and what of the answer that account may not see."""

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.access.caller import APPLICATION_ROLE, as_account
from tests.access.matrix import Account, Scene

REFUSALS = {
    "42501",  # insufficient_privilege
    "0A000",  # a trigger function called by hand
    "P0001",  # raised by audit_note
}
"""Any other failure would be a mistake of the test."""


def seen(scene: Scene, account: Account, query: str) -> set[object]:
    with as_account(scene.engine, account.account_id) as connection:
        return set(connection.execute(text(query)).scalars())


def failure(scene: Scene, account: Account, query: str, *, setting: str = "") -> str | None:
    """What the database says when the query fails, or ``None``."""
    try:
        with as_account(scene.engine, account.account_id) as connection:
            if setting:
                connection.exec_driver_sql(f"SET LOCAL {setting} = off")
            connection.exec_driver_sql(query).fetchall()
    except DBAPIError as error:
        diagnosis = getattr(error.orig, "diag", None)
        return f"{error.orig} {getattr(diagnosis, 'message_detail', '')} {getattr(diagnosis, 'context', '')}"
    return None


def refused(scene: Scene, account: Account, statements: str) -> bool:
    """Whether the database lets the account not do it; what it does is undone."""
    try:
        with scene.engine.connect() as connection:
            connection.exec_driver_sql(f"SET LOCAL ROLE {APPLICATION_ROLE}")
            connection.exec_driver_sql(f"SET LOCAL hulan.account_id = '{account.account_id}'")
            for statement in statements.split(";"):
                connection.exec_driver_sql(statement)
    except DBAPIError as error:
        assert isinstance(error.orig, psycopg.Error)
        assert error.orig.sqlstate in REFUSALS, error.orig
        assert leaked(scene, account, str(error)) == []
        return True
    return False


def leaked(scene: Scene, account: Account, answer: str) -> list[str]:
    """The cases of which the answer holds something that the account may not see."""
    theirs = scene.seen_by(account)
    return [
        f"{kind} of {name}"
        for name, case in scene.cases.items()
        if name not in theirs
        for kind, needles in case.needles.items()
        if any(needle in answer for needle in needles)
    ]
