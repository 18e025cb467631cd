"""Order situations as a lawyer would write them: ``situations.toml``, with the article of each.

Places are named; a track says who was where from when to when, by the clock of Asia/Shanghai, with a fix every two
minutes that is good to 10 metres. ``found``: the kind of condition and when its breach began, within six minutes.
"""

import re
import tomllib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from tests.tracking.scene import a_scene, a_track, a_zone, an_area, joined
from tracking.activation import activate
from tracking.allowances import Absence, Allowances, ExemptZone
from tracking.calendar import WorkCalendar
from tracking.fix import FixBatch
from tracking.gateway_calendar import load_calendar
from tracking.leave import Approval, Leave, approved_from, check_leave
from tracking.order import LOCAL_TIME, Condition, ConditionKind, Measure, Organ, Subject, SupervisionOrder
from tracking.rules import to_microseconds
from tracking.term_end import find_overdue_lifting, reminders
from tracking.terms import MeasureTerm, check_terms
from tracking.timetable_json import timetable_from_json
from tracking.zone import Zone
from venues.category import VenueCategory

CONTENT = tomllib.loads(Path(__file__).with_name("situations.toml").read_text(encoding="utf-8"))
SHIPPED = load_calendar()
TOLERANCE = timedelta(minutes=6)

HOME_M, SCHOOL_M, BAR_M, VICTIM_M, NEXT_DISTRICT_M, ELSEWHERE_M = 0.0, 1200.0, 2000.0, 3000.0, 6000.0, 15_000.0
EAST_M = {
    "家": HOME_M, "楼下酒吧": HOME_M, "学校": SCHOOL_M, "酒吧": BAR_M, "被害人住处": VICTIM_M, "邻区": NEXT_DISTRICT_M,
    "市界外100米": 8_100.0, "外地": ELSEWHERE_M,
}  # fmt: skip
"""Metres east of home of every place that a track may name."""

ZONES: dict[str, Zone] = {
    "家": an_area(1, radius_m=150.0),
    "本市": an_area(2, radius_m=8_000.0),
    "酒吧": a_zone(3, east_m=BAR_M),
    "楼下酒吧": a_zone(4, east_m=HOME_M),
    "被害人住处": a_zone(5, east_m=VICTIM_M, radius_m=100.0, category=None),
    "网吧": a_zone(6, east_m=SCHOOL_M, category=VenueCategory.INTERNET_CAFE),
}
"""Every place that a condition may name, and the venues that are there."""

_STAY = re.compile(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)–(\d\d:\d\d) (\S+)")


def rows(table: str) -> Sequence[Any]:
    return [pytest.param(row, id=row["name_en"]) for row in CONTENT[table]]


def local(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=LOCAL_TIME)


def stay(words: str, day: str) -> tuple[datetime, datetime, str]:
    """``21:00–22:00 家``, if need be with a date before it; until the next day if the end is not later."""
    match = _STAY.fullmatch(words)
    assert match is not None, words
    on, starts, ends, place = match.groups()
    first, last = local(f"{on or day} {starts}"), local(f"{on or day} {ends}")
    return first, last if last > first else last + timedelta(days=1), place


def track(situation: dict[str, Any]) -> FixBatch:
    batches = []
    for words in situation["track"]:
        first, last, place = stay(words, situation["day"])
        if place == "失联":
            continue
        count = (last - first) // timedelta(minutes=2)
        start = (first - local("2026-03-20 22:00")) / timedelta(minutes=1)
        batches.append(a_track(start + 2.0 * np.arange(count), EAST_M[place]))
    return joined(*batches)


def an_order(situation: dict[str, Any]) -> SupervisionOrder:
    conditions = tuple(
        Condition(
            condition_no=number,
            condition_id=UUID(int=number),
            kind=ConditionKind(item["kind"]),
            zone_no=ZONES[item["place"]].zone_no if "place" in item else None,
            categories=frozenset(VenueCategory(name) for name in item.get("categories", ())),
            tolerance_m=item.get("tolerance_m", 0.0),
            timetable=timetable_from_json(item["timetable"]) if "timetable" in item else None,
        )
        for number, item in enumerate(situation["conditions"], start=1)
    )
    starts, ends = situation.get("order", ("2026-03-01 00:00", "2026-04-01 00:00"))
    return SupervisionOrder(
        order_no=1, order_id=UUID(int=1), version=1, subject_no=1, measure=Measure(situation["measure"]),
        document_number="合成〔2026〕1号", deciding_organ="合成", executing_organ="合成",
        valid_from=local(starts), valid_to=local(ends), conditions=conditions,
        in_force_to=local(situation["lifted"]) if "lifted" in situation else None,
    )  # fmt: skip


