"""Situations of orders, as lawyers write them in ``situations/*.toml``, run through the engines themselves.

Places are named; a track says who was where from when to when, by the clock of Asia/Shanghai, with a fix every two
minutes that is good to 10 metres unless it says ``±65``. What comes out is (kind, instant) in order of time.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from geo.shapes import Circle
from tests.make import BAR_LATITUDE
from tests.tracking.scene import Scene, a_scene, a_track, absence_of, exempt_zone_of, joined, longitude_at
from tests.tracking.school_terms import SCHOOL
from tracking.activation import Activation, activate
from tracking.allowances import Allowances
from tracking.calendar import WorkCalendar, read_calendar
from tracking.divisions import area_id
from tracking.episode import Violation
from tracking.fix import FixBatch
from tracking.gateway_calendar import load_calendar
from tracking.leave import Approval, Exemption, ExemptionKind, Leave, LeaveInForce, in_force
from tracking.local_time import LOCAL_TIME
from tracking.order import Condition, ConditionKind, Measure, Organ, SupervisionOrder
from tracking.priority import Ruling, claims_on, resolve
from tracking.quality import FixFlag
from tracking.timetable_json import timetable_from_json
from tracking.zone import Zone, ZoneKind, ZoneOrigin
from venues.category import VenueCategory

Row = Mapping[str, Any]
Found = list[tuple[str, datetime]]
FILES = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted(Path(__file__).with_name("situations").glob("*.toml"))
}
PLACES: Mapping[str, float] = FILES["00_places"]["places"]
"""Metres east of home."""
TABLES = ("track", "way", "device", "contact", "check_in", "spot", "clock", "term", "leave", "end", "age")
SHIPPED = load_calendar()
CALENDARS = {"shipped": SHIPPED, "none": WorkCalendar(), "school": SHIPPED.replaced_by(read_calendar(SCHOOL))}
_STAY = re.compile(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)–(\d\d:\d\d) (\S+)(?: ±(\d+))?( 模拟)?")


def _a_zone(number: int, name: str, said: Row) -> Zone:
    return Zone(
        zone_no=number, zone_id=UUID(int=number), version=1, kind=ZoneKind(said["kind"]), name=name,
        origin=ZoneOrigin(said.get("origin", "condition")),
        shape=Circle(longitude=longitude_at(PLACES[said["at"]]), latitude=BAR_LATITUDE, radius_m=said["radius_m"]),
        category=VenueCategory(said["category"]) if "category" in said else None,
    )  # fmt: skip


ZONES: dict[str, Zone] = {
    name: _a_zone(number, name, said) for number, (name, said) in enumerate(FILES["00_places"]["zones"].items(), 1)
}
CODES: dict[str, str] = {
    said["code"]: name for name, said in FILES["00_places"]["zones"].items() if "code" in said
}  # fmt: skip


def rows_of(table: str) -> list[Row]:
    """Every situation of a table, file after file."""
    return [row for content in FILES.values() for row in content.get(table, ())]


def local(words: str, day: str | None = None) -> datetime:
    """An instant by the clock of Asia/Shanghai, of the situation's day if it names none."""
    return datetime.fromisoformat(words if day is None or "-" in words else f"{day} {words}").replace(tzinfo=LOCAL_TIME)


def zone_of(said: Row) -> Zone | None:
    """The zone of a condition: of a district, under the policy, that of all districts of its city."""
    if "place" not in said:
        return None
    code = FILES["00_places"]["zones"][said["place"]].get("code")
    return ZONES[said["place"] if code is None else CODES[area_id(code, is_city_one_area="alone" not in said)]]


def conditions_of(said: Sequence[Row], *, first_no: int = 1) -> tuple[Condition, ...]:
    """As the order says them."""
    found = []
    for number, item in enumerate(said, start=first_no):
        zone = zone_of(item)
        found.append(
            Condition(
                condition_no=number, condition_id=UUID(int=number), kind=ConditionKind(item["kind"]),
                zone_no=None if zone is None else zone.zone_no,
                categories=frozenset(VenueCategory(name) for name in item.get("categories", ())),
                tolerance_m=item.get("tolerance_m", 0.0), is_protected=item.get("protected", False),
                timetable=timetable_from_json(item["timetable"]) if "timetable" in item else None,
                parameters={"is_city_one_area": False} if "alone" in item else {},
            )
        )  # fmt: skip
    return tuple(found)


def orders_of(row: Row) -> list[SupervisionOrder]:
    """The order in its versions: one, or two where it was varied."""
    starts, ends = row.get("order", ("2026-03-01 00:00", "2026-04-01 00:00"))
    first = SupervisionOrder(
        order_no=1, order_id=UUID(int=1), version=1, subject_no=1, measure=Measure(row["measure"]),
        document_number="合成〔2026〕1号", deciding_organ="合成", executing_organ="合成",
        valid_from=local(starts), valid_to=local(ends), conditions=conditions_of(row.get("conditions", ())),
        in_force_to=local(row["lifted"]) if "lifted" in row else None,
    )  # fmt: skip
    if "variation" not in row:
        return [first]
    said, from_at = row["variation"], local(row["variation"]["from"])
    later = conditions_of(said["conditions"], first_no=11)
    varied = SupervisionOrder(
        order_no=2, order_id=UUID(int=1), version=2, subject_no=1, measure=Measure(said.get("measure", first.measure)),
        document_number="合成〔2026〕2号", deciding_organ="合成", executing_organ="合成",
        valid_from=first.valid_from, valid_to=first.valid_to, conditions=later, in_force_from=from_at,
    )  # fmt: skip
    return [
        SupervisionOrder(
            **{name: getattr(first, name) for name in SupervisionOrder.__dataclass_fields__ if name != "in_force_to"},
            in_force_to=from_at,
        ),
        varied,
    ]


