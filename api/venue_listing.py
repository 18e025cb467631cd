"""The register as officers read it: what each place is by its registers, its address, its decisions, what is asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import BoundaryMissingError, NotThereError
from api.venue_details import door_shown, history_shown, host_shown, observation_shown
from venues.address import parse_address
from venues.category import CATEGORY_NAMES_ZH, VenueCategory
from venues.distance_rule import within
from venues.divisions import read_division
from venues.door_store import load_doors
from venues.identity import DOUBT_TEXTS, Doubt
from venues.link_store import OPEN_REVIEWS
from venues.observation_store import LAST_OBSERVATIONS, Observation, load_observations
from venues.operator_period import Tenure, operator_periods
from venues.place import SourceKey
from venues.register_facts import OBSERVED, categories_of
from venues.register_store import RECORD_COLUMNS, record_of_row
from venues.scored_pairs import FieldWeight
from venues.source_record import LICENCE_FIELDS, SOURCE_KIND_NAMES_ZH, SourceKind, SourceRecord
from venues.traits import are_near, traits_of

MOST = 200
"""In one answer; the next ones follow the last id of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFilter:
    """What to list: all that is given must hold of one of the place's records. ``after``: id of the last one shown."""

    name: str = ""
    category: VenueCategory | None = None
    after: UUID | None = None
    with_withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One register's entry of a place."""

    venue_no: int
    record: SourceRecord
    longitude: float | None
    latitude: float | None
    is_watched: bool
    is_over: bool
    """Revoked or deregistered before today (Asia/Shanghai)."""
    withdrawn_at: datetime | None
    premises: str
    imported_at: datetime
    data_on: date | None
    host_key: SourceKey | None


def venues_of_register(connection: Connection, wanted: VenueFilter) -> list[dict[str, Any]]:
    """Places, by id, at most ``MOST``: what their registers say, put together."""
    rows = connection.execute(
        text(
            "SELECT top.venue_no, top.venue_id FROM venue top WHERE top.venue_no = top.current_no"
            " AND (CAST(:after AS uuid) IS NULL OR top.venue_id > :after)"
            " AND EXISTS (SELECT FROM venue m WHERE m.current_no = top.venue_no"
            "  AND (:all OR m.withdrawn_at IS NULL) AND (:name = '' OR strpos(m.name, :name) > 0)"
            "  AND (CAST(:category AS text) IS NULL OR m.category = :category OR top.venue_no IN ("
            f"   SELECT s.current_no FROM ({LAST_OBSERVATIONS}) AS s WHERE s.category = :category)))"
            " ORDER BY top.venue_id LIMIT :most"
        ),
        {"after": wanted.after, "all": wanted.with_withdrawn, "name": wanted.name, "category": wanted.category,
         "most": MOST},
    )  # fmt: skip
    ids = {row.venue_no: row.venue_id for row in rows}
    members, seen = _members(connection, ids), load_observations(connection, list(ids))
    return [_shown(ids[number], members[number], seen.get(number, ())) for number in ids if number in members]


def venue_of_register(connection: Connection, venue_id: UUID) -> dict[str, Any]:
    """One place, by any id that it ever had, with who else was at its address. Raises ``NotThereError``."""
    number, top_id = top_of(connection, venue_id)
    members = _members(connection, [number])[number]
    seen = load_observations(connection, [number]).get(number, [])
    return _shown(top_id, members, seen) | {
        "observations": [observation_shown(one) for one in seen],
        "doors": [door_shown(door) for door in load_doors(connection, of=[number]).get(number, ())],
        "inside": host_shown(connection, [member.host_key for member in members if member.host_key is not None]),
        "operators": _operators(connection, members),
        "history": history_shown(connection, number),
    }