def a_leave(content: dict[str, Any]) -> Leave:
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
        papers_at=local(content["papers"]) if "papers" in content else None,
        returned_at=local(content["returned"]) if "returned" in content else None,
    )  # fmt: skip


def allowances(situation: dict[str, Any], measure: Measure) -> Allowances:
    absences, exempt = [], []
    if "leave" in situation:
        leave = a_leave(situation["leave"])
        since = approved_from(leave, measure=measure, decided_by=Organ(situation.get("decided_by", "procuratorate")))
        if since is not None:
            starts, ends = max(since, leave.starts_at), min(leave.ends_at, leave.returned_at or leave.ends_at)
            absences.append(Absence(subject_no=1, start=to_microseconds(starts), end=to_microseconds(ends)))
    if "exemption" in situation:
        place, starts, ends = situation["exemption"]
        exempt.append(
            ExemptZone(
                subject_no=1,
                zone_key=ZONES[place].key,
                start=to_microseconds(local(starts)),
                end=to_microseconds(local(ends)),
            )
        )
    return Allowances(absences=tuple(absences), exempt_zones=tuple(exempt))


@pytest.mark.parametrize("situation", rows("track"))
def test_what_a_track_under_an_order_comes_to(situation: dict[str, Any]) -> None:
    order = an_order(situation)
    calendar = SHIPPED if situation.get("calendar", "shipped") == "shipped" else WorkCalendar()
    active = activate([order], calendar=calendar)
    if "blocked" in situation:
        assert [situation["blocked"] in item.reason for item in active.blocked] == [True]
        assert active.orders == ()
        return
    assert active.blocked == ()
    scene = a_scene(*ZONES.values(), orders=active.orders, allowances=allowances(situation, order.measure))
    found = sorted(scene.run(track(situation)).violations, key=lambda item: item.started_at)
    expected = [(kind, local(f"{at if ' ' in at else situation['day'] + ' ' + at}")) for kind, at in situation["found"]]
    assert [item.kind.value for item in found] == [kind for kind, _ in expected], [item.started_at for item in found]
    for item, (kind, at) in zip(found, expected, strict=True):
        assert abs(item.started_at - at) <= TOLERANCE, (kind, item.started_at.astimezone(LOCAL_TIME))


@pytest.mark.parametrize("situation", rows("term"))
def test_how_long_a_measure_may_last(situation: dict[str, Any]) -> None:
    terms = [
        MeasureTerm(
            measure=Measure(situation["measure"]), organ=Organ(organ), document_number=f"{number}号",
            started_on=starts, last_day=ends,
        )
        for number, (organ, starts, ends) in enumerate(situation["decisions"], start=1)
    ]  # fmt: skip
    found = check_terms(terms)
    assert [item.problem.value for item in found] == situation["found"], [item.text_zh for item in found]
    assert all(item.articles for item in found)


@pytest.mark.parametrize("situation", rows("leave"))
def test_what_a_leave_lacks(situation: dict[str, Any]) -> None:
    found = check_leave(
        a_leave(situation),
        measure=Measure(situation["measure"]),
        decided_by=Organ(situation["decided_by"]),
        now=local(situation["now"]),
    )
    assert [item.fault.value for item in found] == situation["found"]


@pytest.mark.parametrize("situation", rows("end"))
def test_what_the_end_of_a_term_asks_of_the_office(situation: dict[str, Any]) -> None:
    last_day = situation["last_day"]
    assert isinstance(last_day, date)
    assert [item.shown_on for item in reminders(last_day)] == situation["reminders"]
    term = MeasureTerm(
        measure=Measure(situation["measure"]), organ=Organ(situation["decided_by"]), document_number="1号",
        started_on=last_day - timedelta(days=60), last_day=last_day,
    )  # fmt: skip
    lifted_at = local(situation["lifted"]) if "lifted" in situation else None
    overdue = find_overdue_lifting(term, now=local(situation["now"]), lifted_at=lifted_at)
    assert (None if overdue is None else overdue.days_overdue) == situation.get("days_overdue")


@pytest.mark.parametrize("situation", rows("age"))
def test_until_when_somebody_is_a_minor(situation: dict[str, Any]) -> None:
    subject = Subject(subject_no=1, subject_id=UUID(int=1), alias="合成", birth_date=situation["born"])
    assert subject.is_minor_at(local(situation["at"])) is situation["is_minor"]


def test_every_situation_cites_an_article_in_two_languages_and_none_is_told_twice() -> None:
    every = [row for table in CONTENT.values() for row in table]
    assert len(every) >= 40
    assert all(row["article"] and row["name_zh"] and row["name_en"] for row in every)
    assert len({row["name_zh"] for row in every}) == len({row["name_en"] for row in every}) == len(every)
