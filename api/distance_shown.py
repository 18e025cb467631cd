"""What the law of distance found, as it is shown: verdicts of a day, what runs changed, the history of a venue."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import NotThereError
from venues.category import VenueCategory
from venues.distance_change import Said, why_changed
from venues.distance_history import Cause
from venues.distance_rule import DistanceRule, within
from venues.distance_store import PLACE_OF_FINDING, load_rule, place_id_of
from venues.distance_verdict import REASON_TEXTS, Reason, Verdict
from venues.distance_words import threshold_zh
from venues.lead_store import IDS_OF_PLACE
from venues.measurement_store import archived_text

MOST_SHOWN = 500

_COLUMNS = (
    "f.finding_no, f.place_id AS venue_id, f.venue_name, f.site_id, f.site_name, f.campus_id, f.holds_from,"
    " f.recorded_at, f.cause, f.verdict, f.reason, f.rule_id, f.rule_version, f.low_m, f.high_m, f.straight_m,"
    " f.straight_error_m, f.walking_m, f.walking_error_m, f.walk_status, f.gate_id, f.walk_gate_id, f.door_id,"
    " f.is_disputed, f.beaten, f.division, f.categories, f.others, r.content->>'document' AS document,"
    " (r.content->>'threshold_m')::double precision / 1000 AS threshold_m"
)
_SAID = (
    "verdict", "reason", "rule_id", "rule_version", "division", "straight_m", "walking_m", "walk_status",
    "walk_gate_id", "is_disputed", "categories",
)  # fmt: skip
_BEFORE = ", ".join(f"b.{name} AS {name}_before" for name in _SAID)
_ONLY_EXPLAINS = frozenset(f"{name}_before" for name in _SAID) - {"verdict_before"} | {"is_gate_closed"}
_FOUND = f"(SELECT f.*, coalesce(top.venue_id, f.venue_id) AS place_id FROM distance_finding f {PLACE_OF_FINDING})"
"""Findings, with the id that stands for their place now."""
_PAIR = "place_id, site_id, campus_id"
_ORDER = "CASE verdict WHEN 'breach' THEN 0 WHEN 'survey' THEN 1 WHEN 'grandfathered' THEN 2 ELSE 3 END"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Which verdicts are wanted; the newest of each pair, or those of a day of the law."""

    verdict: Verdict | None = None
    venue_id: UUID | None = None
    on: date | None = None
    division: str | None = None
    """Of venues in this division or one below it: six digits, ``320300`` for all of 3203."""
    after: int | None = None
    """Those that follow the finding of this number (``finding_no``) in the list."""


def runs_shown(connection: Connection, *, most: int = 50) -> list[dict[str, Any]]:
    """Evaluations, the newest first."""
    rows = connection.execute(
        text(
            "SELECT run_id, law_day, evaluated_at, made_by, division, method, policy->>'version' AS policy_version,"
            " network_version, network_on, venue_count, site_count, gate_count, rule_count, verdicts, change_count"
            " FROM distance_run ORDER BY run_no DESC LIMIT :most"
        ),
        {"most": most},
    )
    return [dict(row._mapping) for row in rows]


