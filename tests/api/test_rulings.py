"""An officer reads which rule won and what it beat; two conditions over one place are one alert."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.casework.decisions import DecisionReason, Outcome, decide, departures_of, suspected_of
from api.casework.exemptions import ExemptionWish, grant_exemption
from api.devices import devices_of
from api.evidence.case import read_case
from api.explaining import explain_alert
from tests.api.casework_scene import DAY, MARCH, Office, a_case, two_departures
from tests.golden_files import assert_golden
from tests.make import EVENING, KEYRING, Person, a_bar, a_visit, a_worker, empty, log_fixes
from tracking.leave import ExemptionKind

BAR = {"zone_source": "venue:test", "zone": "合成酒吧"}
NAMED_AND_BY_CATEGORY = [
    {"kind": "exclusion_zone", **BAR},
    {"kind": "excluded_categories", "categories": ["bar"]},
]


def at_the_bar(engine: Engine, *, is_exempt: bool) -> Office:
    """Twenty minutes in a bar that the order names and forbids by category too; exempt there if told so."""
    with engine.begin() as connection:
        a_bar(connection, valid_from=EVENING - 9 * DAY)
    office = Office(engine, a_case(**MARCH, conditions=NAMED_AND_BY_CATEGORY))
    if is_exempt:
        with engine.connect() as connection:
            zone_id = connection.execute(text("SELECT zone_id FROM zone")).scalar_one()
        with office.as_("prosecutor") as connection:
            wish = ExemptionWish(
                kind=ExemptionKind.HOME, reason="住在该酒吧楼上", zone_id=zone_id,
                valid_from=EVENING - DAY, valid_to=EVENING + DAY,
            )  # fmt: skip
            grant_exemption(connection, office.no, wish)
    with engine.connect() as connection:
        sender = devices_of(connection, [office.done.subject_id])[office.done.subject_id]
    log_fixes(
        engine, Person(subject_id=office.done.subject_id, subject_no=office.no, token="", sender=sender), a_visit()
    )
    a_worker(engine).drain()
    return office


def told(engine: Engine) -> dict[str, str]:
    """The facts of the only alert, by their label."""
    with engine.connect() as connection:
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
        return dict(explain_alert(connection, str(alert_id), keyring=KEYRING).facts)


def test_two_conditions_over_one_place_are_one_alert(engine: Engine) -> None:
    at_the_bar(engine, is_exempt=False)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM violation")).scalar_one() == 2
        assert connection.execute(text("SELECT count(*) FROM alert")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM alert_violation")).scalar_one() == 2


@pytest.mark.golden
def test_the_rule_that_won_is_named_with_what_it_beat(engine: Engine) -> None:
    words = []
    for title, is_exempt in (("两项规定及于同一处", False), ("住在楼上，有豁免，但决定书指名此处", True)):
        with engine.begin() as connection:
            empty(connection)
        at_the_bar(engine, is_exempt=is_exempt)
        facts = told(engine)
        words += [f"# {title}", facts["适用规则 rule that won"], facts["区域来源 origin"], ""]
    with engine.begin() as connection:
        empty(connection)
    office = two_departures(engine, a_case(**MARCH))
    with office.as_("police") as connection:
        (ruling, _) = [item["ruling"] for item in suspected_of(connection, office.no)]
    words += ["# 未经批准离开", ruling["why_zh"], ruling["why_en"], ""]
    assert_golden("explain/rulings.txt", "\n".join(words))


def test_officers_read_it_with_every_suspicion_and_under_every_count(engine: Engine) -> None:
    office = at_the_bar(engine, is_exempt=True)
    with office.as_("police") as connection:
        (found,) = suspected_of(connection, office.no)
    won, (beaten,) = found["ruling"]["won"], found["ruling"]["beaten"]
    assert (won["rank"], won["says"], won["rank_zh"]) == ("court_order", "forbids", "决定书")
    assert (beaten["rank"], beaten["says"]) == ("exemption", "allows")
    assert "合成人员批准" in beaten["name_zh"]
    assert not {"order_no", "condition_no", "zone_no", "subject_no"} & set(found)
    with engine.connect() as connection:
        alert_id = connection.execute(text("SELECT alert_id FROM alert")).scalar_one()
        statement = read_case(connection, str(alert_id), keyring=KEYRING, is_synthetic=True).statement
    assert statement["rule_that_won"]["won"] == won


def test_a_confirmed_departure_says_by_which_rule(engine: Engine) -> None:
    office = two_departures(engine, a_case(**MARCH))
    with office.as_("police") as connection:
        first: dict[str, Any] = suspected_of(connection, office.no)[-1]
        decide(
            connection, violation_id=first["violation_id"], outcome=Outcome.CONFIRMED,
            reason=DecisionReason.SUBJECT_ADMITTED, remark="",
        )  # fmt: skip
        ((basis,),) = [count["basis"] for count in departures_of(connection, office.no)]
    assert basis["ruling"] == first["ruling"]
    assert basis["ruling"]["won"]["rank"] == "court_order"
    assert basis["started_at"] > EVENING + timedelta(minutes=15)