def records_of_venue(connection: Connection, venue_id: UUID) -> list[dict[str, Any]]:
    """Every record of a place in every version, newest first, as sent but for telephones. Raises ``NotThereError``."""
    number, _ = top_of(connection, venue_id)
    rows = connection.execute(
        text("SELECT r.record_id, r.source, r.source_id, r.kind, r.content, encode(r.content_hash, 'hex') AS hash,"
             " r.imported_at, CASE WHEN v.record_no = r.record_no AND v.withdrawn_at IS NULL THEN v.data_on"
             " ELSE r.data_on END AS data_on,"
             " v.record_no = r.record_no AS is_current, v.venue_id AS found_with, v.withdrawn_at,"
             f" CASE WHEN v.record_no = r.record_no AND {_IS_OVER} THEN v.ended_on END AS ended_on"
             " FROM venue v JOIN venue_source_record r USING (source, source_id) WHERE v.current_no = :number"
             " ORDER BY r.record_no DESC LIMIT 500"),
        {"number": number},
    )  # fmt: skip
    return [
        {
            **{name: getattr(row, name) for name in ("record_id", "source", "source_id", "kind", "content", "hash")},
            "kind_zh": SOURCE_KIND_NAMES_ZH[SourceKind(row.kind)],
            "imported_at": row.imported_at,
            "data_on": row.data_on,
            "ended_on": row.ended_on,
            "is_current": row.is_current and row.withdrawn_at is None,
            "found_with": row.found_with,
        }
        for row in rows
    ]


def open_reviews(
    connection: Connection, *, most: int = MOST, after: UUID | None = None, division: str | None = None
) -> list[dict[str, Any]]:
    """Questions for a person, the likeliest first, with what each field said, at most ``MOST``.

    ``after``: those that follow this question in the list, answered or not. ``division``: six digits; those of which a
    place lies in its boundary, or in one below it, by what any of its registers says; of a place without any position
    the division that an address names counts. Raises ``NotThereError`` for a question that never was, and
    ``BoundaryMissingError`` for a division without imported boundary.
    """
    codes = None if division is None else within(division)
    if after is not None:
        known = text("SELECT EXISTS (SELECT FROM venue_review WHERE review_id = :after)")
        if not connection.execute(known, {"after": after}).scalar_one():
            raise NotThereError
    if codes is not None:
        known = text("SELECT EXISTS (SELECT FROM boundaries_of(:codes))")
        if not connection.execute(known, {"codes": codes}).scalar_one():
            raise BoundaryMissingError(
                f"没有导入 {division} 的边界：先 hulan import boundaries / no boundary of it is imported"
            )
    rows = _questions(connection, most=min(most, MOST), after=after, codes=codes)
    said = _records_said(connection, [each for row in rows for each in (row.left_id, row.right_id)])
    return [
        {
            "review_id": row.review_id,
            "probability": row.probability,
            "doubt": row.doubt,
            "doubt_texts": DOUBT_TEXTS[Doubt(row.doubt)],
            "left": said[row.left_id] | {"venue_id": row.left_venue},
            "right": said[row.right_id] | {"venue_id": row.right_venue},
            "prior_bits": row.prior_bits,
            "weights": [_weight(FieldWeight(field=name, level=level, bits=bits)) for name, level, bits in row.weights],
            "model_version": row.model_version,
            "proposed_at": row.proposed_at,
        }
        for row in rows
    ]


def _questions(connection: Connection, *, most: int, after: UUID | None, codes: str | None) -> list[Any]:
    following = (
        "(CAST(:after AS uuid) IS NULL OR (-probability, review_no)"
        " > (SELECT -probability, review_no FROM venue_review WHERE review_id = :after))"
    )
    order = "ORDER BY probability DESC, review_no"
    if codes is None:
        query = f"SELECT * FROM ({OPEN_REVIEWS}) AS q WHERE {following} {order} LIMIT :most"
        return list(connection.execute(text(query), {"most": most, "after": after}))
    query = (
        "WITH there AS MATERIALIZED (SELECT shape FROM boundaries_of(:codes) AS found (shape))"
        f" SELECT q.*, place.* FROM ({OPEN_REVIEWS}) AS q CROSS JOIN LATERAL ("
        "SELECT bool_or(said.is_there) AS is_there,"
        " array_agg(said.addresses) FILTER (WHERE NOT said.is_placed) AS unplaced FROM venue top CROSS JOIN LATERAL ("
        "SELECT bool_or(m.geometry IS NOT NULL) AS is_placed, string_agg(m.address, chr(10)) AS addresses,"
        " bool_or(EXISTS (SELECT FROM there WHERE ST_Covers(there.shape, ST_PointOnSurface(m.geometry)))) AS is_there"
        " FROM venue m WHERE m.current_no = top.venue_no) AS said"
        " WHERE top.venue_id IN (q.left_venue, q.right_venue)) AS place"
        f" WHERE {following} AND (place.is_there OR place.unplaced IS NOT NULL) {order}"
    )
    rows = connection.execute(text(query), {"after": after, "codes": codes})
    return list(islice((row for row in rows if row.is_there or _names(row.unplaced, codes.rstrip("%"))), most))


