"""Registering a case: the subject, the order as its next version, its zones, who is told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import Block, Recipient, block_as_filed
from alerts.store import add_recipient, block_other_recipients
from api.calendars import current_calendar
from api.case_file import CaseIn, RecipientIn, stage_of
from api.case_terms import check_case_terms
from api.devices import add_device
from api.ids import shard_of, subject_id_for
from api.personal.fields import (
    current_key,
    identity_of,
    open_field,
    others_with_id_number,
    recipient_id_for,
    save_identity,
    seal_contact,
)
from api.personal.keyring import Keyring
from api.personal.resident_id import doubts_about
from geo.geojson import shape_from_geojson
from tracking.activation import activate
from tracking.calendar import local_day
from tracking.divisions import area_id
from tracking.episode import derived_id
from tracking.home_place import HomePlacePolicy, too_small
from tracking.order import Condition, ConditionKind, Consent, SupervisionOrder
from tracking.order_store import add_order
from tracking.store import ZoneDraft, add_subject, save_zones, zone_ids
from tracking.terms import TermFinding
from tracking.timetable_json import timetable_from_json
from tracking.zone import ZoneKind, ZoneOrigin

WITHOUT_BASIS = (
    "没有定位依据（location_basis）：决定书已登记，其规则不启用，不接收定位"
    " / no legal basis for locating: the order is on file, none of its rules is active and no fix is taken"
)


HOME_PLACE = HomePlacePolicy()


class RecordSealedError(ValueError):
    """The reference is that of a sealed record; the message says no more than that it cannot be used."""


class Change(StrEnum):
    """What registering a case did to the order and its person."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class TermError(ValueError):
    """The term of the order breaks the law; the message names the article and the dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered case. ``token`` is the new device's, shown once; ``None`` when the subject has a device already."""

    reference: str
    subject_id: UUID
    subject_no: int
    token: str | None
    change: Change
    doubts: tuple[str, ...] = ()
    """What a person should look at. Nothing was refused for it."""


def register_case(connection: Connection, case: CaseIn, *, keyring: Keyring, secret: bytes, at: datetime) -> Registered:
    """Add a case or bring a known one up to date (a changed order is its next version). A lifted order stays as it is,
    and what is known already is not written again.

    Raises ``LookupError`` when a condition names a zone that is not there, ``TermError`` for a term that the law does
    not allow, ``RecordSealedError``, ``KeyringError`` without the current key; the caller must then roll back.
    """
    subject_id = subject_id_for(case.reference)
    order_id = order_id_for(case)
    before = _state_of(connection, subject_id, order_id)
    subject_no = add_subject(
        connection, subject_id=subject_id, shard=shard_of(subject_id), alias=case.alias, birth_date=case.birth_date
    )
    _refuse_sealed(connection, subject_no)
    lifted = _lifting_of(connection, order_id)
    doubts = lifted or _save_order(connection, case, subject_no=subject_no, order_id=order_id, at=at)
    _save_identity(connection, case, subject_no, keyring)
    _save_recipients(connection, case, subject_id, subject_no, keyring)
    has_device = connection.execute(
        text("SELECT 1 FROM device WHERE subject_no = :subject_no AND revoked_at IS NULL LIMIT 1"),
        {"subject_no": subject_no},
    ).one_or_none()
    after = _state_of(connection, subject_id, order_id)
    return Registered(
        reference=case.reference,
        subject_id=subject_id,
        subject_no=subject_no,
        token=add_device(connection, subject_no, secret) if has_device is None and not lifted else None,
        change=Change.ADDED if before is None else Change.UNCHANGED if before == after else Change.CHANGED,
        doubts=(*doubts, *_doubts(connection, case, subject_no, keyring), *_people_who_deny(connection, subject_no)),
    )


def order_id_for(case: CaseIn) -> UUID:
    """The order's id: one document number of one person is one order."""
    return derived_id("order", 0, str(subject_id_for(case.reference)), case.document_number)


def refuse_broken_terms(
    connection: Connection, case: CaseIn, *, subject_no: int, order_id: UUID
) -> tuple[TermFinding, ...]:
    """What is doubtful about the term. Raises ``TermError`` for what the law does not allow."""
    terms = check_case_terms(connection, case, subject_no=subject_no, order_id=order_id)
    if breaches := [finding for finding in terms if finding.is_breach]:
        raise TermError("；".join(f"{item.text_zh}（{item.articles}）/ {item.text_en}" for item in breaches))
    return terms


def _save_order(connection: Connection, case: CaseIn, *, subject_no: int, order_id: UUID, at: datetime) -> list[str]:
    """Store the order with its zones; returns what is to be looked at. Raises ``TermError``, ``LookupError``."""
    terms = refuse_broken_terms(connection, case, subject_no=subject_no, order_id=order_id)
    order = _order(case, order_id, subject_no)
    zones = {
        derived_id("condition", 0, str(order_id), position): _zone_id(connection, case, order_id, position, at)
        for position in range(len(case.conditions))
    }
    add_order(
        connection,
        order=order,
        zone_id_of=lambda item: zones[item.condition_id],
        at=at,
        effective_from=case.effective_from,
    )
    doubts = [f"{item.text_zh}（{item.articles}）/ {item.text_en}" for item in terms]
    return [*doubts, *_reasons_not_active(connection, order), *_places_too_small(case)]


