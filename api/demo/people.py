"""Ten synthetic people under orders, with the conditions, guardians and officers that the demo needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from shapely.geometry import Point, Polygon

from api.demo.city import SHANGHAI, City
from tracking.order import ConditionKind, Measure
from venues.category import VenueCategory

BAR_AT_2213 = "小丽"
PAST_THE_BAR_LANE = "小航"
KTV_IN_THE_MALL = "小蕊"
HOME_BESIDE_A_BAR = "周某"
THREE_MINUTES_ONLINE = "小凯"
OUT_OF_THE_CITY = "郑某"
EIGHTEEN_LAST_WEEK = "小川"
AT_HOME_UNDER_SURVEILLANCE = "吴某"
IN_THE_DRAWN_ZONE = "小敏"
FIRST_GUARDIAN_BLOCKED = "小泽"
"""Aliases, named for what each person does that evening (see :mod:`api.demo.evening`)."""

FORBIDDEN_TO_MINORS = (VenueCategory.BAR, VenueCategory.KTV, VenueCategory.INTERNET_CAFE)
ZONE_GATE = "site/zhongxue-3/gate-student"
ZONE_LABEL = "被害人学校门口（保密）"
ZONE_RADIUS_M = 120.0
PROCURATORATE = "云泽市人民检察院（合成）"
POLICE = "云泽市公安局（合成）"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGuardian:
    """Someone who would be told; never when ``is_blocked`` (a suspect in the same case, an abuser)."""

    name: str
    phone: str
    """11 digits from 138 0000 01xx; nobody's."""
    relation: str
    is_blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOfficer:
    """The officer who answers for the case."""

    name: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCondition:
    """One item of an order; which fields are set depends on ``kind``."""

    kind: ConditionKind
    label: str
    """What an officer reads; not to be shown to subject or guardian when ``is_protected``."""
    categories: tuple[VenueCategory, ...] = ()
    geometry: Polygon | Point | None = None
    """WGS-84; a point is the centre of a circle."""
    radius_m: float | None = None
    is_protected: bool = False
    """A protected person is there: neither subject nor family hears anything of it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """One synthetic subject with the one order in force on the demo evening."""

    alias: str
    birth_date: date
    measure: Measure
    document_number: str
    deciding_organ: str
    executing_organ: str
    order_starts_at: datetime
    """Aware, Asia/Shanghai, inclusive."""
    order_ends_at: datetime
    """Aware, Asia/Shanghai, exclusive."""
    guardians: tuple[DemoGuardian, ...] = field(default=())
    """In the order in which they would be told."""
    officer: DemoOfficer
    conditions: tuple[DemoCondition, ...]


def build_people(city: City) -> tuple[DemoPerson, ...]:
    """All ten: six minors (five on conditional non-prosecution, one on bail), one just of age, three adults."""
    in_city = _stay_within(city.city_boundary, f"未经批准不得离开{city.name}")
    in_estate = _stay_within(city.residence_boundary, "未经批准不得离开执行监视居住的处所：锦湖小区")
    return (
        _on_conditional(
            BAR_AT_2213, date(2009, 5, 14), 12, [_guardian("小丽父亲", 1), _guardian("小丽母亲", 2, "母亲")]
        ),
        _on_conditional(PAST_THE_BAR_LANE, date(2008, 11, 2), 15, [_guardian("小航母亲", 3, "母亲")]),
        _on_conditional(KTV_IN_THE_MALL, date(2009, 9, 27), 16, [_guardian("小蕊父亲", 4)]),
        _on_bail(HOME_BESIDE_A_BAR, date(1987, 6, 30), 31, (in_city, _excluded((VenueCategory.BAR,)))),
        _on_conditional(THREE_MINUTES_ONLINE, date(2010, 1, 8), 18, [_guardian("小凯祖母", 5, "祖母")]),
        _on_bail(OUT_OF_THE_CITY, date(1979, 2, 11), 32, (in_city,)),
        _on_conditional(EIGHTEEN_LAST_WEEK, date(2008, 3, 13), 9, [_guardian("小川父亲", 6)]),
        _under_surveillance(AT_HOME_UNDER_SURVEILLANCE, date(1992, 10, 19), 4, (in_estate,)),
        _on_bail(
            IN_THE_DRAWN_ZONE,
            date(2008, 8, 21),
            35,
            (in_city, _drawn_zone(city)),
            [_guardian("小敏母亲", 7, "母亲")],
        ),
        _on_conditional(
            FIRST_GUARDIAN_BLOCKED,
            date(2009, 12, 5),
            20,
            [_guardian("小泽父亲", 8, is_blocked=True), _guardian("小泽姑姑", 9, "姑姑")],
        ),
    )


def _guardian(name: str, number: int, relation: str = "父亲", *, is_blocked: bool = False) -> DemoGuardian:
    return DemoGuardian(
        name=f"{name}（合成）",
        phone=f"138000001{number:02d}",
        relation=relation,
        is_blocked=is_blocked,
    )


def _on_conditional(alias: str, born: date, number: int, guardians: Sequence[DemoGuardian]) -> DemoPerson:
    """Conditional non-prosecution, executed by the procuratorate itself, eight months from October 2025."""
    return DemoPerson(
        alias=alias,
        birth_date=born,
        measure=Measure.CONDITIONAL_NON_PROSECUTION,
        document_number=f"云泽检未检附不诉〔2025〕{number}号（合成）",
        deciding_organ=PROCURATORATE,
        executing_organ=PROCURATORATE,
        order_starts_at=datetime(2025, 10, 9, tzinfo=SHANGHAI),
        order_ends_at=datetime(2026, 6, 9, tzinfo=SHANGHAI),
        guardians=tuple(guardians),
        officer=DemoOfficer(name="陈检察官（合成）", phone="13800000181"),
        conditions=(_excluded(FORBIDDEN_TO_MINORS),),
    )


def _on_bail(
    alias: str,
    born: date,
    number: int,
    conditions: tuple[DemoCondition, ...],
    guardians: Sequence[DemoGuardian] = (),
) -> DemoPerson:
    """Bail decided and executed by the police, twelve months from January 2026."""
    return DemoPerson(
        alias=alias,
        birth_date=born,
        measure=Measure.BAIL,
        document_number=f"云泽公（刑）取保字〔2026〕{number}号（合成）",
        deciding_organ=POLICE,
        executing_organ="云泽市公安局解放路派出所（合成）",
        order_starts_at=datetime(2026, 1, 12, tzinfo=SHANGHAI),
        order_ends_at=datetime(2027, 1, 12, tzinfo=SHANGHAI),
        guardians=tuple(guardians),
        officer=DemoOfficer(name="孙警官（合成）", phone="13800000182"),
        conditions=conditions,
    )


def _under_surveillance(alias: str, born: date, number: int, conditions: tuple[DemoCondition, ...]) -> DemoPerson:
    """Residential surveillance at home, six months from February 2026."""
    return DemoPerson(
        alias=alias,
        birth_date=born,
        measure=Measure.RESIDENTIAL_SURVEILLANCE,
        document_number=f"云泽公（刑）监居字〔2026〕{number}号（合成）",
        deciding_organ=POLICE,
        executing_organ="云泽市公安局黄河路派出所（合成）",
        order_starts_at=datetime(2026, 2, 2, tzinfo=SHANGHAI),
        order_ends_at=datetime(2026, 8, 2, tzinfo=SHANGHAI),
        officer=DemoOfficer(name="马警官（合成）", phone="13800000183"),
        conditions=conditions,
    )


def _excluded(categories: tuple[VenueCategory, ...]) -> DemoCondition:
    return DemoCondition(kind=ConditionKind.EXCLUDED_CATEGORIES, label="不得进入特定场所", categories=categories)


def _stay_within(area: Polygon, label: str) -> DemoCondition:
    return DemoCondition(kind=ConditionKind.STAY_WITHIN_AREA, label=label, geometry=area)


def _drawn_zone(city: City) -> DemoCondition:
    """A circle that a supervisor drew round a school gate because the victim goes there: its label is protected."""
    return DemoCondition(
        kind=ConditionKind.EXCLUSION_ZONE,
        label=ZONE_LABEL,
        geometry=city.gate(ZONE_GATE).point,
        radius_m=ZONE_RADIUS_M,
        is_protected=True,
    )