def _names(unplaced: Iterable[str], code: str) -> bool:
    """Whether an address, one on each line, names a division whose code begins so."""
    told = (read_division(parse_address(line).division).code for lines in unplaced for line in lines.split("\n"))
    return any(found and found.startswith(code) for found in told)


def top_of(connection: Connection, venue_id: UUID) -> tuple[int, UUID]:
    """Number and id of the row that stands for the place of any id that it ever had. Raises ``NotThereError``."""
    row = connection.execute(
        text("SELECT top.venue_no, top.venue_id FROM venue v JOIN venue top ON top.venue_no = v.current_no"
             " WHERE v.venue_id = :id"),
        {"id": venue_id},
    ).one_or_none()  # fmt: skip
    if row is None:
        raise NotThereError
    return row.venue_no, row.venue_id


_IS_OVER = "coalesce(v.ended_on < (now() AT TIME ZONE 'Asia/Shanghai')::date, false)"


def _members(connection: Connection, numbers: Iterable[int]) -> dict[int, list[_Member]]:
    rows = connection.execute(
        text(f"SELECT v.venue_no, v.current_no, v.is_watched, v.withdrawn_at, v.premises, r.imported_at,"
             f" v.data_on, {_IS_OVER} AS is_over, {RECORD_COLUMNS}"
             " FROM venue v JOIN venue_source_record r USING (record_no)"
             " WHERE v.current_no = ANY (:numbers) ORDER BY v.is_watched DESC, v.venue_no"),
        {"numbers": list(numbers)},
    )  # fmt: skip
    members: dict[int, list[_Member]] = {}
    for row in rows:
        record = record_of_row(row)
        members.setdefault(row.current_no, []).append(
            _Member(
                venue_no=row.venue_no,
                record=record,
                longitude=row.longitude,
                latitude=row.latitude,
                is_watched=row.is_watched,
                is_over=row.is_over,
                withdrawn_at=row.withdrawn_at,
                premises=row.premises,
                imported_at=row.imported_at,
                data_on=row.data_on,
                host_key=record.host_key,
            )
        )
    return members


def _shown(venue_id: UUID, members: Sequence[_Member], seen: Sequence[Observation]) -> dict[str, Any]:
    """What the registers say of one place, put together; the first is the one whose zone it has."""
    there = [member for member in members if member.withdrawn_at is None] or list(members)
    records = [member.record for member in there]
    placed = next((member for member in there if member.longitude is not None), None)
    address = next((record.address for record in records if record.address), "")
    parts = parse_address(address)
    days = _days(records)
    observed = categories_of(record for record in records if record.kind in OBSERVED)
    if seen:
        observed = frozenset() if seen[0].seen.category is None else frozenset({seen[0].seen.category})
    registered = categories_of(record for record in records if record.kind not in OBSERVED)
    return {
        "venue_id": venue_id,
        "name": next((record.name for record in records if record.name), ""),
        "names": sorted({record.name for record in records} - {""}),
        "categories": _named(registered | observed),
        "registered_categories": _named(registered),
        "observed_categories": _named(observed),
        "is_seen_on_site": bool(seen),
        "address": address,
        "building": parts.building,
        "floor": parts.floor,
        "unit": parts.unit,
        "longitude": None if placed is None else placed.longitude,
        "latitude": None if placed is None else placed.latitude,
        "licences": {field: sorted({getattr(record, field) for record in records} - {""}) for field in LICENCE_FIELDS},
        "opening_hours": sorted({record.opening_hours for record in records} - {""}),
        "valid_from": days[0],
        "valid_to": days[1],
        "ended_on": _ended_on(there),
        "data_on": min((member.data_on for member in there if member.data_on is not None), default=None),
        "record_count": len(members),
        "is_watched": any(member.is_watched for member in members),
        "is_withdrawn": all(member.withdrawn_at is not None for member in members),
    }


