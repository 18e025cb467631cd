"""Decisions on which records are one venue, and the questions for people, in PostGIS. Decisions are only added to."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from geo.postgis import driver_connection
from venues.identity import QueuedPair
from venues.links import Confirmed, Found, LinkEvent, Links, Merged, Refused, Split
from venues.register_store import settle_venues
from venues.scored_pairs import Waterfall

_OF = "venue_source_record {record} JOIN venue {venue} USING (source, source_id)"
_JUDGED = """
SELECT DISTINCT ON (least(left_no, right_no), greatest(left_no, right_no)) * FROM venue_link
WHERE kind IN ('confirm', 'refuse') ORDER BY least(left_no, right_no), greatest(left_no, right_no), link_no DESC
"""
_HOLDS = """
WHERE e.kind <> 'confirm' OR NOT EXISTS (SELECT FROM venue_link s JOIN venue_link m ON m.link_no = s.undone_no
    WHERE s.link_no > e.link_no AND least(m.left_no, m.right_no) = least(e.left_no, e.right_no)
        AND greatest(m.left_no, m.right_no) = greatest(e.left_no, e.right_no))
ORDER BY e.link_no
"""
"""Of judgements those that count: a merge undone takes its confirmation along."""
_REFUSED = f"""
SELECT least(one.current_no, other.current_no) AS low, greatest(one.current_no, other.current_no) AS high
FROM ({_JUDGED}) AS judged
    JOIN venue_source_record l ON l.record_no = judged.left_no
    JOIN venue one ON one.source = l.source AND one.source_id = l.source_id
    JOIN venue_source_record r ON r.record_no = judged.right_no
    JOIN venue other ON other.source = r.source AND other.source_id = r.source_id
WHERE judged.kind = 'refuse'
"""
OPEN_REVIEWS = f"""
WITH refused AS MATERIALIZED ({_REFUSED})
SELECT q.*, l.record_id AS left_id, r.record_id AS right_id, one_top.venue_id AS left_venue,
    other_top.venue_id AS right_venue
FROM venue_review q
    JOIN venue_source_record l ON l.record_no = q.left_no
    JOIN venue one ON one.source = l.source AND one.source_id = l.source_id
    JOIN venue one_top ON one_top.venue_no = one.current_no
    JOIN venue_source_record r ON r.record_no = q.right_no
    JOIN venue other ON other.source = r.source AND other.source_id = r.source_id
    JOIN venue other_top ON other_top.venue_no = other.current_no
WHERE q.superseded_at IS NULL AND one.current_no <> other.current_no
    AND one.withdrawn_at IS NULL AND other.withdrawn_at IS NULL
    AND NOT EXISTS (SELECT FROM refused WHERE low = least(one.current_no, other.current_no)
        AND high = greatest(one.current_no, other.current_no))
"""
"""Questions that nobody answered: nothing is closed, so that a merge undone asks again what it had answered."""


def load_links(connection: Connection, *, around: Collection[UUID] | None = None) -> Links:
    """What all decisions so far come to; only of the venues that have a record of ``around``, if given."""
    places = ""
    if around is not None:
        places = f"AND v.current_no IN (SELECT p.current_no FROM {_OF.format(record='w', venue='p')}"
        places += " WHERE w.record_id = ANY (:around))"
    values = {"around": list(around or ())}
    found = connection.execute(
        text(f"SELECT r.record_id, v.venue_id, r.imported_by, r.imported_at FROM {_OF.format(record='r', venue='v')}"
             f" WHERE true {places} ORDER BY r.record_no"),
        values,
    )  # fmt: skip
    links = Links(
        found={
            row.record_id: Found(
                record_id=row.record_id, venue_id=row.venue_id, decided_by=row.imported_by, at=row.imported_at
            )
            for row in found
        }
    )
    merges = connection.execute(
        text(f"{_EVENTS} JOIN venue v ON v.merge_no = e.link_no WHERE true {places} ORDER BY e.link_no"), values
    )
    for row in merges:
        links.merged[row.absorbed] = _merged(row)
    for row in connection.execute(text(f"{_EVENTS.replace('venue_link e', f'({_JUDGED}) e')} {_HOLDS}")):
        pair = frozenset((row.left_id, row.right_id))
        if pair <= links.found.keys():
            if row.kind == "confirm":
                links.confirmed[pair] = _confirmed(row)
            else:
                links.refused[pair] = _refused(row)
    return links


def load_events(connection: Connection) -> list[LinkEvent]:
    """Every record's coming and every decision, in an order in which ``venues.links.follow`` takes them."""
    events: list[LinkEvent] = list(load_links(connection).found.values())
    for row in connection.execute(text(f"{_EVENTS} ORDER BY e.link_no")):
        match row.kind:
            case "merge":
                events.append(_merged(row))
            case "split":
                events.append(Split(merge_id=row.undone_id, decided_by=row.decided_by, at=row.at, reason=row.reason))
            case "confirm":
                events.append(_confirmed(row))
            case _:
                events.append(_refused(row))
    return events


