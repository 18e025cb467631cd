"""What one register said about one place at one time: never changed, known by its content. Pure.

A register that says something else later gives another record of the same key. Numbers that are not what their
column says are set aside and told, and take no part in matching; the register's own must be right, or it is no record.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from venues.calendar_day import parse_day
from venues.category import VenueCategory
from venues.licence import LicenceError, check_culture_licence, check_phone, check_tobacco_licence, check_uscc
from venues.opening_hours import check_opening_hours
from venues.place import SourceKey


class SourceKind(StrEnum):
    """What kind of register a record is from; the values are stored."""

    BUSINESS_REGISTRATION = "business_registration"  # 市场主体登记
    POI = "poi"  # 地图兴趣点
    TOBACCO_LICENCE = "tobacco_licence"  # 烟草专卖零售许可证
    CULTURE_LICENCE = "culture_licence"  # 文化经营许可
    POLICE = "police"  # 公安场所登记


SOURCE_KIND_NAMES_ZH: dict[SourceKind, str] = {
    SourceKind.BUSINESS_REGISTRATION: "市场主体登记",
    SourceKind.POI: "地图兴趣点",
    SourceKind.TOBACCO_LICENCE: "烟草零售许可",
    SourceKind.CULTURE_LICENCE: "文化经营许可",
    SourceKind.POLICE: "公安登记",
}

LICENCE_FIELDS: dict[str, Callable[[str], str]] = {
    "uscc": check_uscc,
    "tobacco_licence": check_tobacco_licence,
    "culture_licence": check_culture_licence,
}
"""Fields that name a business for certain, each with its check. Two values of one of them are two businesses."""

OWN_NUMBER: dict[SourceKind, str] = {
    SourceKind.BUSINESS_REGISTRATION: "uscc",
    SourceKind.TOBACCO_LICENCE: "tobacco_licence",
    SourceKind.CULTURE_LICENCE: "culture_licence",
}
"""Without this number a row of the register is no record."""

_END_FIELDS = ("valid_to", "revoked_on", "deregistered_on")
_LICENCES = (SourceKind.TOBACCO_LICENCE, SourceKind.CULTURE_LICENCE)
_FOR_GOOD = {"长期", "永久", "长期有效", "至今"}
_PHONE_SEPARATORS = str.maketrans("；、/|,，", ";;;;;;")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One record. Longitude and latitude are WGS-84 degrees, both or neither; days are calendar days in China."""

    key: SourceKey
    kind: SourceKind
    sent: tuple[tuple[str, str], ...]
    """Every field as the register has it but telephone numbers, by name, sorted: what the hash is taken of."""
    name: str
    address: str = ""
    longitude: float | None = None
    latitude: float | None = None
    category: VenueCategory | None = None
    """As the register has it; what was seen on site is another field of the venue."""
    is_other_trade: bool = False
    """The mapping knows what the register calls it, and it is nothing to Hulan (a restaurant)."""
    category_text: str = ""
    uscc: str = ""
    tobacco_licence: str = ""
    culture_licence: str = ""
    phones: tuple[str, ...] = ()
    """What equal numbers are told by: E.164 as read, in the order sent; keyed hashes (hex) as kept by the register."""
    valid_from: date | None = None
    """First day of the registration or licence."""
    valid_to: date | None = None
    """Last day: the earliest of expiry, revocation and deregistration; ``None`` if it goes on."""
    ended_on: date | None = None
    """Last day of the business, by revocation (吊销) or deregistration (注销). A licence or term (营业期限) that only
    ran out ends none: the shop may trade without."""
    opening_hours: str = ""
    """In OpenStreetMap's form (``venues.opening_hours``)."""
    host_key: SourceKey | None = None
    """The venue that this one is inside of: a hotel's bar, KTV or sauna. As a register names that venue."""
    set_aside: tuple[str, ...] = ()
    """Fields whose value was sent and is not what the field says."""

    content_hash: str = field(init=False, compare=False, repr=False)
    """SHA-256 (hex) of kind, key and everything sent. Equal content, equal hash, whatever the order of columns."""
    record_id: UUID = field(init=False, compare=False, repr=False)
    """Derived from the content, so that reading the same file again makes no second record (UUID version 8)."""

    def is_over(self, day: date) -> bool:
        """Whether the business was revoked or deregistered before ``day``; its last day is one on which it is open."""
        return self.ended_on is not None and self.ended_on < day

    def __post_init__(self) -> None:
        """Hash once: an import and a resolving of 77,000 records ask for it half a dozen times each."""
        content = [self.kind, self.key.source, self.key.source_id, self.sent]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(text.encode())
        object.__setattr__(self, "content_hash", digest.hexdigest())
        object.__setattr__(self, "record_id", UUID(bytes=_as_version_8(digest.digest()[:16])))


