"""By which ids registers know their rows. A register's own number is one id, however a file spells it. Pure.

A row of several kinds of venue is a record for each; all but the first are inside it, and have its id and their kind.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from venues.category import VenueCategory
from venues.licence import LicenceError
from venues.place import SourceKey
from venues.source_record import LICENCE_FIELDS, OWN_NUMBER, SourceKind, SourceRecord

_MARK = "#"
_CATEGORIES = frozenset(VenueCategory)


def further_id(source_id: str, category: VenueCategory) -> str:
    """The id of what a row is beside its first category."""
    return f"{source_id}{_MARK}{category}"


def row_id(source_id: str) -> str:
    """The id of the row that gave ``source_id``: its own, but of a further category."""
    row, _, category = source_id.rpartition(_MARK)
    return row if row and category in _CATEGORIES else source_id


def row_key(key: SourceKey) -> SourceKey:
    """The key of the row that gave ``key``."""
    return replace(key, source_id=row_id(key.source_id))


def further_count(keys: Iterable[SourceKey]) -> int:
    """How many of ``keys`` are of further categories."""
    return sum(row_id(key.source_id) != key.source_id for key in keys)


def own_spelling(text: str, kind: SourceKind) -> str:
    """``text`` in the one spelling of the number by which ``kind`` of register knows its rows; empty if it is none."""
    if not text or kind not in OWN_NUMBER:
        return ""
    try:
        return LICENCE_FIELDS[OWN_NUMBER[kind]](text)
    except LicenceError:
        return ""


def under_known_keys(records: Sequence[SourceRecord], known: Collection[SourceKey]) -> list[SourceRecord]:
    """``records``, those that the register has under another spelling of their number with the key that it has.

    ``known``: all its keys, those first that are to be preferred. Registers were once kept as files spelled them.
    """
    taken = {record.key for record in records}
    if not any(_is_by_number(record) and record.key not in known for record in records):
        return list(records)
    kept: dict[SourceKey, SourceKey] = {}
    kinds = {record.kind for record in records} & OWN_NUMBER.keys()
    for key in known:
        if key not in taken:
            for kind in kinds:
                if number := own_spelling(key.source_id, kind):
                    kept.setdefault(SourceKey(source=key.source, source_id=number), key)
    moved = {new: old for new, old in kept.items() if new not in known}
    return [_moved(record, moved) for record in records] if moved else list(records)


def _is_by_number(record: SourceRecord) -> bool:
    return record.kind in OWN_NUMBER and record.key.source_id == getattr(record, OWN_NUMBER[record.kind])


def _moved(record: SourceRecord, moved: dict[SourceKey, SourceKey]) -> SourceRecord:
    if _is_by_number(record) and record.key in moved:
        record = replace(record, key=moved[record.key])
    if record.host_key in moved:
        host = moved[record.host_key]
        sent = dict(record.sent) | {"host_id": host.source_id}
        record = replace(record, host_key=host, sent=tuple(sorted(sent.items())))
    return record


def is_still_there(source_id: str, rows: Collection[str]) -> bool:
    """Whether one of ``rows`` (ids of rows in a file) is that of ``source_id``, in whatever spelling."""
    if not rows or source_id in rows or row_id(source_id) in rows:
        return bool(rows)
    return any(number in rows for kind in OWN_NUMBER if (number := own_spelling(source_id, kind)))
