"""By which ids registers know their rows. A register's own number is one id, however a file spells it. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from venues.licence import LicenceError
from venues.place import SourceKey
from venues.register import RegisterEntry
from venues.source_record import LICENCE_FIELDS, OWN_NUMBER, SourceKind, SourceRecord


def own_spelling(text: str, kind: SourceKind) -> str:
    """``text`` in the one spelling of the number by which ``kind`` of register knows its rows; empty if it is none."""
    if not text or kind not in OWN_NUMBER:
        return ""
    try:
        return LICENCE_FIELDS[OWN_NUMBER[kind]](text)
    except LicenceError:
        return ""


def under_known_keys(entries: Sequence[RegisterEntry], known: Collection[SourceKey]) -> list[RegisterEntry]:
    """``entries``, those that the register has under another spelling of their number with the key that it has.

    ``known``: all its keys, those first that are to be preferred. Registers were once kept as files spelled them.
    """
    taken = {entry.record.key for entry in entries}
    if not any(_is_by_number(entry.record) and entry.record.key not in known for entry in entries):
        return list(entries)
    kept: dict[SourceKey, SourceKey] = {}
    kinds = {entry.record.kind for entry in entries} & OWN_NUMBER.keys()
    for key in known:
        if key not in taken:
            for kind in kinds:
                if number := own_spelling(key.source_id, kind):
                    kept.setdefault(SourceKey(source=key.source, source_id=number), key)
    moved = {new: old for new, old in kept.items() if new not in known}
    return [replace(entry, record=_moved(entry.record, moved)) for entry in entries] if moved else list(entries)


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
    if source_id in rows or not rows:
        return source_id in rows
    return any(number in rows for kind in OWN_NUMBER if (number := own_spelling(source_id, kind)))