def load_merge(connection: Connection, link_id: UUID) -> Merged | None:
    """A merge that stands, by its id; ``None`` if there is none, or it was split."""
    query = f"{_EVENTS} JOIN venue v ON v.merge_no = e.link_no WHERE e.link_id = :id"
    row = connection.execute(text(query), {"id": link_id}).one_or_none()
    return None if row is None else _merged(row)


def load_undone(connection: Connection, link_id: UUID) -> Merged | None:
    """The merge that the split of this id undid."""
    query = f"{_EVENTS} JOIN venue_link s ON s.undone_no = e.link_no WHERE s.link_id = :id"
    row = connection.execute(text(query), {"id": link_id}).one_or_none()
    return None if row is None else _merged(row)


def save_merges(connection: Connection, merges: Sequence[Merged], *, at: datetime) -> None:
    """Add merges of the machine, in this order, and settle the venues. They must follow from the links as they are."""
    if not merges:
        return
    columns = [
        [merge.merge_id for merge in merges],
        [merge.records[0] for merge in merges],
        [merge.records[1] for merge in merges],
        [merge.kept for merge in merges],
        [merge.absorbed for merge in merges],
        [merge.probability for merge in merges],
        [merge.decided_by for merge in merges],
    ]
    driver_connection(connection).execute(_MERGES.encode(), [at, *columns])
    touched = connection.execute(
        text("UPDATE venue v SET merge_no = l.link_no FROM venue_link l WHERE l.link_id = ANY (:ids)"
             " AND v.venue_no = l.absorbed_no RETURNING v.venue_no, l.kept_no"),
        {"ids": columns[0]},
    )  # fmt: skip
    settle_venues(connection, [number for row in touched for number in row], at=at)


_MERGES = """
INSERT INTO venue_link (link_id, kind, left_no, right_no, kept_no, absorbed_no, probability, decided_by, at)
SELECT m.link_id, 'merge', l.record_no, r.record_no, k.venue_no, a.venue_no, m.probability, m.decided_by, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::double precision[], %s::text[])
    WITH ORDINALITY AS m (link_id, left_id, right_id, kept, absorbed, probability, decided_by, place)
    JOIN venue_source_record l ON l.record_id = m.left_id JOIN venue_source_record r ON r.record_id = m.right_id
    JOIN venue k ON k.venue_id = m.kept JOIN venue a ON a.venue_id = m.absorbed
ORDER BY m.place
"""


def decide(connection: Connection, event: Merged | Split | Confirmed | Refused, *, new_id: Callable[[], UUID]) -> bool:
    """Add the decision of the account whose transaction this is, with all that follows from it; by its clock.

    ``False`` if that is not for the account, or what is decided on is no longer so.
    """
    values: dict[str, Any] = {"id": new_id(), "kind": _KINDS[type(event)], "reason": getattr(event, "reason", "")}
    values |= dict.fromkeys(("left", "right", "kept", "absorbed", "undone", "probability"))
    if isinstance(event, Split):
        values["undone"] = event.merge_id
    else:
        values["left"], values["right"] = event.records
    if isinstance(event, Merged):
        values |= {"id": event.merge_id, "kept": event.kept, "absorbed": event.absorbed}
        values["probability"] = event.probability
    return connection.execute(text(_DECIDE), values).scalar_one() is not None


_KINDS: dict[type[LinkEvent], str] = {Merged: "merge", Split: "split", Confirmed: "confirm", Refused: "refuse"}

