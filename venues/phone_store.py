"""By what equal telephone numbers of venues are found, in PostGIS: keyed hashes. The numbers are not kept."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, text

from venues.licence import is_shared_line
from venues.place import SourceKey
from venues.source_record import SourceRecord


def keep_phones(connection: Connection, records: Sequence[SourceRecord], index_phone: Callable[[str], bytes]) -> None:
    """Keep what ``index_phone`` makes of these records' numbers (E.164), in place of what was kept of their venues.

    The switchboard of a chain tells nothing of one venue, and is left out.
    """
    known = load_phones(connection)
    changed: dict[SourceKey, list[bytes]] = {}
    for record in records:
        said = sorted({index_phone(phone) for phone in record.phones if not is_shared_line(phone)})
        if tuple(index.hex() for index in said) != known.get(record.key, ()):
            changed[record.key] = said
    numbers = connection.execute(
        text("SELECT v.venue_no FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS k (source, source_id)"
             " JOIN venue v USING (source, source_id)"),
        {"sources": [key.source for key in changed], "ids": [key.source_id for key in changed]},
    ).scalars()  # fmt: skip
    forget_phones(connection, list(numbers))
    rows = [(key.source, key.source_id, index) for key, said in changed.items() for index in said]
    connection.execute(
        text("INSERT INTO venue_phone (venue_no, phone_index) SELECT v.venue_no, p.phone_index"
             " FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:indexes AS bytea[]))"
             " AS p (source, source_id, phone_index) JOIN venue v USING (source, source_id)"),
        {"sources": [row[0] for row in rows], "ids": [row[1] for row in rows], "indexes": [row[2] for row in rows]},
    )  # fmt: skip


def forget_phones(connection: Connection, venue_numbers: Sequence[int]) -> None:
    """Of these venues nothing is kept."""
    connection.execute(
        text("DELETE FROM venue_phone WHERE venue_no = ANY (:numbers)"), {"numbers": list(venue_numbers)}
    )


def load_phones(connection: Connection) -> dict[SourceKey, tuple[str, ...]]:
    """The hashes (hex) of each record's venue, sorted; without an entry where none is kept."""
    rows = connection.execute(
        text("SELECT v.source, v.source_id, array_agg(encode(p.phone_index, 'hex') ORDER BY p.phone_index) AS phones"
             " FROM venue_phone p JOIN venue v USING (venue_no) GROUP BY v.source, v.source_id")
    )  # fmt: skip
    return {SourceKey(source=row.source, source_id=row.source_id): tuple(row.phones) for row in rows}