def activated(row: Row) -> Activation:
    """The order with its hours by the situation's calendar."""
    return activate(orders_of(row), calendar=CALENDARS[row.get("calendar", "shipped")])


def stays(row: Row, key: str = "track") -> list[tuple[datetime, datetime, str, float, bool]]:
    """From, to, place, accuracy in metres, whether mocked; until the next day if the end is not later."""
    found = []
    for words in row[key]:
        match = _STAY.fullmatch(words)
        assert match is not None, words
        on, starts, ends, place, accuracy, mocked = match.groups()
        first, last = local(f"{on or row['day']} {starts}"), local(f"{on or row['day']} {ends}")
        found.append(
            (
                first,
                last if last > first else last + timedelta(days=1),
                place,
                float(accuracy or 10),
                mocked is not None,
            )
        )
    return found


def track_of(row: Row, key: str = "track", *, step: float = 2.0, subject_no: int = 1) -> FixBatch:
    """A fix every ``step`` minutes of each stay; none where somebody is 失联."""
    batches = []
    for first, last, place, accuracy_m, is_mocked in stays(row, key):
        if place == "失联":
            continue
        count = int((last - first) / timedelta(minutes=step))
        start = (first - local("2026-03-20 22:00")) / timedelta(minutes=1)
        batches.append(
            a_track(
                start + step * np.arange(count), PLACES[place], accuracy_m=accuracy_m, subject_no=subject_no,
                flags=int(FixFlag.MOCK) if is_mocked else 0,
            )
        )  # fmt: skip
    return joined(*batches)


def a_leave(content: Row) -> Leave:
    """The application and its answers."""
    return Leave(
        leave_no=1, subject_no=1, reason=content.get("reason", "就医"), destination=content.get("destination", "外地"),
        route=content.get("route", "高速"), transport=content.get("transport", "汽车"),
        contact=content.get("contact", "有"), starts_at=local(content["from"]), ends_at=local(content["to"]),
        asked_at=local(content.get("asked", content["from"])),
        approvals=tuple(
            Approval(organ=Organ(organ), officer="合成", approved_at=local(at))
            for organ, at in content.get("approved", {}).items()
        ),
        is_urgent=content.get("urgent", False),
        **{f"{name}_at": local(content[name]) for name in ("papers", "returned", "withdrawn") if name in content},
    )  # fmt: skip


def leaves_of(row: Row) -> tuple[LeaveInForce, ...]:
    """As far as it frees: when all who must had approved, until it was over."""
    if "leave" not in row:
        return ()
    decided_by = Organ(row.get("decided_by", "procuratorate"))
    found = in_force(a_leave(row["leave"]), measure=Measure(row["measure"]), decided_by=decided_by)
    return () if found is None else (found,)


def exemptions_of(row: Row) -> tuple[Exemption, ...]:
    """``[place, from, to, kind]``."""
    if "exemption" not in row:
        return ()
    place, starts, ends, *kind = row["exemption"]
    return (
        Exemption(
            exemption_no=1, subject_no=1, kind=ExemptionKind(kind[0] if kind else "home"), zone_key=ZONES[place].key,
            approved_by="合成检察官", reason="合成", valid_from=local(starts), valid_to=local(ends),
        ),
    )  # fmt: skip


def scene_of(row: Row, orders: Sequence[SupervisionOrder]) -> Scene:
    """Rules, zones, leaves and exemptions compiled."""
    allowed = Allowances(
        absences=tuple(absence_of(item) for item in leaves_of(row)),
        exempt_zones=tuple(exempt_zone_of(item) for item in exemptions_of(row)),
    )
    return a_scene(*ZONES.values(), orders=orders, allowances=allowed)


def violations_of(row: Row) -> list[Violation]:
    """What the evaluator suspects on the situation's track."""
    found = scene_of(row, activated(row).orders).run(track_of(row)).violations
    return sorted(found, key=lambda item: (item.started_at, item.kind))


def ruling_of(row: Row) -> Ruling:
    """Which rule won at the place and instant that the situation names, of all of the order's conditions about it."""
    place = ZONES[row["ruling"]["place"]]
    claims = [
        claim
        for order in orders_of(row)
        for condition in order.conditions
        if condition.zone_no == place.zone_no or place.category in condition.categories
        for claim in claims_on(
            place, order=order, condition=condition, leaves=leaves_of(row), exemptions=exemptions_of(row)
        )
    ]
    return resolve(set(claims), at=local(row["ruling"]["at"], row["day"]))


def on_day(words: Any) -> date:
    """A date of TOML."""
    assert isinstance(words, date)
    return words


Runner = Callable[[Row], Found]