_DECIDE = """
SELECT decide_link(jsonb_populate_record(NULL::venue_link, jsonb_build_object(
    'link_id', CAST(:id AS uuid), 'kind', CAST(:kind AS text), 'reason', CAST(:reason AS text),
    'probability', CAST(:probability AS double precision),
    'left_no', (SELECT record_no FROM venue_source_record WHERE record_id = CAST(:left AS uuid)),
    'right_no', (SELECT record_no FROM venue_source_record WHERE record_id = CAST(:right AS uuid)),
    'kept_no', (SELECT venue_no FROM venue WHERE venue_id = CAST(:kept AS uuid)),
    'absorbed_no', (SELECT venue_no FROM venue WHERE venue_id = CAST(:absorbed AS uuid)),
    'undone_no', (SELECT link_no FROM venue_link WHERE link_id = CAST(:undone AS uuid)))))
"""


def save_reviews(
    connection: Connection,
    questions: Sequence[tuple[QueuedPair, Waterfall]],
    *,
    model_version: str,
    at: datetime,
    new_id: Callable[[], UUID],
) -> None:
    """Replace the questions by these; one that is asked again in the same way stays the one it was."""
    asked = [
        {
            "review_id": str(new_id()), "left_id": str(pair.left), "right_id": str(pair.right),
            "probability": pair.probability, "doubt": str(pair.doubt), "prior_bits": waterfall.prior_bits,
            "weights": [[weight.field, weight.level, weight.bits] for weight in waterfall.weights],
        }
        for pair, waterfall in questions
    ]  # fmt: skip
    values = {"asked": json.dumps(asked), "model": model_version, "at": at}
    connection.execute(text(_SUPERSEDE), values)
    connection.execute(text(_ASK), values)


_ASKED = """
WITH asked AS (
    SELECT a.*, l.record_no AS left_no, r.record_no AS right_no
    FROM jsonb_to_recordset(CAST(:asked AS jsonb)) AS a (review_id uuid, left_id uuid, right_id uuid,
        probability double precision, doubt text, prior_bits double precision, weights jsonb)
    JOIN venue_source_record l ON l.record_id = a.left_id JOIN venue_source_record r ON r.record_id = a.right_id
), same AS (
    SELECT q.review_no, a.review_id FROM venue_review q JOIN asked a USING (left_no, right_no)
    WHERE q.superseded_at IS NULL AND q.model_version = :model AND q.weights = a.weights AND q.doubt = a.doubt
        AND q.prior_bits = a.prior_bits
)
"""
_SUPERSEDE = f"""{_ASKED}
UPDATE venue_review SET superseded_at = :at
WHERE superseded_at IS NULL AND review_no NOT IN (SELECT review_no FROM same)
"""
"""A statement of its own, before the insert: PostgreSQL would run it last, and a pair is asked once at a time."""
_ASK = f"""{_ASKED}
INSERT INTO venue_review (review_id, left_no, right_no, probability, doubt, prior_bits, weights, model_version,
    proposed_at)
SELECT review_id, left_no, right_no, probability, doubt, prior_bits, weights, :model, :at FROM asked
WHERE review_id NOT IN (SELECT review_id FROM same) ORDER BY probability DESC, review_id
"""

_EVENTS = """
SELECT e.link_id, e.kind, e.probability, e.decided_by, e.at, e.reason, l.record_id AS left_id, r.record_id AS right_id,
    k.venue_id AS kept, a.venue_id AS absorbed, u.link_id AS undone_id
FROM venue_link e
    LEFT JOIN venue_source_record l ON l.record_no = e.left_no
    LEFT JOIN venue_source_record r ON r.record_no = e.right_no
    LEFT JOIN venue k ON k.venue_no = e.kept_no LEFT JOIN venue a ON a.venue_no = e.absorbed_no
    LEFT JOIN venue_link u ON u.link_no = e.undone_no
"""


def _merged(row: Any) -> Merged:
    return Merged(
        merge_id=row.link_id,
        kept=row.kept,
        absorbed=row.absorbed,
        records=(row.left_id, row.right_id),
        probability=row.probability,
        decided_by=row.decided_by,
        at=row.at,
        reason=row.reason,
    )


def _confirmed(row: Any) -> Confirmed:
    return Confirmed(records=(row.left_id, row.right_id), decided_by=row.decided_by, at=row.at)


def _refused(row: Any) -> Refused:
    return Refused(records=(row.left_id, row.right_id), decided_by=row.decided_by, at=row.at, reason=row.reason)
