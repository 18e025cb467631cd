"""What Hulan stores about one person, as that person may see it (PIPL 44–48): their own rules, data, and who looked.

Left out whatever the person: zones drawn by an order and alerts at them, because such a zone may protect somebody
(design.md, section 1). It is left out with no trace, so that its absence tells nothing either.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.personal.blind_index import normal_id_number
from api.personal.fields import identity_of, open_field
from api.personal.keyring import Keyring
from api.personal.masking import masked_id_number, masked_name, masked_phone
from tracking.order import CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, ConditionKind, Measure
from venues.category import CATEGORY_NAMES_ZH, SiteCategory, VenueCategory

TOLD_KINDS = (ConditionKind.EXCLUDED_CATEGORIES, ConditionKind.STAY_WITHIN_AREA)
"""Alerts of these are told. An exclusion zone is told by the officer, who knows whom it protects."""

LOOKS = ("look_explain", "look_track", "look_map", "look_person", "export", "evidence", "break_glass")
"""Kinds of entries of the audit that say that somebody saw something."""

WORDS = "（文字说明 in words）"
"""In place of a purpose that is no code: what somebody typed may name another person."""

_CODE = re.compile(r"[a-z_]+")


class IdentityCheckError(ValueError):
    """The ID number typed is not the one on file, or there is none on file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShown:
    """The decision, and its conditions in words."""

    measure: str
    document_number: str
    version: int
    deciding_organ: str
    executing_organ: str
    valid_from: datetime
    valid_to: datetime
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactShown:
    """Somebody who is told; masked."""

    role: str
    name: str
    phone: str
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekShown:
    """Fixes of a local week, Monday to Sunday; ``goes_on``: the day on which they are deleted, if one is set."""

    begins_on: date
    fix_count: int
    goes_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertShown:
    """An alert that may be told. It says what the machine suspects, not what is."""

    opened_at: datetime
    kind: str
    state: str
    message_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookShown:
    """Somebody who saw something of this person."""

    at: datetime
    actor: str
    kind: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectView:
    """All of it. ``is_checked``: the name and the ID number are in clear, because the person showed their card."""

    subject_id: UUID
    alias: str
    birth_date: date
    is_checked: bool
    name: str | None
    id_number: str | None
    device_count: int
    orders: tuple[OrderShown, ...]
    contacts: tuple[ContactShown, ...]
    weeks: tuple[WeekShown, ...]
    alerts: tuple[AlertShown, ...]
    looks: tuple[LookShown, ...]
    look_count: int


def find_subject(connection: Connection, subject_id: UUID) -> int:
    """The number of a subject who is not sealed. Raises ``LookupError``, the same for one who is."""
    query = "SELECT subject_no FROM open_subject WHERE subject_id = :id"
    found: int | None = connection.execute(text(query), {"id": subject_id}).scalar_one_or_none()
    if found is None:
        raise LookupError("没有这个对象 / there is no such subject")
    return found


def view_subject(
    connection: Connection,
    keyring: Keyring,
    subject_no: int,
    *,
    id_number: str | None,
    keep_days: int | None,
    with_words: bool,
    most_looks: int,
) -> SubjectView:
    """Everything that the person may see. ``id_number``: as read from their card; without one their own is masked.

    Raises :class:`IdentityCheckError`.
    """
    values = {"no": subject_no}
    row = connection.execute(
        text(
            "SELECT subject_id, alias, birth_date, (SELECT count(*) FROM device d WHERE d.subject_no = s.subject_no"
            " AND revoked_at IS NULL) AS device_count FROM subject s WHERE subject_no = :no"
        ),
        values,
    ).one()
    texts = identity_of(connection, keyring, subject_no=subject_no).texts
    if id_number is not None:
        _check_identity(texts.get("id_number"), id_number)
    name, number = texts.get("name"), texts.get("id_number")
    if id_number is None:
        name = None if name is None else masked_name(name)
        number = None if number is None else masked_id_number(number)
    looks, look_count = _looks(connection, subject_no, with_words=with_words, most=most_looks)
    return SubjectView(
        subject_id=row.subject_id,
        alias=row.alias,
        birth_date=row.birth_date,
        is_checked=id_number is not None,
        name=name,
        id_number=number,
        device_count=row.device_count,
        orders=_orders(connection, subject_no),
        contacts=_contacts(connection, keyring, subject_no),
        weeks=_weeks(connection, subject_no, keep_days),
        alerts=_alerts(connection, subject_no),
        looks=looks,
        look_count=look_count,
    )


def _check_identity(stored: str | None, typed: str) -> None:
    if stored is None:
        raise IdentityCheckError("未登记身份证号，无法核对 / there is no ID number on file to compare with")
    if normal_id_number(typed) != stored:
        raise IdentityCheckError("与登记的身份证号不符 / not the ID number on file")


