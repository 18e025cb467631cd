"""Order situations as a lawyer would write them (``situations/*.toml``), each with its article, and their page.

``docs/situations.md`` is made of the same data, so that nobody need read code to know what the engines find.
"""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from alerts.alert import Case
from alerts.decide import decide
from alerts.policy import AlertPolicy
from alerts.roster import Roster
from tests.golden_files import GOLDEN
from tests.tracking.situations_clock import (
    check_in_states,
    clock_findings,
    contact_findings,
    device_findings,
    spot_checks,
    way_findings,
)
from tests.tracking.situations_page import page
from tests.tracking.situations_run import (
    FILES,
    TABLES,
    Found,
    Row,
    a_leave,
    activated,
    local,
    on_day,
    rows_of,
    ruling_of,
    violations_of,
)
from tracking.episode import Violation
from tracking.leave import check_leave
from tracking.local_time import LOCAL_TIME
from tracking.order import ConditionKind, Measure, Organ, Subject
from tracking.term_end import find_overdue_lifting, reminders
from tracking.terms import MeasureTerm, check_terms

PAGE = GOLDEN.parents[1] / "docs" / "situations.md"
TOLERANCE = timedelta(minutes=6)
"""An engine dates a breach by fixes that come every two minutes and are 10 m off."""
DAY = timedelta(days=1)
FIRST_ID = UUID(int=1)
RECORDING = os.environ.get("HULAN_RECORD") == "1"


def rows(table: str) -> Sequence[Any]:
    return [pytest.param(row, id=row["name_en"]) for row in rows_of(table)]


def assert_found(found: Found, row: Row, *, within: timedelta = timedelta(0)) -> None:
    expected = [(kind, local(at, row.get("day"))) for kind, at in row["found"]]
    told = [(kind, f"{at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}") for kind, at in found]
    assert [kind for kind, _ in found] == [kind for kind, _ in expected], told
    for (_, at), (_, wanted) in zip(found, expected, strict=True):
        assert abs(at - wanted) <= within, told


@pytest.mark.parametrize("row", rows("track"))
def test_what_a_track_under_an_order_comes_to(row: Row) -> None:
    active = activated(row)
    if "blocked" in row:
        assert [row["blocked"] in item.reason for item in active.blocked] == [True]
        assert active.orders == ()
        return
    assert active.blocked == ()
    violations = violations_of(row)
    assert_found([(item.kind.value, item.started_at) for item in violations], row, within=TOLERANCE)
    if "alert_count" in row:
        assert alert_count(violations) == row["alert_count"]
    if "ruling" in row:
        ruling = ruling_of(row)
        assert ruling.governs is not None
        assert ruling.governs.rank.name.lower() == row["ruling"]["won"], ruling.why_zh
        assert [claim.rank.name.lower() for claim in ruling.beaten] == row["ruling"]["beaten"], ruling.why_zh
        assert ruling.is_forbidden is bool(violations)


def alert_count(violations: Sequence[Violation]) -> int:
    """How many alerts ``alerts.decide`` makes of them."""
    subject = Subject(subject_no=1, subject_id=FIRST_ID, alias="合成", birth_date=date(2010, 1, 1))
    cases = [Case(fact=item, subject=subject, measure=Measure.BAIL) for item in violations]
    return len(decide(cases=cases, alerts=(), recipients={}, roster=Roster(), policy=AlertPolicy()).alerts)


@pytest.mark.parametrize("row", rows("way"))
def test_who_on_leave_is_off_the_way(row: Row) -> None:
    assert_found(way_findings(row), row, within=TOLERANCE)


@pytest.mark.parametrize("row", rows("device"))
def test_what_a_device_says_or_does_not_say(row: Row) -> None:
    assert_found(device_findings(row), row)


@pytest.mark.parametrize("row", rows("contact"))
def test_who_met_whom(row: Row) -> None:
    assert_found(contact_findings(row), row, within=timedelta(minutes=1))


@pytest.mark.parametrize("row", rows("check_in"))
def test_what_becomes_of_a_check_in(row: Row) -> None:
    assert_found(check_in_states(row), row)