def _named(categories: Iterable[VenueCategory]) -> dict[str, str]:
    return {str(category): CATEGORY_NAMES_ZH[category] for category in sorted(categories)}


def _days(records: Iterable[SourceRecord]) -> tuple[date | None, date | None]:
    """First day of the earliest registration, and last of the latest; ``None``: not known, or it goes on."""
    dated = [record for record in records if record.valid_from is not None or record.valid_to is not None]
    began = min((record.valid_from for record in dated if record.valid_from is not None), default=None)
    ends = [record.valid_to for record in dated]
    return began, None if None in ends else max((day for day in ends if day is not None), default=None)


def _ended_on(members: Sequence[_Member]) -> date | None:
    """The last day of a business that is over: by each of its registrations or, without any, by each record."""
    registered = [member for member in members if member.record.kind is SourceKind.BUSINESS_REGISTRATION]
    telling = registered or members
    days = [member.record.ended_on for member in telling if member.is_over and member.record.ended_on is not None]
    return max(days) if days and len(days) == len(telling) else None


def _operators(connection: Connection, members: Sequence[_Member]) -> list[dict[str, Any]]:
    """Who was at the address of the place from when to when, itself included. Every county has a 人民路28号."""
    premises = next((member.premises for member in members if member.premises), "")
    if not premises:
        return []
    rows = connection.execute(
        text("SELECT DISTINCT v.current_no, top.venue_id FROM venue v JOIN venue top ON top.venue_no = v.current_no"
             " WHERE v.premises = :premises"),
        {"premises": premises},
    )  # fmt: skip
    ids = {row.current_no: row.venue_id for row in rows}
    others = {
        number: found
        for number, found in _members(connection, ids).items()
        if not _are_elsewhere(members, found, premises)
    }
    names = {ids[number]: _shown(ids[number], others[number], ())["name"] for number in others}
    tenures = []
    for number, found in others.items():
        began, ended = _days(member.record for member in found)
        if began is None or ended is None or began <= ended:
            address = next(member.record.address for member in found if member.premises == premises)
            tenures.append(Tenure(venue_id=ids[number], address=parse_address(address), began=began, ended=ended))
    return [
        {
            "venue_id": period.venue_id,
            "name": names[period.venue_id],
            "began": period.began,
            "ended": period.ended,
            "is_end_assumed": period.is_end_assumed,
        }
        for period in operator_periods(tenures).get(premises, ())
    ]


def _are_elsewhere(members: Iterable[_Member], others: Iterable[_Member], premises: str) -> bool:
    """Whether an address that reads the same is of another county, or another place over a kilometre away."""
    ours, theirs = (
        [traits_of(each.record) for each in those if each.premises == premises] for those in (members, others)
    )
    known = {are_near(one, other) for one in ours for other in theirs}
    return False in known and True not in known


def _records_said(connection: Connection, record_ids: Sequence[UUID]) -> Mapping[UUID, dict[str, Any]]:
    rows = connection.execute(
        text("SELECT record_id, source, source_id, kind, content FROM venue_source_record"
             " WHERE record_id = ANY (:ids)"),
        {"ids": list(record_ids)},
    )  # fmt: skip
    return {
        row.record_id: {
            "record_id": row.record_id,
            "source": row.source,
            "source_id": row.source_id,
            "kind": row.kind,
            "kind_zh": SOURCE_KIND_NAMES_ZH[SourceKind(row.kind)],
            "name": row.content["name"],
            "address": row.content.get("address", ""),
        }
        for row in rows
    }


def _weight(weight: FieldWeight) -> dict[str, Any]:
    zh, en = weight.words
    return {"field": weight.field, "zh": zh, "en": en, "bits": round(weight.bits, 2)}
