"""A case file: subjects with their order, conditions and recipients, as JSON; and how one is registered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from sqlalchemy import Connection, text

from alerts.alert import Recipient, Role
from alerts.store import add_recipient, block_other_recipients
from api.devices import add_device
from api.ids import shard_of, subject_id_for
from api.personal.blind_index import normal_phone
from api.personal.fields import (
    current_key,
    others_with_id_number,
    recipient_id_for,
    save_identity,
    seal_contact,
)
from api.personal.keyring import Keyring
from api.personal.resident_id import check_resident_id, doubts_about
from geo.geojson import shape_from_geojson
from geo.shapes import ShapeError, check_shape
from tracking.episode import derived_id
from tracking.order import Condition, ConditionKind, Measure, SupervisionOrder
from tracking.store import ZoneDraft, add_order, add_subject, save_zones, zone_ids
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import SiteCategory, VenueCategory
from venues.place import Rejected


def _normal(phone: Any) -> Any:
    return normal_phone(phone) if isinstance(phone, str) else phone


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConditionIn(_Strict):
    """A condition. A zone is drawn here (``geometry``, WGS-84 GeoJSON) or named (``zone_source`` and ``zone``)."""

    kind: ConditionKind
    categories: list[VenueCategory | SiteCategory] = []
    geometry: dict[str, Any] | None = None
    radius_m: float | None = None
    zone_source: str | None = Field(None, description="e.g. `boundary:china_county`")
    zone: str | None = Field(None, description="the zone's id in that source")
    label: str = ""
    tolerance_m: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _names_a_place(self) -> Self:
        if self.kind is ConditionKind.EXCLUDED_CATEGORIES:
            if not self.categories:
                raise ValueError("categories 不能为空 / categories must name at least one category")
        elif self.geometry is None and (self.zone is None or self.zone_source is None):
            raise ValueError("需要 geometry，或 zone_source 与 zone / give a geometry, or zone_source and zone")
        return self


class RecordSealedError(ValueError):
    """The reference is that of a sealed record; the message says no more than that it cannot be used."""


class RecipientIn(_Strict):
    """Someone who may be told."""

    role: Role
    name: str
    phone: Annotated[
        str, BeforeValidator(_normal), Field(pattern=r"^1[3-9]\d{9}$", description="mainland mobile number")
    ]
    rank: int = Field(1, ge=1)
    is_blocked: bool = False


class CaseIn(_Strict):
    """One subject with the order in force. ``reference`` identifies the subject in this office and in track files."""

    reference: Annotated[str, Field(min_length=1)]
    alias: Annotated[str, Field(min_length=1, max_length=10, description="what an SMS may carry: never the full name")]
    birth_date: date
    name: Annotated[str, Field(min_length=1)] | None = None
    measure: Measure
    document_number: Annotated[str, Field(min_length=1)]
    deciding_organ: str
    executing_organ: str
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    effective_from: AwareDatetime | None = Field(
        None, description="a variation governs from when it is imported; the correction of an error from this instant"
    )
    id_number: str | None = Field(None, description="resident ID number: checksum and date are checked")
    address: Annotated[str, Field(min_length=1)] | None = None
    conditions: Annotated[list[ConditionIn], Field(min_length=1)]
    recipients: list[RecipientIn] = []

    @field_validator("id_number")
    @classmethod
    def _is_an_id_number(cls, text: str | None, info: ValidationInfo) -> str | None:
        start: datetime | None = info.data.get("valid_from")
        return None if text is None else check_resident_id(text, not_after=date.max if start is None else start.date())

    @model_validator(mode="after")
    def _has_a_span(self) -> Self:
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to 必须晚于 valid_from / valid_to must be later than valid_from")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered case. ``token`` is the new device's, shown once; ``None`` when the subject has a device already."""

    reference: str
    subject_id: UUID
    subject_no: int
    token: str | None
    doubts: tuple[str, ...] = ()
    """What a person should look at. Nothing was refused for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRead:
    """The good cases of a file and what is wrong with the others."""

    cases: tuple[CaseIn, ...]
    rejected: tuple[Rejected, ...]


def read_cases(path: Path) -> CasesRead:
    """Read ``{"cases": [...]}``. A bad case is rejected with its field; the others are taken."""
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    items = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise ValueError('文件应为 {"cases": [...]} / the file must hold {"cases": [...]}')
    cases: list[CaseIn] = []
    rejected: list[Rejected] = []
    for number, item in enumerate(items, start=1):
        try:
            case = CaseIn.model_validate(item)
            _check_zones(case)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            rejected.append(_reject(number, item, ".".join(map(str, first["loc"])), first["msg"]))
        except ShapeError as error:
            rejected.append(_reject(number, item, "conditions.geometry", str(error)))
        else:
            cases.append(case)
    return CasesRead(cases=tuple(cases), rejected=tuple(rejected))


def _reject(number: int, item: Any, field: str, reason: str) -> Rejected:
    reference = str(item.get("reference", "")) if isinstance(item, dict) else ""
    return Rejected(line=number, reference=reference, field=field, value="", reason=reason)


def _check_zones(case: CaseIn) -> None:
    for condition in case.conditions:
        if condition.geometry is not None:
            check_shape(shape_from_geojson(condition.geometry, radius_m=condition.radius_m))


def register_case(connection: Connection, case: CaseIn, *, keyring: Keyring, secret: bytes, at: datetime) -> Registered:
    """Add a case or bring a known one up to date (a changed order is its next version).

    Raises ``LookupError`` when a condition names a zone that is not there, ``RecordSealedError``, ``KeyringError``
    without the current key; the caller must then roll back.
    """
    subject_id = subject_id_for(case.reference)
    subject_no = add_subject(
        connection, subject_id=subject_id, shard=shard_of(subject_id), alias=case.alias, birth_date=case.birth_date
    )
    _refuse_sealed(connection, subject_no)
    order_id = derived_id("order", 0, str(subject_id), case.document_number)
    zones = {
        derived_id("condition", 0, str(order_id), position): _zone_id(connection, case, order_id, position, at)
        for position in range(len(case.conditions))
    }
    add_order(
        connection,
        order=_order(case, order_id, subject_no),
        zone_id_of=lambda item: zones[item.condition_id],
        at=at,
        effective_from=case.effective_from,
    )
    save_identity(
        connection, keyring, subject_no=subject_no, name=case.name, id_number=case.id_number, address=case.address
    )
    _save_recipients(connection, case, subject_id, subject_no, keyring)
    has_device = connection.execute(
        text("SELECT 1 FROM device WHERE subject_no = :subject_no AND revoked_at IS NULL LIMIT 1"),
        {"subject_no": subject_no},
    ).one_or_none()
    token = add_device(connection, subject_no, secret) if has_device is None else None
    return Registered(
        reference=case.reference,
        subject_id=subject_id,
        subject_no=subject_no,
        token=token,
        doubts=tuple(_doubts(connection, case, subject_no, keyring)),
    )


def _refuse_sealed(connection: Connection, subject_no: int) -> None:
    """Asked while the subject's row is held: a sealing that was under way is seen."""
    query = text("SELECT sealed_at IS NOT NULL FROM subject WHERE subject_no = :no")
    if connection.execute(query, {"no": subject_no}).scalar_one():
        raise RecordSealedError("该编号不能使用，请问案件负责人 / this reference cannot be used: ask the leader")