def _orders(connection: Connection, subject_no: int) -> tuple[OrderShown, ...]:
    rows = connection.execute(
        text("SELECT * FROM supervision_order WHERE subject_no = :no AND superseded_at IS NULL ORDER BY valid_from"),
        {"no": subject_no},
    ).all()
    return tuple(
        OrderShown(
            measure=f"{MEASURE_NAMES_ZH[Measure(row.measure)]} {row.measure}",
            document_number=row.document_number,
            version=row.version,
            deciding_organ=row.deciding_organ,
            executing_organ=row.executing_organ,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            conditions=_conditions(connection, row.order_no),
        )
        for row in rows
    )


def _conditions(connection: Connection, order_no: int) -> tuple[str, ...]:
    rows = connection.execute(
        text(
            "SELECT c.kind, c.categories, (SELECT name FROM zone z WHERE z.zone_id = c.zone_id ORDER BY version DESC"
            " LIMIT 1) AS area FROM condition c WHERE order_no = :order_no ORDER BY condition_no"
        ),
        {"order_no": order_no},
    )
    return tuple(dict.fromkeys(_condition(row) for row in rows))


def _condition(row: Any) -> str:
    """An exclusion zone is named by its kind only, however many there are: where it is, is in the decision."""
    kind = ConditionKind(row.kind)
    words = f"{CONDITION_NAMES_ZH[kind]} {kind}"
    if kind is ConditionKind.EXCLUDED_CATEGORIES:
        return f"{words}：{'、'.join(sorted(_category(item) for item in row.categories))}"
    if kind is ConditionKind.STAY_WITHIN_AREA:
        return f"{words}：{row.area}"
    return f"{words}：见决定书 see the decision"


def _category(value: str) -> str:
    known = VenueCategory(value) if value in set(VenueCategory) else SiteCategory(value)
    return CATEGORY_NAMES_ZH[known]


def _contacts(connection: Connection, keyring: Keyring, subject_no: int) -> tuple[ContactShown, ...]:
    rows = connection.execute(
        text("SELECT * FROM recipient WHERE subject_no = :no ORDER BY role, rank, recipient_id"), {"no": subject_no}
    )

    def opened(row: Any, column: str) -> str:
        place = {"key_id": row.key_id, "table": "recipient", "column": column, "row_id": row.recipient_id}
        return open_field(keyring, getattr(row, column), **place)

    return tuple(
        ContactShown(
            role=row.role,
            name=masked_name(opened(row, "name")),
            phone=masked_phone(opened(row, "phone")),
            is_told=not row.is_blocked,
        )
        for row in rows
    )


def _weeks(connection: Connection, subject_no: int, keep_days: int | None) -> tuple[WeekShown, ...]:
    rows = connection.execute(
        text(
            "SELECT date_trunc('week', fixed_at AT TIME ZONE 'Asia/Shanghai')::date AS begins_on, count(*) AS fix_count"
            " FROM fix WHERE subject_no = :no GROUP BY 1 ORDER BY 1"
        ),
        {"no": subject_no},
    )
    # A partition ends on Monday 00:00 UTC, which is Monday 08:00 there: the last fix goes a week later at most.
    life = None if keep_days is None else timedelta(days=7 + keep_days + 7)
    return tuple(
        WeekShown(
            begins_on=row.begins_on, fix_count=row.fix_count, goes_on=None if life is None else row.begins_on + life
        )
        for row in rows
    )


def _alerts(connection: Connection, subject_no: int) -> tuple[AlertShown, ...]:
    rows = connection.execute(
        text(
            "SELECT opened_at, kind, state, (SELECT count(*) FROM notification n WHERE n.alert_id = a.alert_id"
            " AND n.state IN ('sent', 'delivered')) AS message_count FROM alert a WHERE subject_no = :no"
            " AND kind = ANY (:told) AND NOT EXISTS (SELECT FROM alert_violation JOIN violation v USING (violation_id)"
            " WHERE alert_id = a.alert_id AND v.kind <> ALL (:told)) ORDER BY opened_at, alert_id"
        ),
        {"no": subject_no, "told": [str(kind) for kind in TOLD_KINDS]},
    )
    return tuple(
        AlertShown(
            opened_at=row.opened_at,
            kind=f"{CONDITION_NAMES_ZH[ConditionKind(row.kind)]} {row.kind}",
            state=row.state,
            message_count=row.message_count,
        )
        for row in rows
    )


def _looks(
    connection: Connection, subject_no: int, *, with_words: bool, most: int
) -> tuple[tuple[LookShown, ...], int]:
    values = {"no": subject_no, "kinds": list(LOOKS), "most": most}
    where = "FROM audit_entry WHERE subject_no = :no AND kind = ANY (:kinds)"
    count: int = connection.execute(text(f"SELECT count(*) {where}"), values).scalar_one()
    rows = connection.execute(
        text(f"SELECT at, actor, kind, purpose {where} ORDER BY position DESC LIMIT :most"), values
    ).all()
    shown = tuple(
        LookShown(
            at=row.at,
            actor=row.actor,
            kind=row.kind,
            purpose=row.purpose if with_words or _CODE.fullmatch(row.purpose) else WORDS,
        )
        for row in reversed(rows)
    )
    return shown, count