def read_source_record(
    sent: Mapping[str, str],
    *,
    key: SourceKey,
    kind: SourceKind,
    longitude: float | None = None,
    latitude: float | None = None,
    category: VenueCategory | None = None,
    is_other_trade: bool = False,
    kept_phones: tuple[str, ...] = (),
) -> tuple[SourceRecord, tuple[LicenceError, ...]]:
    """The record of one row, and what had to be set aside.

    ``sent`` has the row's cells by field: ``name``, ``address``, ``category``, ``uscc``, ``tobacco_licence``,
    ``culture_licence``, ``phone`` (several with ; between), ``valid_from``, ``valid_to``, ``revoked_on``,
    ``deregistered_on`` (days), ``opening_hours``, ``host_id`` with ``host_source`` (this register, if blank), and any
    others, which are kept and hashed. Longitude and latitude are WGS-84 degrees; as the register has them they are in
    ``sent``. ``kept_phones``: of a record that the register kept.

    Raises LicenceError if the register's own number, the name or a licence's day is wrong, or one coordinate is there
    alone: a business whose founding day is mistyped is there all the same.
    """
    cells = {field: text.strip() for field, text in sent.items()}
    _check_form(cells, kind=kind, longitude=longitude, latitude=latitude)
    problems: list[LicenceError] = []
    numbers = {field: _checked(cells, field, kind, problems) for field in LICENCE_FIELDS}
    expires_on, *over_on = (_day(cells, field, kind, problems) for field in _END_FIELDS)
    ended_on = _earliest(over_on)
    record = SourceRecord(
        key=key,
        kind=kind,
        sent=tuple(sorted((field, text) for field, text in sent.items() if field != "phone")),
        name=cells["name"],
        address=cells.get("address", ""),
        longitude=longitude,
        latitude=latitude,
        category=category,
        is_other_trade=is_other_trade,
        category_text=cells.get("category", ""),
        uscc=numbers["uscc"],
        tobacco_licence=numbers["tobacco_licence"],
        culture_licence=numbers["culture_licence"],
        phones=kept_phones or _phones(cells.get("phone", ""), problems),
        valid_from=_day(cells, "valid_from", kind, problems),
        valid_to=_earliest([expires_on, ended_on]),
        ended_on=ended_on,
        opening_hours=_hours(cells.get("opening_hours", ""), problems),
        host_key=host_of(cells, key),
        set_aside=tuple(sorted({problem.field for problem in problems})),
    )
    return record, tuple(problems)


def _check_form(cells: Mapping[str, str], *, kind: SourceKind, longitude: float | None, latitude: float | None) -> None:
    if not cells.get("name"):
        raise _refused("name", "", "名称为空，请补填", "no name: give the name of the place")
    own = OWN_NUMBER.get(kind)
    if own is not None and not cells.get(own):
        raise _refused(own, "", "本登记的编号为空，请补填", "the register's own number is missing: give it")
    values = [value for value in (longitude, latitude) if value is not None]
    if len(values) == 1 or not all(map(math.isfinite, values)):
        value = f"{longitude}, {latitude}"
        raise _refused("longitude", value, "经纬度须成对给出", "give both longitude and latitude, or neither")


def _checked(cells: Mapping[str, str], field: str, kind: SourceKind, problems: list[LicenceError]) -> str:
    text = cells.get(field, "")
    if not text:
        return ""
    try:
        return LICENCE_FIELDS[field](text)
    except LicenceError as problem:
        if OWN_NUMBER.get(kind) == field:
            raise
        problems.append(problem)
        return ""


def _phones(text: str, problems: list[LicenceError]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for part in text.translate(_PHONE_SEPARATORS).split(";"):
        if part.strip():
            try:
                found[check_phone(part)] = None
            except LicenceError as problem:
                problems.append(problem)
    return tuple(found)


def _hours(text: str, problems: list[LicenceError]) -> str:
    try:
        return check_opening_hours(text) if text else ""
    except LicenceError as problem:
        problems.append(problem)
        return ""


def host_of(cells: Mapping[str, str], own: SourceKey) -> SourceKey | None:
    """The venue that a row says it is inside of. Raises LicenceError if that is itself."""
    if not (host_id := cells.get("host_id", "")):
        return None
    host = SourceKey(source=cells.get("host_source", "") or own.source, source_id=host_id)
    if host == own:
        raise _refused(
            "host_id", host_id, "所在场所不能是自己，请改正", "a venue is not inside itself: name the other one"
        )
    return host


def _day(cells: Mapping[str, str], field: str, kind: SourceKind, problems: list[LicenceError]) -> date | None:
    text = cells.get(field, "")
    if not text:
        return None
    if field in _END_FIELDS and (text in _FOR_GOOD or text.startswith("9999")):
        return None
    try:
        return parse_day(text)
    except ValueError:
        problem = _refused(
            field, text, f"“{text}”不是日期，请写成 2026-11-22", f"{text!r} is no day: write it as 2026-11-22"
        )
    if kind in _LICENCES:
        raise problem
    problems.append(problem)
    return None


def _earliest(days: Iterable[date | None]) -> date | None:
    return min((day for day in days if day is not None), default=None)


def _refused(field: str, value: str, reason_zh: str, reason: str) -> LicenceError:
    return LicenceError(field=field, value=value, reason_zh=reason_zh, reason=reason)


def _as_version_8(raw: bytes) -> bytes:
    number = int.from_bytes(raw, "big")
    number &= ~(0xF << 76) & ~(0x3 << 62)
    return (number | 0x8 << 76 | 0x2 << 62).to_bytes(16, "big")