def _save_recipients(connection: Connection, case: CaseIn, subject_id: UUID, subject_no: int, keyring: Keyring) -> None:
    key = current_key(connection, keyring)
    named = [
        recipient_id_for(keyring, subject_id=subject_id, role=recipient.role, phone=recipient.phone)
        for recipient in case.recipients
    ]
    block_other_recipients(connection, subject_no, keep=named)
    for recipient_id, recipient in zip(named, case.recipients, strict=True):
        value = Recipient(
            recipient_id=recipient_id,
            subject_no=subject_no,
            role=recipient.role,
            rank=recipient.rank,
            is_blocked=recipient.is_blocked,
        )
        contact = seal_contact(keyring, key, recipient_id=recipient_id, name=recipient.name, phone=recipient.phone)
        add_recipient(connection, value, contact)


def _doubts(connection: Connection, case: CaseIn, subject_no: int, keyring: Keyring) -> list[str]:
    if case.id_number is None:
        return []
    doubts = doubts_about(case.id_number, birth_date=case.birth_date)
    if others_with_id_number(connection, keyring, subject_no=subject_no, id_number=case.id_number):
        doubts.append("另有对象使用同一身份证号 / another subject has the same ID number")
    return doubts


def register_cases(
    connection: Connection, cases: Sequence[CaseIn], *, keyring: Keyring, secret: bytes, at: datetime
) -> tuple[list[Registered], list[Rejected]]:
    """Register every case that can be; one that names an unknown zone is rejected and changes nothing."""
    done: list[Registered] = []
    rejected: list[Rejected] = []
    for number, case in enumerate(cases, start=1):
        try:
            with connection.begin_nested():
                done.append(register_case(connection, case, keyring=keyring, secret=secret, at=at))
        except RecordSealedError as error:
            rejected.append(
                Rejected(line=number, reference=case.reference, field="reference", value="", reason=str(error))
            )
        except LookupError as error:
            reason = str(error.args[0])
            rejected.append(
                Rejected(line=number, reference=case.reference, field="conditions.zone", value="", reason=reason)
            )
    return done, rejected


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
        conditions=tuple(
            Condition(
                condition_no=0,
                condition_id=derived_id("condition", 0, str(order_id), position),
                kind=condition.kind,
                categories=frozenset(condition.categories),
                tolerance_m=condition.tolerance_m,
            )
            for position, condition in enumerate(case.conditions)
        ),
    )


def _zone_id(connection: Connection, case: CaseIn, order_id: UUID, position: int, at: datetime) -> UUID | None:
    """A zone drawn by the order governs as long as the order is valid; one that is redrawn, as a variation does."""
    condition = case.conditions[position]
    if condition.kind is ConditionKind.EXCLUDED_CATEGORIES:
        return None
    source, source_id = condition.zone_source or f"condition:{order_id}", condition.zone or str(position)
    if condition.geometry is not None:
        is_area = condition.kind is ConditionKind.STAY_WITHIN_AREA
        draft = ZoneDraft(
            zone_id=derived_id("zone", 0, source, source_id),
            source=source,
            source_id=source_id,
            kind=ZoneKind.INCLUSION if is_area else ZoneKind.EXCLUSION,
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
