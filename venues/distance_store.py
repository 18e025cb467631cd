"""What the law of distance measures and found, in PostGIS: rules by version, runs, verdicts. What was found stays."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite, isnan
from typing import Any
from uuid import UUID

import shapely
from sqlalchemy import Connection, text

from geo.postgis import insert_columns
from venues.canonical_json import canonical_text, parsed
from venues.category import VenueCategory
from venues.distance import DistanceFinding, DistanceRun
from venues.distance_history import Cause, HistoryEntry, OtherVerdict, PairKey, RecordedVerdict
from venues.distance_law import DistanceLaw
from venues.distance_method import METHOD
from venues.distance_rule import DistanceRule, by_precedence, covers
from venues.distance_verdict import Reason, Verdict
from venues.door_store import load_doors
from venues.inside_store import load_further
from venues.lead_store import IDS_OF_PLACE
from venues.observation_store import load_visits
from venues.register_facts import RegisteredPlace, RegisterRow, SeenOnSite
from venues.register_store import RECORD_COLUMNS, record_of_row
from venues.row_places import standing_rows
from venues.venue_door import VenueDoor

PLACE_OF_FINDING = "LEFT JOIN venue v ON v.venue_id = f.venue_id LEFT JOIN venue top ON top.venue_no = v.current_no"
"""The row that stands for the place of a finding ``f`` now: a merge gives a place another id, and no other past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMade:
    """By what a run was made, and when (aware)."""

    run_id: UUID
    at: datetime
    made_by: str
    division: str
    """The place of venues for which the register has no other, six digits."""
    network_on: date | None
    gate_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The newest run of the latest day of the law."""

    run_no: int
    law_day: date
    division: str
    network_version: str | None
    network_on: date | None


# ---- what is measured


def load_places(connection: Connection, *, venue_id: UUID | None = None) -> tuple[RegisteredPlace, ...]:
    """Every place of the register that is not withdrawn, by id, with the rows that are linked to it now.

    What a row is beside its first category is of the row's place (``venues.row_places``), with the rows linked to it.
    ``venue_id``: the place of this venue alone, by any id that it ever had.
    """
    rows, standing, asked = _rows_of(connection, venue_id)
    doors, visits = load_doors(connection), load_visits(connection, standing)
    members: dict[int, list[int]] = {}
    for number in sorted(rows, key=lambda number: number != standing.get(number, number)):
        members.setdefault(standing.get(number, number), []).append(number)
    wanted = members if asked is None else members.keys() & {standing.get(asked, asked)}
    places = (
        _place(
            [row for number in members[top] for row in rows[number]],
            [door for number in members[top] for door in doors.get(number, ())],
            visits.get(top, ()),
        )
        for top in wanted
    )
    return tuple(sorted(places, key=lambda place: place.venue_id))


def place_id_of(connection: Connection, venue_id: UUID) -> UUID:
    """The id of the place that a venue is now, as :func:`load_places` gives it; its own if it is of none."""
    rows, standing, asked = _rows_of(connection, venue_id)
    held = rows.get(standing.get(asked, asked)) if asked is not None else None
    return venue_id if held is None else held[0].top_id


def _rows_of(connection: Connection, venue_id: UUID | None) -> tuple[dict[int, list[Any]], dict[int, int], int | None]:
    """Rows by number of the one that stands for them, ``standing_rows`` of these numbers, and the number asked for."""
    inside, asked = load_further(connection), None
    if venue_id is not None:
        current = text("SELECT current_no FROM venue WHERE venue_id = :venue_id")
        asked = connection.execute(current, {"venue_id": venue_id}).scalar_one_or_none() or 0
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(text(_ROWS), {"of": None if asked is None else sorted(_one_place(inside, asked))}):
        rows.setdefault(row.current_no, []).append(row)
    shared = rows.keys() & {number for pair in inside for number in pair}
    codes = {number: {code for row in rows[number] if (code := record_of_row(row).uscc)} for number in shared}
    return rows, standing_rows(inside, codes), asked


_ROWS = f"""
SELECT {RECORD_COLUMNS}, top.venue_id AS top_id, top.name AS top_name, top.address AS top_address,
    ST_AsBinary(v.geometry) AS shape, (v.imported_at AT TIME ZONE 'Asia/Shanghai')::date AS imported_on,
    v.data_on, v.current_no
