"""Schools and their gates into the register. What a file of all of them no longer has is withdrawn."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Connection

from api.ids import new_id
from api.importing import ImportReport, zones_of
from api.withdrawal import Withdrawn, check_withdrawal
from tracking.store import save_zones, withdraw_zones
from tracking.zone import ZoneOrigin
from venues.gate_store import save_gates
from venues.place import PlacesRead, Rejected
from venues.site_gates import RegisteredGate
from venues.store import save_sites


def import_sites(
    connection: Connection,
    read: PlacesRead,
    *,
    at: datetime,
    valid_from: datetime | None = None,
    whole_source: str | None = None,
    withdraw: int = 0,
    data_on: date | None = None,
) -> ImportReport:
    """Save the schools and kindergartens of a file and the zone of each; venues in it count as not ours.

    ``whole_source``: the register that the file is all of. What it no longer has is withdrawn with its zone, unless an
    order names the zone; the law of distance judges it no longer, and a later file brings it back. When that must be
    confirmed (``withdraw``), and ``data_on``: as ``api.importing.import_entries``.
    """
    elsewhere = {*read.ignored_ids, *(venue.key.source_id for venue in read.venues)}
    saved = save_sites(
        connection, read.sites, at=at, new_id=new_id, whole_source=whole_source, data_on=data_on,
        still_there={*(row.reference for row in read.rejected), *(() if withdraw else elsewhere)},
    )  # fmt: skip
    check_withdrawal(
        saved.withdrawn, of=Withdrawn.SITES, register_count=saved.register_count, known_ids=saved.known_ids,
        rejected=read.rejected, confirmed_count=withdraw,
    )  # fmt: skip
    drafts, refused = zones_of([*saved.added, *saved.changed], ZoneOrigin.SITE)
    save_zones(connection, drafts, at=at, new_from=valid_from, changed_from=valid_from)
    withdraw_zones(connection, saved.withdrawn_ids, at=at)
    return ImportReport(
        added_count=len(saved.added),
        changed_count=len(saved.changed),
        unchanged_count=saved.unchanged_count,
        withdrawn=saved.withdrawn,
        left_as_it_was_count=saved.left_as_it_was_count,
        ignored_count=read.ignored_count + len(read.venues),
        rejected=(*read.rejected, *(_outdated(key.source_id) for key in saved.outdated), *refused),
    )


def import_gates(
    connection: Connection,
    gates: Sequence[RegisteredGate],
    rejected: Sequence[Rejected],
    *,
    at: datetime,
    by: str,
    whole_source: str | None = None,
    withdraw: int = 0,
    data_on: date | None = None,
) -> ImportReport:
    """Save gates, each change as a version; those that a file of all of a source has no longer count no more.

    As :func:`import_sites`; ``by``: who imports.
    """
    saved = save_gates(
        connection, gates, at=at, by=by, whole_source=whole_source, still_there={row.reference for row in rejected},
        data_on=data_on,
    )  # fmt: skip
    check_withdrawal(
        saved.withdrawn, of=Withdrawn.GATES, register_count=saved.register_count, known_ids=saved.known_ids,
        rejected=rejected, confirmed_count=withdraw,
    )  # fmt: skip
    return ImportReport(
        added_count=saved.added_count,
        changed_count=saved.changed_count,
        unchanged_count=saved.unchanged_count,
        withdrawn=saved.withdrawn,
        left_as_it_was_count=saved.left_as_it_was_count,
        ignored_count=0,
        rejected=(*rejected, *(_outdated(key.source_id) for key in saved.outdated)),
    )


def _outdated(source_id: str) -> Rejected:
    reason = "登记册中已有更晚的数据，此行未采用 / the register has later data of this: the row was not taken"
    return Rejected(line=0, reference=source_id, field="data_date", value="", reason=reason)
