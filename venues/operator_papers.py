"""The papers of whoever runs a place now: a takeover ends what the one before was allowed to keep. Pure.

Rules that spare older shops spare their operators: old licences run out and are not renewed, only new shops are bound
(reference/domain.md 2.3). Whoever takes over an address needs a licence of their own, and the day of that one counts.
Registers give the records of one address to one venue also where an officer joined them, or where a licence names no
unified social credit code; so each record is asked whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from venues.source_record import SourceKind, SourceRecord

LICENCES = (SourceKind.TOBACCO_LICENCE, SourceKind.CULTURE_LICENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPapers:
    """Days of the present operator, calendar days in China; ``None`` where no register tells."""

    established_on: date | None = None
    licence_from: date | None = None
    licence_to: date | None = None


def operator_papers(records: Sequence[SourceRecord]) -> OperatorPapers:
    """What the records of one place say of its present operator, the one whose code (统一社会信用代码) came last.

    A record without a code is the present operator's if it is not older than this operator. Where two operators are on
    record and the first day of one is not, nobody can tell which is the present one: then nothing is known. Where no
    record has a code, the earliest day is the operator's and the licence granted last counts.
    """
    begun = _first_days(records)
    if not begun:
        return _papers(records, established_on=min(_days(records), default=None))
    if len(begun) > 1 and None in begun.values():
        return OperatorPapers()
    present = max(sorted(begun), key=lambda code: begun[code] or date.min)
    own = [record for record in records if record.uscc == present]
    registered = _days([record for record in own if record.kind is SourceKind.BUSINESS_REGISTRATION])
    if not registered and len(begun) == 1:
        return _papers(records, established_on=min(_days(records), default=None))
    established_on = min(registered, default=None)
    unnamed = [record for record in records if not record.uscc and _is_since(record, established_on)]
    return _papers([*own, *unnamed], established_on=established_on)


def _first_days(records: Sequence[SourceRecord]) -> dict[str, date | None]:
    """By code, the first day that any record of it names."""
    codes = {record.uscc for record in records if record.uscc}
    return {code: min(_days([record for record in records if record.uscc == code]), default=None) for code in codes}


def _papers(records: Sequence[SourceRecord], *, established_on: date | None) -> OperatorPapers:
    granted = [record for record in records if record.kind in LICENCES and record.valid_from is not None]
    last = max(granted, key=lambda record: record.valid_from or date.min, default=None)
    return OperatorPapers(
        established_on=established_on,
        licence_from=None if last is None else last.valid_from,
        licence_to=None if last is None else last.valid_to,
    )


def _is_since(record: SourceRecord, day: date | None) -> bool:
    return day is not None and record.valid_from is not None and record.valid_from >= day


def _days(records: Sequence[SourceRecord]) -> list[date]:
    return [record.valid_from for record in records if record.valid_from is not None]