FROM venue v JOIN venue_source_record r USING (record_no) JOIN venue top ON top.venue_no = v.current_no
WHERE v.withdrawn_at IS NULL AND (CAST(:of AS bigint[]) IS NULL OR v.current_no = ANY (CAST(:of AS bigint[])))
ORDER BY v.venue_no
"""


def _one_place(inside: Sequence[tuple[int, int]], asked: int) -> set[int]:
    """Every place that may be one with the one asked for."""
    standing = standing_rows(inside)
    top = standing.get(asked, asked)
    return {asked, *(number for number, other in standing.items() if other == top)}


def _place(held: Sequence[Any], doors: Sequence[VenueDoor], visits: tuple[SeenOnSite, ...]) -> RegisteredPlace:
    return RegisteredPlace(
        venue_id=str(held[0].top_id),
        name=held[0].top_name,
        address=held[0].top_address,
        rows=tuple(
            RegisterRow(
                record=record_of_row(row),
                geometry=None if row.shape is None else shapely.from_wkb(bytes(row.shape)),
                imported_on=row.imported_on,
                data_on=row.data_on,
            )
            for row in held
        ),
        doors=tuple(sorted(doors, key=lambda door: (door.key.source, door.key.source_id))),
        visits=visits,
        further_ids=frozenset(str(row.top_id) for row in held) - {str(held[0].top_id)},
    )


# ---- what was found


def last_run(connection: Connection) -> LastRun | None:
    """The newest run; ``None`` before the first."""
    row = connection.execute(
        text(
            "SELECT run_no, law_day, division, network_version, network_on FROM distance_run"
            " ORDER BY law_day DESC, run_no DESC LIMIT 1"
        )
    ).one_or_none()
    return None if row is None else LastRun(**row._mapping)


def save_rules(connection: Connection, rules: Iterable[DistanceRule], *, at: datetime) -> None:
    """Keep every version of every rule; one that is known already stays as it is."""
    held = list(rules)
    insert_columns(
        connection,
        "distance_rule",
        {
            "rule_id": ("text", [rule.rule_id for rule in held]),
            "rule_version": ("text", [rule.rule_version for rule in held]),
            "content": ("jsonb", [canonical_text(rule) for rule in held]),
            "recorded_at": ("timestamptz", [at] * len(held)),
        },
        on_conflict="ON CONFLICT (rule_id, rule_version) DO NOTHING",
    )


def load_rule(connection: Connection, rule_id: str, rule_version: str) -> DistanceRule | None:
    """One version of a rule, as it was when a run applied it."""
    content = connection.execute(
        text("SELECT content FROM distance_rule WHERE rule_id = :rule_id AND rule_version = :rule_version"),
        {"rule_id": rule_id, "rule_version": rule_version},
    ).scalar_one_or_none()
    return None if content is None else parsed(DistanceRule, content)


def save_run(
    connection: Connection, run: DistanceRun, made: RunMade, entries: Sequence[HistoryEntry], names: Mapping[str, str]
) -> int:
    """The run and the entries that it adds; returns its number. ``names``: of venues and sites that are gone, by id."""
    winning = run.rows.verdict[run.rows.is_winning]
    run_no: int = connection.execute(
        text(
            "INSERT INTO distance_run (run_id, law_day, evaluated_at, made_by, division, method, policy,"
            " network_version, network_on, venue_count, site_count, gate_count, rule_count, verdicts, change_count)"
            " VALUES (:run_id, :law_day, :at, :made_by, :division, :method, CAST(:policy AS jsonb), :network_version,"
            " :network_on, :venue_count, :site_count, :gate_count, :rule_count, CAST(:verdicts AS jsonb),"
            " :change_count) RETURNING run_no"
        ),
        {
            "run_id": made.run_id, "law_day": run.on, "at": made.at, "made_by": made.made_by,
            "division": made.division, "method": METHOD, "policy": canonical_text(run.policy),
            "network_version": run.network_version,
            "network_on": made.network_on if run.network_version else None, "venue_count": len(run.venues),
            "site_count": len(run.sites), "gate_count": made.gate_count, "rule_count": len(run.rules),
            "verdicts": json.dumps({verdict.name.lower(): int((winning == verdict).sum()) for verdict in Verdict}),
            "change_count": sum(entry.cause is not Cause.MOVED for entry in entries),
        },
    ).scalar_one()  # fmt: skip
    _save_entries(connection, run, run_no, entries, names)
    return run_no


def _save_entries(
    connection: Connection, run: DistanceRun, run_no: int, entries: Sequence[HistoryEntry], names: Mapping[str, str]
) -> None:
    wanted = {entry.key for entry in entries if entry.recorded is not None}
    found = {} if not wanted else {key: finding for finding in run.findings() if (key := _key(finding)) in wanted}
    held = [found.get(entry.key) if entry.recorded else None for entry in entries]

    def of_finding(value: Callable[[DistanceFinding], Any]) -> list[Any]:
        return [None if finding is None else value(finding) for finding in held]

    insert_columns(
        connection,
        "distance_finding",
        {
            "run_no": ("bigint", [run_no] * len(entries)),
            "venue_id": ("uuid", [entry.key.venue_id for entry in entries]),
            "venue_name": ("text", [names.get(entry.key.venue_id, "") for entry in entries]),
            "site_id": ("text", [entry.key.site_id for entry in entries]),
            "site_name": ("text", [names.get(entry.key.site_id, "") for entry in entries]),
            "campus_id": ("text", [entry.key.campus_id for entry in entries]),
            "holds_from": ("date", [entry.holds_from for entry in entries]),
            "recorded_at": ("timestamptz", [entry.recorded_at for entry in entries]),
            "cause": ("text", [str(entry.cause) for entry in entries]),
            "division": ("text", [entry.division for entry in entries]),
            "verdict": ("text", of_finding(lambda one: one.verdict.name.lower())),
            "reason": ("text", of_finding(lambda one: one.reason.name.lower())),
            "rule_id": ("text", of_finding(lambda one: one.rule.rule_id)),
            "rule_version": ("text", of_finding(lambda one: one.rule.rule_version)),
            "low_m": ("double precision", of_finding(lambda one: one.low_m)),
            "high_m": ("double precision", of_finding(lambda one: one.high_m)),
            "straight_m": ("double precision", of_finding(lambda one: _known(one.straight_m))),
            "straight_error_m": ("double precision", of_finding(lambda one: _known(one.straight_error_m))),
            "walking_m": ("double precision", of_finding(lambda one: _known(one.walking_m))),
            "walking_error_m": ("double precision", of_finding(lambda one: _known(one.walking_error_m))),
            "walk_status": ("smallint", of_finding(lambda one: one.walk_status)),
            "gate_id": ("text", of_finding(lambda one: one.straight_gate.gate_id if one.straight_gate else None)),
            "walk_gate_id": ("text", of_finding(lambda one: one.walk_gate.gate_id if one.walk_gate else None)),
            "door_id": ("text", of_finding(lambda one: one.straight_door.door_id if one.straight_door else None)),
            "is_disputed": ("boolean", of_finding(lambda one: one.is_disputed)),
            "beaten": ("jsonb", of_finding(lambda one: json.dumps(_beaten(one)))),
            "categories": ("jsonb", of_finding(lambda one: json.dumps(sorted(one.categories)))),
            "others": ("jsonb", of_finding(_others)),
        },
    )


def load_history(connection: Connection) -> list[HistoryEntry]:
    """Every entry, in the order in which they were added, under the id that stands for its place now."""
    rows = connection.execute(
        text(
            "SELECT coalesce(top.venue_id, f.venue_id) AS venue_id, site_id, campus_id, holds_from, recorded_at, cause,"
            " division, verdict, reason, rule_id, rule_version, straight_m, walking_m, walk_status, is_disputed,"
            " categories, others"
            f" FROM distance_finding f {PLACE_OF_FINDING} ORDER BY finding_no"
        )
    )
    return [_entry(row) for row in rows]


def _entry(row: Any) -> HistoryEntry:
    key = PairKey(venue_id=str(row.venue_id), site_id=row.site_id, campus_id=row.campus_id)
    return HistoryEntry(
        key=key,
        holds_from=row.holds_from,
        recorded_at=row.recorded_at,
        cause=Cause(row.cause),
        division=row.division,
        recorded=None
        if row.verdict is None
        else RecordedVerdict(
            key=key,
            division=row.division,
            verdict=Verdict[row.verdict.upper()],
            reason=Reason[row.reason.upper()],
            rule_id=row.rule_id,
            rule_version=row.rule_version,
            straight_m=row.straight_m,
            walking_m=row.walking_m,
            walk_status=row.walk_status,
            is_disputed=row.is_disputed,
            categories=frozenset(map(VenueCategory, row.categories)),
            others=tuple(
                OtherVerdict(
                    categories=frozenset(map(VenueCategory, other["categories"])),
                    verdict=Verdict[other["verdict"].upper()],
                    reason=Reason[other["reason"].upper()],
                    rule_id=other["rule_id"],
                    rule_version=other["rule_version"],
                )
                for other in row.others
            ),
        ),
    )


def load_stored_law(connection: Connection, division: str) -> DistanceLaw:
    """Every version of every rule that a run knew and that covers ``division``, six digits."""
    content = connection.execute(text("SELECT content FROM distance_rule")).scalars()
    rules = (parsed(DistanceRule, one) for one in content)
    return DistanceLaw(rules=by_precedence(rule for rule in rules if covers(rule.jurisdiction, division)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesOfPair:
    """By which rules a venue and a school were last judged, and in which division the venue lies."""

    venue_id: UUID
    """That the place has now."""
    division: str
    rules: tuple[DistanceRule, ...]
    categories: frozenset[VenueCategory]
    """Of the venue that were judged."""


def rules_of_pair(connection: Connection, *, venue_id: UUID, site_id: str) -> RulesOfPair | None:
    """Of the newest entries of the pair, those that won and those that yielded, for each of the venue's categories.

    ``venue_id``: any that its place ever had. ``None`` where no rule binds it.
    """
    rows = connection.execute(
        text(
            "SELECT coalesce(top.venue_id, f.venue_id) AS place_id, division, rule_id, rule_version, beaten, others,"
            " categories FROM (SELECT DISTINCT ON (campus_id) * FROM distance_finding"
            f" WHERE venue_id IN ({IDS_OF_PLACE}) AND site_id = :site_id"
            f" ORDER BY campus_id, holds_from DESC, recorded_at DESC, finding_no DESC) AS f {PLACE_OF_FINDING}"
            " WHERE verdict IS NOT NULL ORDER BY campus_id"
        ),
        {"venue_id": venue_id, "site_id": site_id},
    ).all()
    parts = [part for row in rows for part in (row._mapping, *row.others)]
    said = [one for part in parts for one in (part, *part["beaten"])]
    names = {(one["rule_id"], one["rule_version"]) for one in said}
    rules = [load_rule(connection, *name) for name in sorted(names)]
    found = tuple(rule for rule in rules if rule is not None)
    if not found:
        return None
    judged = frozenset(VenueCategory(category) for part in parts for category in part["categories"])
    return RulesOfPair(venue_id=rows[0].place_id, division=rows[0].division, rules=found, categories=judged)


def _key(finding: DistanceFinding) -> PairKey:
    return PairKey(venue_id=finding.venue.venue_id, site_id=finding.site.site_id, campus_id=finding.campus.campus_id)


def _others(finding: DistanceFinding) -> str:
    return json.dumps(
        [
            {"categories": sorted(part.categories), **_said(part.rule, part.verdict, part.reason),
             "low_m": _finite(part.low_m), "high_m": _finite(part.high_m), "beaten": _beaten(part)}
            for part in finding.others
        ]
    )  # fmt: skip


def _beaten(finding: DistanceFinding) -> list[dict[str, str]]:
    return [_said(other.rule, other.verdict, other.reason) for other in finding.beaten]


def _said(rule: DistanceRule, verdict: Verdict, reason: Reason) -> dict[str, str]:
    return {
        "rule_id": rule.rule_id, "rule_version": rule.rule_version, "verdict": verdict.name.lower(),
        "reason": reason.name.lower(),
    }  # fmt: skip


def _finite(metres: float) -> float | None:
    return metres if isfinite(metres) else None


def _known(metres: float) -> float | None:
    return None if isnan(metres) else metres