@pytest.mark.parametrize("row", rows("spot"))
def test_when_spot_checks_may_come(row: Row) -> None:
    times = spot_checks(row)
    (none_from, none_to), (some_from, some_to) = (
        [local(at) for at in row[name]] for name in ("none_within", "some_within")
    )
    assert not [at for at in times if none_from <= at < none_to]
    assert [at for at in times if some_from <= at < some_to]
    assert min(two - one for one, two in pairwise(times)) >= timedelta(minutes=10)


@pytest.mark.parametrize("row", rows("clock"))
def test_what_falls_due_by_the_clock(row: Row) -> None:
    assert_found(clock_findings(row), row)


@pytest.mark.parametrize("row", rows("term"))
def test_how_long_a_measure_may_last(row: Row) -> None:
    terms = [
        MeasureTerm(
            measure=Measure(row["measure"]), organ=Organ(organ), document_number=f"{number}号",
            started_on=starts, last_day=ends,
        )
        for number, (organ, starts, ends) in enumerate(row["decisions"], start=1)
    ]  # fmt: skip
    found = check_terms(terms)
    assert [item.problem.value for item in found] == row["found"], [item.text_zh for item in found]
    assert all(item.articles for item in found)


@pytest.mark.parametrize("row", rows("leave"))
def test_what_a_leave_lacks(row: Row) -> None:
    found = check_leave(
        a_leave(row), measure=Measure(row["measure"]), decided_by=Organ(row["decided_by"]), now=local(row["now"])
    )
    assert [item.fault.value for item in found] == row["found"]


@pytest.mark.parametrize("row", rows("end"))
def test_what_the_end_of_a_term_asks_of_the_office(row: Row) -> None:
    last_day = on_day(row["last_day"])
    assert [item.shown_on for item in reminders(last_day)] == row["reminders"]
    term = MeasureTerm(
        measure=Measure(row["measure"]), organ=Organ(row["decided_by"]), document_number="1号",
        started_on=last_day - 60 * DAY, last_day=last_day,
    )  # fmt: skip
    lifted_at = local(row["lifted"]) if "lifted" in row else None
    overdue = find_overdue_lifting(term, now=local(row["now"]), lifted_at=lifted_at)
    assert (None if overdue is None else overdue.days_overdue) == row.get("days_overdue")


@pytest.mark.parametrize("row", rows("age"))
def test_until_when_somebody_is_a_minor(row: Row) -> None:
    subject = Subject(subject_no=1, subject_id=FIRST_ID, alias="合成", birth_date=on_day(row["born"]))
    assert subject.is_minor_at(local(row["at"])) is row["is_minor"]


def test_every_situation_cites_an_article_in_two_languages_and_none_is_told_twice() -> None:
    every = [row for table in TABLES for row in rows_of(table)]
    assert len(every) >= 70
    assert all(row["article"] and row["name_zh"] and row["name_en"] for row in every)
    for name in ("name_zh", "name_en"):
        assert [words for words, count in Counter(row[name] for row in every).items() if count > 1] == []
    known = {"title_zh", "title_en", "places", "zones", *TABLES}
    assert {table for content in FILES.values() for table in content} <= known


def test_every_kind_of_condition_and_every_measure_is_among_them() -> None:
    said = [item["kind"] for row in rows_of("track") + rows_of("clock") for item in row.get("conditions", ())]
    said += ["no_contact" for _ in rows_of("contact")] + ["check_in" for _ in rows_of("check_in")]
    said += ["spot_check" for _ in rows_of("spot")] + ["reporting_interval" for _ in rows_of("device")]
    assert set(said) == set(ConditionKind)
    assert {row["measure"] for row in rows_of("track")} == set(Measure)


@pytest.mark.golden
def test_the_page_for_lawyers_says_what_the_situations_say() -> None:
    text = page()
    if RECORDING:
        PAGE.write_text(text, encoding="utf-8")
    assert text == PAGE.read_text(encoding="utf-8"), "record it anew (make record), read it, and commit it"
