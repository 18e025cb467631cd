"""Names of officers who worked on cases that the account may see."""

from collections.abc import Iterable

from sqlalchemy import Connection, text


def names_of(connection: Connection, account_nos: Iterable[int | None]) -> dict[int | None, str]:
    """Display names by number of the account."""
    wanted = sorted({number for number in account_nos if number is not None})
    rows = connection.execute(text("SELECT * FROM people_of_work(:numbers)"), {"numbers": wanted})
    return {row.account_no: row.display_name for row in rows}
