"""A case file: subjects with their order, conditions and recipients. Its form, and the JSON of it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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

from alerts.alert import FAMILY_ROLES, Block, Role
from alerts.channel import Channel
from api.case_faults import Fault, faults_of, reason_of
from api.condition_parameters import checked_parameters
from api.files.text import is_damaged, shown
from api.ids import subject_id_for
from api.personal.blind_index import normal_phone
from api.personal.resident_id import check_resident_id
from geo.geojson import shape_from_geojson
from geo.shapes import ShapeError, check_shape
from tracking.age import birthday
from tracking.calendar import local_day
from tracking.order import ConditionKind, LocationBasis, Measure, Organ
from tracking.timetable_json import timetable_from_json
from venues.category import SiteCategory, VenueCategory
from venues.place import Rejected

LEAST_AGE = 12
"""Below it nobody answers for anything (刑法 17)."""

_ORGAN_WORDS = {
    "检察院": Organ.PROCURATORATE,
    "法院": Organ.COURT,
    **dict.fromkeys(("公安", "派出所", "国家安全", "海警", "监狱", "保卫部门"), Organ.POLICE),
}
"""Those that have the powers of the police count as police (刑诉法 4, 308)."""


EMAIL = r"^[^@\s]+@[^@\s]+$"


def _normal(phone: Any) -> Any:
    return normal_phone(phone) if isinstance(phone, str) else phone


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


NEEDS_PLACE = frozenset(
    {
        ConditionKind.EXCLUSION_ZONE,
        ConditionKind.STAY_WITHIN_AREA,
        ConditionKind.STAY_AT_PLACE,
        ConditionKind.CURFEW,
    }
)
MAY_HAVE_PLACE = NEEDS_PLACE | {ConditionKind.CHECK_IN, ConditionKind.SPOT_CHECK}
NEEDS_TIMETABLE = frozenset({ConditionKind.CURFEW, ConditionKind.CHECK_IN, ConditionKind.SPOT_CHECK})


class ConditionIn(_Strict):
    """A condition. A zone is drawn here (``geometry``, WGS-84 GeoJSON) or named (``zone_source`` and ``zone``).

    ``timetable``: when it binds (``tracking.timetable_json``). ``parameters``: what only its kind has
    (``api.condition_parameters``); ``no_contact`` names the other subject here by ``other_reference``.
    """

    kind: ConditionKind
    categories: list[VenueCategory | SiteCategory] = []
    geometry: dict[str, Any] | None = None
    radius_m: float | None = None
    zone_source: str | None = Field(None, description="e.g. `boundary:china_county`")
    zone: str | None = Field(None, description="the zone's id in that source")
    label: str = ""
    tolerance_m: float = Field(0.0, ge=0)
    timetable: dict[str, Any] | None = None
    parameters: dict[str, Any] = {}
    reason_code: Annotated[str, Field(min_length=1)] | None = None
    is_protected: bool = Field(False, description="the zone of a protected person, told to no subject and no guardian")

    @property
    def names_place(self) -> bool:
        """Whether it has a zone."""
        return self.geometry is not None or (self.zone is not None and self.zone_source is not None)

    @field_validator("timetable")
    @classmethod
    def _is_a_timetable(cls, content: dict[str, Any] | None) -> dict[str, Any] | None:
        if content is not None:
            timetable_from_json(content)
        return content

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Self:
        if self.kind is ConditionKind.EXCLUDED_CATEGORIES:
            if not self.categories:
                raise ValueError("categories 不能为空 / categories must name at least one category")
        elif self.kind in NEEDS_PLACE and not self.names_place:
            raise ValueError("需要 geometry，或 zone_source 与 zone / give a geometry, or zone_source and zone")
        if self.names_place and self.kind not in MAY_HAVE_PLACE:
            raise ValueError(f"{self.kind} 不针对一个地点 / is not about one place: no geometry, no zone")
        if self.kind in NEEDS_TIMETABLE and self.timetable is None:
            raise ValueError(f"{self.kind} 需要 timetable（时段）/ needs a timetable")
        return self

    @model_validator(mode="after")
    def _has_its_parameters(self) -> Self:
        content = dict(self.parameters)
        if self.kind is ConditionKind.NO_CONTACT and "other_reference" in content:
            content["other_subject_id"] = str(subject_id_for(str(content.pop("other_reference"))))
        try:
            self.parameters = checked_parameters(self.kind, content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(f"parameters.{'.'.join(map(str, first['loc']))}：{reason_of(first)}") from None
        return self


class RecipientIn(_Strict):
    """Someone who may be told."""

    role: Role
    name: Annotated[str, Field(min_length=1)]
    phone: Annotated[
        str, BeforeValidator(_normal), Field(pattern=r"^1[3-9]\d{9}$", description="mainland mobile number")
    ]
    rank: int = Field(1, ge=1)
    is_blocked: bool | None = Field(
        None, description="told nothing; without it a person who is known stays as an officer left them"
    )
    blocked_for: Literal[Block.SUSPECT, Block.ABUSER, Block.OTHER] | None = Field(
        None, description="why: suspected of harming the child or of the same case, has harmed it, other"
    )

    language: Literal["zh", "en"] = "zh"
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=4)] = (Channel.SMS,)
    email: Annotated[str, Field(pattern=EMAIL, max_length=200)] | None = None
    unit: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="of an officer: the organ, as orders name it; another unit's case is not told"
    )

    @model_validator(mode="after")
    def _can_be_reached_as_it_says(self) -> Self:
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("channels 重复 / a channel is named twice")
        if Channel.EMAIL in self.channels and self.email is None:
            raise ValueError("channels 有邮件（email），须填 email 地址 / the channel email needs an address")
        if self.unit is not None and self.role in FAMILY_ROLES:
            raise ValueError("unit 只用于办案人员，家属请留空 / only officers have a unit")
        return self

    @model_validator(mode="after")
    def _is_blocked_for_a_reason(self) -> Self:
        if self.blocked_for is not None and self.is_blocked is False:
            raise ValueError(
                "is_blocked 为否时不应填 blocked_for / blocked_for says why somebody is blocked, and is_blocked says no"
            )
        self.is_blocked = True if self.blocked_for is not None else self.is_blocked
        return self


class ConsentIn(_Strict):
    """The written consent to being located; ``by``: 本人, 监护人, 本人和监护人."""

    signed_at: AwareDatetime
    document: Annotated[str, Field(min_length=1)]
    by: Annotated[str, Field(min_length=1)]


class CaseIn(_Strict):
    """One subject with the order in force. ``reference`` identifies the subject in this office and in track files."""

    reference: Annotated[str, Field(min_length=1)]
    alias: Annotated[str, Field(min_length=1, max_length=10, description="what an SMS may carry: never the full name")]
    birth_date: date
    name: Annotated[str, Field(min_length=1)] | None = None
    measure: Measure
    document_number: Annotated[str, Field(min_length=1)]
    deciding_organ: str
    executing_organ: Annotated[str, Field(min_length=1)]
    stage: Organ | None = Field(None, description="which organ decided; without it, told by the deciding organ's name")
    legal_basis: list[str] = []
    location_basis: LocationBasis | None = Field(
        None, description="why the person may be located; without it the order is on file and nothing is tracked"
    )
    consent: ConsentIn | None = None
    valid_from: AwareDatetime
    valid_to: AwareDatetime
    review_at: AwareDatetime | None = None
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

    @model_validator(mode="after")
    def _has_what_its_basis_needs(self) -> Self:
        if self.location_basis is LocationBasis.CONSENT and self.consent is None:
            raise ValueError(
                "定位依据（location_basis）为书面同意（consent）时，须填同意日期、同意书、同意人"
                " / a consent needs its record: signed_at, document, by"
            )
        is_statute = self.location_basis is LocationBasis.STATUTE_78
        if is_statute and self.measure is not Measure.RESIDENTIAL_SURVEILLANCE:
            raise ValueError(
                "定位依据（location_basis）刑诉法 78 只适用于监视居住，其他措施须有书面同意或决定书列明"
                " / article 78 covers residential surveillance only: name a consent or an item of the order"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRead:
    """The good cases of a file, each with its line or number, and what is wrong with the others.

    ``notes``: what a person should know although nothing was refused for it.
    """

    cases: tuple[CaseIn, ...]
    rejected: tuple[Rejected, ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()


def read_cases(path: Path) -> CasesRead:
    """Read ``{"cases": [...]}``. A bad case is rejected with its fields; the others are taken. Raises ValueError."""
    return check_cases(enumerate(case_items(path), start=1))


def case_items(path: Path) -> list[Any]:
    """The cases of a JSON file as they are written. Raises ValueError for what is no case file."""
    return cases_in_json(path.read_bytes(), name=path.name)


def cases_in_json(written: bytes, *, name: str) -> list[Any]:
    """The same of the content of a file, which messages call by its name; a plain list of cases is one too."""
    try:
        content = json.loads(written.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{name}：第 {error.lineno} 行第 {error.colno} 列不是 JSON / no JSON at line {error.lineno}, "
            f"column {error.colno}: {error.msg}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}：不是 UTF-8，请另存为 UTF-8 / is not UTF-8: save it again as UTF-8") from error
    except RecursionError as error:
        raise ValueError(f"{name}：嵌套太深 / is nested too deep") from error
    items = content.get("cases") if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise ValueError(f'{name}：文件应为 {{"cases": [...]}} / the file must hold {{"cases": [...]}}')
    return items


def check_cases(items: Iterable[tuple[int, Any]]) -> CasesRead:
    """Cases as JSON would hold them, each with the line or number that a rejection names."""
    cases: list[CaseIn] = []
    lines: list[int] = []
    rejected: list[Rejected] = []
    for number, item in items:
        case, faults = check_case(item)
        if case is not None:
            cases.append(case)
            lines.append(number)
        reference = shown(str(item.get("reference", ""))) if isinstance(item, dict) else ""
        rejected += [
            Rejected(line=number, reference=reference, field=fault.field, value=fault.value, reason=fault.reason)
            for fault in faults
        ]
    return CasesRead(cases=tuple(cases), rejected=tuple(rejected), lines=tuple(lines))


def check_case(item: Any) -> tuple[CaseIn | None, tuple[Fault, ...]]:
    """A case that can be registered, or everything that is wrong with it."""
    if unstorable := tuple(_faults_of_letters(item)):
        return None, unstorable
    try:
        case = CaseIn.model_validate(item)
    except ValidationError as error:
        return None, faults_of(error)
    faults = [*_faults_of_zones(case), *_faults_of_people(case)]
    return (None, tuple(faults)) if faults else (case, ())


def _faults_of_letters(item: Any) -> Iterator[Fault]:
    """Each text that no database holds. Never quoted: it may be a name."""
    reason = "含有无法保存的字符，请删去 / has a character that cannot be stored: remove it"
    left: list[tuple[str, Any]] = [("", item)]
    while left:
        field, value = left.pop()
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        named = [(str(key), held) for key, held in inside]
        left += [(f"{field}.{shown(key)}".removeprefix("."), held) for key, held in reversed(named)]
        if is_damaged(value if isinstance(value, str) else "".join(key for key, _ in named)):
            yield Fault(field=field, value="", reason=reason)


def _faults_of_zones(case: CaseIn) -> Iterable[Fault]:
    for number, condition in enumerate(case.conditions):
        if condition.geometry is not None:
            try:
                check_shape(shape_from_geojson(condition.geometry, radius_m=condition.radius_m))
            except ShapeError as error:
                yield Fault(field=f"conditions.{number}.geometry", value="", reason=f"区域有误 / {error}")


def _faults_of_people(case: CaseIn) -> Iterable[Fault]:
    known: dict[tuple[Role, str], RecipientIn] = {}
    for number, recipient in enumerate(case.recipients):
        if known.setdefault((recipient.role, recipient.phone), recipient) != recipient:
            yield Fault(
                field=f"recipients.{number}.name",
                value="",
                reason="同一通知对象（身份、手机相同）两处内容不一致，请改成一致或只留一处"
                " / the same recipient twice, and not alike: make them equal, or leave one",
            )
    if stage_of(case) is None:
        yield Fault(
            field="deciding_organ",
            value=case.deciding_organ,
            reason="不知是公安机关、人民检察院还是人民法院：请写全称，或在 stage 注明"
            " / it is not clear which organ this is: write its full name, or say in stage which (police, procuratorate,"
            " court)",
        )
    if local_day(case.valid_from) < birthday(case.birth_date, LEAST_AGE):
        yield Fault(
            field="birth_date",
            value=case.birth_date.isoformat(),
            reason=f"决定时未满 {LEAST_AGE} 周岁，不负刑事责任（刑法 17），请核对年份"
            f" / younger than {LEAST_AGE} when the order begins, the age of criminal responsibility: check the year",
        )


def stage_of(case: CaseIn) -> Organ | None:
    """The organ that decided: as stated, or as its name says; ``None`` if neither does."""
    if case.stage is not None:
        return case.stage
    return next((organ for word, organ in _ORGAN_WORDS.items() if word in case.deciding_organ), None)