_STATE = text("""
SELECT jsonb_build_object(
    'subject', to_jsonb(s), 'order', o.order_no,
    'zones', (SELECT jsonb_agg(jsonb_build_array(zone_no, name) ORDER BY zone_no) FROM zone
              WHERE source = 'condition:' || o.order_id),
    'recipients', (SELECT jsonb_agg(to_jsonb(r) ORDER BY recipient_id) FROM recipient r
                   WHERE r.subject_no = s.subject_no))::text
FROM subject s JOIN supervision_order o USING (subject_no)
WHERE s.subject_id = :subject_id AND o.order_id = :order_id ORDER BY o.version DESC LIMIT 1
""")


def _state_of(connection: Connection, subject_id: UUID, order_id: UUID) -> str | None:
    """All that a case file can change of an order and its person, to be compared; ``None``: no such order yet."""
    found: str | None = connection.execute(_STATE, {"subject_id": subject_id, "order_id": order_id}).scalar()
    return found


def _lifting_of(connection: Connection, order_id: UUID) -> list[str]:
    """That the order was lifted, if it was: a file that comes in again must not bring it back to life."""
    row = connection.execute(
        text("SELECT coalesce(lifted_at, superseded_at) AS lifted_at, lifting_document FROM supervision_order"
             " WHERE order_id = :id ORDER BY version DESC LIMIT 1"),
        {"id": order_id},
    ).one_or_none()  # fmt: skip
    if row is None or row.lifted_at is None:
        return []
    day = local_day(row.lifted_at).isoformat()
    return [
        f"已于 {day} 解除（{row.lifting_document or '无文号'}），决定书未作改动；另作决定请用新的文号"
        f" / lifted on {day}, the order was left as it is: a new decision has a number of its own"
    ]


def _refuse_sealed(connection: Connection, subject_no: int) -> None:
    """Asked while the subject's row is held: a sealing that was under way is seen."""
    query = text("SELECT sealed_at IS NOT NULL FROM subject WHERE subject_no = :no")
    if connection.execute(query, {"no": subject_no}).scalar_one():
        raise RecordSealedError("该编号不能使用，请问案件负责人 / this reference cannot be used: ask the leader")


def _save_identity(connection: Connection, case: CaseIn, subject_no: int, keyring: Keyring) -> None:
    asked = {"name": case.name, "id_number": case.id_number, "address": case.address}
    given = {column: value for column, value in asked.items() if value is not None}
    if given and not given.items() <= identity_of(connection, keyring, subject_no=subject_no, lock=True).texts.items():
        save_identity(connection, keyring, subject_no=subject_no, **asked)


def _save_recipients(connection: Connection, case: CaseIn, subject_id: UUID, subject_no: int, keyring: Keyring) -> None:
    key = current_key(connection, keyring)
    held = text("SELECT * FROM recipient WHERE subject_no = :no FOR NO KEY UPDATE")
    known = {row.recipient_id: row for row in connection.execute(held, {"no": subject_no})}
    named = {
        recipient_id_for(keyring, subject_id=subject_id, role=recipient.role, phone=recipient.phone): recipient
        for recipient in case.recipients
    }
    if any(not row.is_blocked for number, row in known.items() if number not in named):
        block_other_recipients(connection, subject_no, keep=list(named))
    for recipient_id, recipient in named.items():
        row = known.get(recipient_id)
        block = block_as_filed(_block_of(row), is_blocked=recipient.is_blocked, reason=recipient.blocked_for)
        value = Recipient(
            recipient_id=recipient_id,
            subject_no=subject_no,
            role=recipient.role,
            rank=recipient.rank,
            is_blocked=block is not None,
            blocked_for=block,
            language=recipient.language,
            channels=recipient.channels,
            unit=recipient.unit,
        )
        if _is_as_known(row, value, recipient, keyring):
            continue
        contact = seal_contact(
            keyring, key, recipient_id=recipient_id, name=recipient.name, phone=recipient.phone, email=recipient.email
        )
        add_recipient(connection, value, contact)


def _block_of(row: Any) -> Block | None:
    if row is None or not row.is_blocked:
        return None
    return Block.OTHER if row.blocked_for is None else Block(row.blocked_for)


def _is_as_known(row: Any, value: Recipient, recipient: RecipientIn, keyring: Keyring) -> bool:
    """Whether a stored recipient, whose id says role and number, needs no writing."""
    if row is None or row.name is None:
        return False
    stored = (row.rank, _block_of(row), row.language, tuple(row.channels), row.unit)
    if stored != (value.rank, value.blocked_for, value.language, value.channels, value.unit):
        return False
    name, email = (
        None if sealed is None else open_field(
            keyring, sealed, key_id=row.key_id, table="recipient", column=column, row_id=row.recipient_id
        )
        for column, sealed in (("name", row.name), ("email", row.email))
    )  # fmt: skip
    return (name, email) == (recipient.name, recipient.email)


