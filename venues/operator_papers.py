"""The papers of whoever runs a place on a day: a takeover ends what the one before was allowed to keep. Pure.

Rules that spare older shops spare their operators: old licences run out and are not renewed, only new shops are bound
(reference/domain.md 2.3). Whoever takes over an address needs a licence of their own, and the day of that one counts.
Registers give the records of one address to one venue also where an officer joined them, or where a licence names no
unified social credit code; so each record is asked whose it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from venues.category import VenueCategory
from venues.distance_ends import Licence
from venues.lead_pattern import NEEDS_LICENCE
from venues.source_record import SourceKind, SourceRecord

LICENCES = (SourceKind.TOBACCO_LICENCE, SourceKind.CULTURE_LICENCE)
OF_CULTURE = NEEDS_LICENCE - {VenueCategory.TOBACCO}
"""What licences of culture are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPapers:
    """Days of the present operator, calendar days in China; ``None`` where no register tells."""

    established_on: date | None = None
    licences: tuple[Licence, ...] = ()
    """By day, then as registered."""


def operator_papers(records: Sequence[SourceRecord], *, on: date) -> OperatorPapers:
    """What the records of one place say of its operator of a day: of those that are not over, the one whose code
    (统一社会信用代码) came last.

    A record that begins after the day ``on`` says nothing of it. One without a code is the present operator's if it is
    not older than this operator. Where two operators are on record and the first day of one is not, nobody can tell
    which is the present one: then nothing is known. Where no record has a code, the earliest day is the operator's and
    all licences are.
    """
    records = [record for record in records if is_begun(record, on)]
    begun = _first_days(records)
    if not begun:
        return _papers(records, established_on=min(_days(records), default=None))
    running = _running(begun, records, on=on)
    if len(running) > 1 and None in running.values():
        return OperatorPapers()
    present = max(sorted(running), key=lambda code: running[code] or date.min)
    own = [record for record in records if record.uscc == present]
    registered = _days([record for record in own if record.kind is SourceKind.BUSINESS_REGISTRATION])
    if not registered and len(begun) == 1:
        return _papers(records, established_on=min(_days(records), default=None))
    established_on = min(registered, default=None)
    unnamed = [record for record in records if not record.uscc and _is_since(record, established_on)]
    return _papers([*own, *unnamed], established_on=established_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentOperator:
    """Whose place it is on a day, as far as its records tell."""

    records: tuple[SourceRecord, ...]
    """Those that are not known to be a former operator's."""
    since: date | None
    """First day of the present operator, by registration if it has one; ``None``: not known, or the only one."""


def present_operator(records: Sequence[SourceRecord], *, on: date) -> PresentOperator:
    """The operator of the day ``on``: of those that are not over, the one whose code came last.

    A record without a code that began before the present operator is a former one's. Where nobody can tell who is the
    present one, none is known to be former. Records that begin after the day make nobody former.
    """
    begun = {code: day for code, day in _first_days(records).items() if day is None or day <= on}
    running = _running(begun, records, on=on)
    if not running or (len(running) > 1 and None in running.values()):
        return PresentOperator(records=tuple(records), since=None)
    present = max(sorted(running), key=lambda code: running[code] or date.min)
    own = [one for one in records if one.uscc == present and one.kind is SourceKind.BUSINESS_REGISTRATION]
    since = min(_days(own), default=running[present] if len(begun) > 1 else None)

    def is_former(record: SourceRecord) -> bool:
        if record.uscc:
            return record.uscc != present and record.uscc in begun
        return since is not None and record.valid_from is not None and record.valid_from < since

    return PresentOperator(records=tuple(one for one in records if not is_former(one)), since=since)


def _running(
    begun: Mapping[str, date | None], records: Sequence[SourceRecord], *, on: date
) -> Mapping[str, date | None]:
    """The operators that are not over, by code; all, where every one is."""
    return {code: day for code, day in begun.items() if over_since(records, code, on=on) is None} or begun


def over_since(records: Sequence[SourceRecord], code: str, *, on: date) -> date | None:
    """The last day of the business with a code, if each of its registrations was revoked or deregistered by ``on``."""
    own = [one for one in records if one.uscc == code and one.kind is SourceKind.BUSINESS_REGISTRATION]
    ends = [one.ended_on for one in own if one.ended_on is not None and one.is_over(on)]
    return max(ends) if code and own and len(ends) == len(own) else None


def is_begun(record: SourceRecord, on: date) -> bool:
    """Whether what a record says was so on the day ``on``, or earlier; of one that names no day nobody knows better."""
    return record.valid_from is None or record.valid_from <= on


def licensed_categories(record: SourceRecord) -> frozenset[VenueCategory]:
    """A culture licence that names no category of ours covers all that need one: nobody is suspected for its form."""
    if record.kind is SourceKind.TOBACCO_LICENCE:
        return frozenset({VenueCategory.TOBACCO})
    return OF_CULTURE if record.category is None else frozenset({record.category})


def _first_days(records: Sequence[SourceRecord]) -> dict[str, date | None]:
    """By code, the first day that any record of it names."""
    codes = {record.uscc for record in records if record.uscc}
    return {code: min(_days([record for record in records if record.uscc == code]), default=None) for code in codes}


def _papers(records: Sequence[SourceRecord], *, established_on: date | None) -> OperatorPapers:
    granted = {
        Licence(categories=licensed_categories(record), valid_from=record.valid_from, valid_to=record.valid_to)
        for record in records
        if record.kind in LICENCES and record.valid_from is not None
    }
    licences = sorted(granted, key=lambda one: (one.valid_from, one.valid_to or date.max, sorted(one.categories)))
    return OperatorPapers(established_on=established_on, licences=tuple(licences))


def _is_since(record: SourceRecord, day: date | None) -> bool:
    return day is not None and record.valid_from is not None and record.valid_from >= day


def _days(records: Sequence[SourceRecord]) -> list[date]:
    return [record.valid_from for record in records if record.valid_from is not None]