def findings_shown(connection: Connection, wanted: FindingFilter, *, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """The verdict of each pair that a rule binds, breaches first, then by how near it is.

    Raises ``NotThereError`` if ``after`` is none that one sees.
    """
    if wanted.after is not None:
        known = text("SELECT EXISTS (SELECT FROM distance_finding WHERE finding_no = :after)")
        if not connection.execute(known, {"after": wanted.after}).scalar_one():
            raise NotThereError
    query = (
        f"SELECT {_COLUMNS} FROM (SELECT DISTINCT ON ({_PAIR}) * FROM {_FOUND} AS found"
        " WHERE (CAST(:on AS date) IS NULL OR holds_from <= :on)"
        f" AND (CAST(:venue_id AS uuid) IS NULL OR venue_id IN ({IDS_OF_PLACE})"
        f"  OR venue_id IN ({IDS_OF_PLACE.replace(':venue_id', ':place_id')}))"
        f" ORDER BY {_PAIR}, holds_from DESC, recorded_at DESC, finding_no DESC) AS f"
        " JOIN distance_rule r USING (rule_id, rule_version)"
        " WHERE f.verdict IS NOT NULL AND (CAST(:verdict AS text) IS NULL OR f.verdict = :verdict)"
        " AND (CAST(:division AS text) IS NULL OR f.division LIKE :division)"
        f" AND (CAST(:after AS bigint) IS NULL OR ({_ORDER.replace('verdict', 'f.verdict', 1)}, f.low_m, f.finding_no)"
        f"  > (SELECT {_ORDER}, low_m, finding_no FROM distance_finding WHERE finding_no = :after))"
        f" ORDER BY {_ORDER.replace('verdict', 'f.verdict', 1)}, f.low_m, f.finding_no LIMIT :most"
    )
    values = {
        "after": wanted.after, "division": None if wanted.division is None else within(wanted.division),
        "on": wanted.on, "venue_id": wanted.venue_id, "most": most,
        "place_id": None if wanted.venue_id is None else place_id_of(connection, wanted.venue_id),
        "verdict": None if wanted.verdict is None else wanted.verdict.name.lower(),
    }  # fmt: skip
    return [_shown(row) for row in connection.execute(text(query), values)]


def changes_shown(connection: Connection, *, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """What the last evaluation changed, from what and why in plain words; new breaches first."""
    query = (
        f"SELECT {_COLUMNS}, {_BEFORE}, (SELECT is_closed FROM site_gate WHERE superseded_at IS NULL"
        " AND source || '/' || source_id = b.walk_gate_id) AS is_gate_closed"
        f" FROM {_FOUND} f LEFT JOIN distance_rule r USING (rule_id, rule_version)"
        " LEFT JOIN LATERAL (SELECT * FROM distance_finding p WHERE p.venue_id IN (SELECT f.venue_id UNION"
        "  SELECT other.venue_id FROM venue own JOIN venue other USING (current_no) WHERE own.venue_id = f.venue_id)"
        " AND (p.site_id, p.campus_id) = (f.site_id, f.campus_id)"
        " AND (p.holds_from, p.finding_no) < (f.holds_from, f.finding_no) AND p.cause <> 'moved'"
        " ORDER BY p.holds_from DESC, p.finding_no DESC LIMIT 1) b ON true"
        " WHERE f.recorded_at = (SELECT max(evaluated_at) FROM distance_run)"
        # Whoever sees what holds now need not be told that the division before no longer does.
        " AND NOT (f.cause = 'moved' AND EXISTS (SELECT FROM distance_finding n WHERE n.run_no = f.run_no"
        "  AND (n.venue_id, n.site_id, n.campus_id) = (f.venue_id, f.site_id, f.campus_id)"
        "  AND n.finding_no > f.finding_no))"
        f" ORDER BY {_ORDER.replace('verdict', 'f.verdict', 1)}, f.low_m, f.finding_no LIMIT :most"
    )
    rules: dict[tuple[str, str], DistanceRule | None] = {}

    def rule_of(rule_id: str, rule_version: str) -> DistanceRule | None:
        key = (rule_id, rule_version)
        if key not in rules:
            rules[key] = load_rule(connection, *key)
        return rules[key]

    return [_changed(row, rule_of) for row in connection.execute(text(query), {"most": most})]


def _changed(row: Any, rule_of: Callable[[str, str], DistanceRule | None]) -> dict[str, Any]:
    """A change as shown, with why. What only explains it is left out."""
    why = why_changed(
        Cause(row.cause), _said(row, rule_of, "_before"), _said(row, rule_of, ""),
        is_known=row.division_before is not None, is_gate_closed=row.is_gate_closed,
    )  # fmt: skip
    shown = {name: value for name, value in _shown(row).items() if name not in _ONLY_EXPLAINS}
    return shown | {"why_zh": why.zh, "why_en": why.en}


def _said(row: Any, rule_of: Callable[[str, str], DistanceRule | None], suffix: str) -> Said | None:
    """What an entry said, from its columns; ``None`` where there is none, or no rule bound the pair."""
    of = {name: getattr(row, f"{name}{suffix}") for name in _SAID}
    if of["verdict"] is None or (rule := rule_of(of["rule_id"], of["rule_version"])) is None:
        return None
    return Said(
        rule=rule, reason=Reason[of["reason"].upper()], division=of["division"], straight_m=of["straight_m"],
        walking_m=of["walking_m"], walk_status=of["walk_status"], gate_id=of["walk_gate_id"],
        is_disputed=of["is_disputed"], categories=frozenset(map(VenueCategory, of["categories"])),
    )  # fmt: skip


def history_shown(connection: Connection, venue_id: UUID) -> list[dict[str, Any]]:
    """All that was ever said of a place, under any id that it had, by school, the oldest first. ``NotThereError``."""
    query = (
        f"SELECT {_COLUMNS} FROM {_FOUND} f LEFT JOIN distance_rule r USING (rule_id, rule_version)"
        f" WHERE f.venue_id IN ({IDS_OF_PLACE})"
        " ORDER BY f.site_id, f.campus_id, f.holds_from, f.recorded_at, f.finding_no"
    )
    rows = connection.execute(text(query), {"venue_id": venue_id}).all()
    if not rows:
        raise NotThereError
    return [_shown(row) for row in rows]


def gate_shown(connection: Connection, gate_id: str) -> list[dict[str, Any]]:
    """Every version of a gate, the oldest first: what it was, since when, by whom. ``NotThereError``.

    ``is_withdrawn``: a file of all gates had it no longer; ``data_on`` and ``gone_on``: the days of their files.
    """
    rows = connection.execute(
        text(
            "SELECT source || '/' || source_id AS gate_id, site_source, site_source_id, kind, is_closed, error_m,"
            " ST_X(geometry) AS longitude, ST_Y(geometry) AS latitude, imported_at, imported_by, superseded_at,"
            " data_on, gone_on, superseded_at IS NOT NULL AND superseded_at IS DISTINCT FROM lead(imported_at)"
            " OVER (ORDER BY gate_no) AS is_withdrawn"
            " FROM site_gate WHERE source || '/' || source_id = :gate_id ORDER BY gate_no"
        ),
        {"gate_id": gate_id},
    ).all()
    if not rows:
        raise NotThereError
    return [dict(row._mapping) for row in rows]


def rule_shown(connection: Connection, rule_id: str, rule_version: str) -> dict[str, Any]:
    """One version of a rule, word for word. ``NotThereError``."""
    rule = load_rule(connection, rule_id, rule_version)
    if rule is None:
        raise NotThereError
    return _rule(rule)


def rules_shown(connection: Connection) -> list[dict[str, Any]]:
    """Every version of every rule that a run knew, by id and by when it was first known."""
    rows = connection.execute(
        text("SELECT rule_id, rule_version FROM distance_rule ORDER BY rule_id, recorded_at, rule_version")
    ).all()
    return [rule_shown(connection, row.rule_id, row.rule_version) for row in rows]


def measurements_shown(connection: Connection, venue_id: UUID) -> list[dict[str, Any]]:
    """Archived measurements of a venue, the newest first; each one's report is made from its hash."""
    rows = connection.execute(
        text(
            "SELECT measurement_hash AS hash, site_id, verdict, made_at, made_by FROM measurement_archive"
            f" WHERE venue_id IN ({IDS_OF_PLACE}) ORDER BY made_at DESC, measurement_hash"
        ),
        {"venue_id": venue_id},
    )
    return [dict(row._mapping) for row in rows]


def measurement_shown(connection: Connection, measurement_hash: str) -> dict[str, str]:
    """An archived measurement: its text, whose SHA-256 the hash is. ``NotThereError``."""
    content = archived_text(connection, measurement_hash)
    if content is None:
        raise NotThereError
    return {"hash": measurement_hash, "method": json.loads(content)["given"]["method"], "content": content}


def _rule(rule: DistanceRule) -> dict[str, Any]:
    return {
        "rule_id": rule.rule_id, "rule_version": rule.rule_version, "jurisdiction": rule.jurisdiction,
        "document": rule.document, "text_zh": rule.text_zh, "threshold_zh": threshold_zh(rule),
        "effective_from": rule.effective_from, "from_earliest": rule.from_earliest, "from_latest": rule.from_latest,
        "effective_to": rule.effective_to, "status": rule.status,
        "source": rule.source, "verification": rule.verification,
    }  # fmt: skip


def _shown(row: Any) -> dict[str, Any]:
    """A row with its reason in words; JSON knows no infinity, so that an open end is ``None``."""
    shown = {name: _finite(value) for name, value in row._mapping.items()}
    if row.reason is not None:
        shown["reason_zh"], shown["reason_en"] = REASON_TEXTS[Reason[row.reason.upper()]]
    return shown


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