def _reasons_not_active(connection: Connection, order: SupervisionOrder) -> list[str]:
    """Why no rule of the order binds, if none does."""
    if order.location_basis is None:
        return [WITHOUT_BASIS]
    return [item.reason for item in activate([order], calendar=current_calendar(connection)).blocked]


def _places_too_small(case: CaseIn) -> list[str]:
    """Homes drawn so narrowly that a phone indoors will seem to leave them."""
    doubts = []
    for number, item in enumerate(case.conditions, start=1):
        if item.geometry is None:
            continue
        shape = shape_from_geojson(item.geometry, radius_m=item.radius_m)
        reach_m = too_small(item.kind, shape, item.tolerance_m, HOME_PLACE)
        if reach_m is not None:
            doubts.append(
                f"第 {number} 项条件的处所半径加容差仅 {reach_m:.0f} 米，室内定位误差会造成误报，请确认或改为至少"
                f" {HOME_PLACE.least_reach_m:.0f} 米 / condition {number}: radius and tolerance reach {reach_m:.0f} m;"
                f" indoors phones err so much that false alarms follow: confirm, or make it"
                f" {HOME_PLACE.least_reach_m:.0f} m"
            )
    return doubts


def _doubts(connection: Connection, case: CaseIn, subject_no: int, keyring: Keyring) -> list[str]:
    if case.id_number is None:
        return []
    doubts = doubts_about(case.id_number, birth_date=case.birth_date)
    if others_with_id_number(connection, keyring, subject_no=subject_no, id_number=case.id_number):
        doubts.append("另有对象使用同一身份证号 / another subject has the same ID number")
    return doubts


def _people_who_deny(connection: Connection, subject_no: int) -> list[str]:
    """That somebody answered 不是我的孩子 and no officer has looked into it."""
    query = text("SELECT recipient_id, role FROM recipient WHERE subject_no = :no AND denied_at IS NOT NULL ORDER BY 1")
    return [
        f"{row.recipient_id}（{row.role}）答复过“不是我的孩子”，不再通知；核实后：hulan recipient tell、block"
        f" / recipient {row.recipient_id} answered 'not my child' and is told nothing: check it, then hulan recipient"
        " tell, or block"
        for row in connection.execute(query, {"no": subject_no})
    ]


def _order(case: CaseIn, order_id: UUID, subject_no: int) -> SupervisionOrder:
    return SupervisionOrder(
        order_no=0,
        order_id=order_id,
        version=0,
        subject_no=subject_no,
        measure=case.measure,
        document_number=case.document_number,
        deciding_organ=case.deciding_organ,
        executing_organ=case.executing_organ,
        valid_from=case.valid_from,
        valid_to=case.valid_to,
        stage=stage_of(case),
        legal_basis=tuple(case.legal_basis),
        location_basis=case.location_basis,
        consent=None if case.consent is None else Consent(**case.consent.model_dump()),
        review_at=case.review_at,
        conditions=tuple(
            Condition(
                condition_no=0,
                condition_id=derived_id("condition", 0, str(order_id), position),
                kind=condition.kind,
                categories=frozenset(condition.categories),
                tolerance_m=condition.tolerance_m,
                timetable=None if condition.timetable is None else timetable_from_json(condition.timetable),
                parameters=condition.parameters,
                reason_code=condition.reason_code,
                is_protected=condition.is_protected,
            )
            for position, condition in enumerate(case.conditions)
        ),
    )


def _zone_id(connection: Connection, case: CaseIn, order_id: UUID, position: int, at: datetime) -> UUID | None:
    """A zone drawn by the order governs as long as the order is valid; one that is redrawn, as a variation does."""
    condition = case.conditions[position]
    if not condition.names_place:
        return None
    source, source_id = condition.zone_source or f"condition:{order_id}", condition.zone or str(position)
    if condition.kind is ConditionKind.STAY_WITHIN_AREA and source.startswith(f"{ZoneOrigin.BOUNDARY}:"):
        source_id = area_id(source_id, is_city_one_area=condition.parameters["is_city_one_area"])
    if condition.geometry is not None:
        draft = ZoneDraft(
            zone_id=derived_id("zone", 0, source, source_id),
            source=source,
            source_id=source_id,
            kind=ZoneKind.EXCLUSION if condition.kind is ConditionKind.EXCLUSION_ZONE else ZoneKind.INCLUSION,
            origin=ZoneOrigin.CONDITION,
            name=condition.label,
            shape=shape_from_geojson(condition.geometry, radius_m=condition.radius_m),
        )
        save_zones(connection, [draft], at=at, new_from=case.valid_from, changed_from=case.effective_from)
    found = zone_ids(connection, source, [source_id])
    if source_id not in found:
        raise LookupError(
            f"没有来源为 {source}、编号为 {source_id} 的区域，请先导入"
            f" / there is no zone {source_id} of source {source}: import it first"
        )
    return found[source_id]
