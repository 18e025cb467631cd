"""Levels of venues: what makes red, what is not known, and what can never happen."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.category import VenueCategory
from venues.place import IncidentKind, SourceKey, VenueIncident
from venues.risk import RiskLevel, RiskPolicy, VenueExposure, VenueRisk, assess_venues

AS_OF = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)  # 08:00 in China
POLICY = RiskPolicy()
KEY = SourceKey(source="test", source_id="venue/1")


def venue(*, observed_from: date | None = date(2024, 1, 1), longitude: float = 117.19) -> VenueExposure:
    return VenueExposure(
        key=KEY,
        name="云龙量贩KTV",
        category=VenueCategory.KTV,
        longitude=longitude,
        latitude=34.26,
        observed_from=observed_from,
    )


def incident(
    *,
    days_ago: float = 30,
    kind: IncidentKind = IncidentKind.POLICE_CALL,
    number: int = 1,
    minor: bool = True,
    at: datetime | None = None,
    venue_key: SourceKey = KEY,
) -> VenueIncident:
    return VenueIncident(
        key=SourceKey(source="test", source_id=f"incident/{number}"),
        venue_key=venue_key,
        kind=kind,
        occurred_at=at or AS_OF - timedelta(days=days_ago),
        involves_minor=minor,
    )


def assess(*incidents: VenueIncident, of: VenueExposure | None = None, as_of: datetime = AS_OF) -> VenueRisk:
    (risk,) = assess_venues([of or venue()], incidents, as_of=as_of, policy=POLICY)
    return risk


histories = st.lists(st.tuples(st.floats(0, 1500), st.sampled_from(IncidentKind), st.booleans()), max_size=8).map(
    lambda rows: [
        incident(days_ago=days, kind=kind, minor=minor, number=number)
        for number, (days, kind, minor) in enumerate(rows)
    ]
)
venues = st.sampled_from([None, date(2024, 1, 1), date(2026, 2, 1)]).map(lambda day: venue(observed_from=day))


def test_venue_without_incidents_that_was_observed_is_green() -> None:
    risk = assess()
    assert risk.level is RiskLevel.GREEN
    assert risk.score == 0
    assert risk.reasons[0].text_zh == "衰减得分0.00（黄≥1，红≥4）：警情0、行政处罚0、刑事案件0"


def test_score_halves_every_half_life() -> None:
    risk = assess(
        incident(days_ago=180, kind=IncidentKind.CRIMINAL_CASE, minor=False), incident(days_ago=360, number=2)
    )
    assert risk.score == pytest.approx(4 * 0.5 + 1 * 0.25)


def test_score_decides_between_green_yellow_and_red() -> None:
    calls = [incident(days_ago=20, number=number) for number in range(5)]
    assert [assess(*calls[:count]).level for count in (1, 2, 4, 5)] == [
        RiskLevel.GREEN,
        RiskLevel.YELLOW,
        RiskLevel.YELLOW,
        RiskLevel.RED,
    ]


def test_criminal_case_with_a_minor_is_red_for_twelve_months() -> None:
    first_day = datetime(2025, 2, 28, 16, 0, tzinfo=UTC)  # midnight of 1 March in China
    risk = assess(incident(kind=IncidentKind.CRIMINAL_CASE, at=first_day))
    assert risk.level is RiskLevel.RED
    assert (risk.reasons[0].date, risk.reasons[0].text_zh) == (date(2025, 3, 1), "12个月内发生涉未成年人刑事案件")
    assert risk.reasons[0].text_en == "Criminal case involving a minor within 12 months"
    day_before = assess(incident(kind=IncidentKind.CRIMINAL_CASE, at=first_day - timedelta(seconds=1)))
    assert day_before.level is not RiskLevel.RED


def test_criminal_case_without_a_minor_is_no_trigger() -> None:
    assert assess(incident(kind=IncidentKind.CRIMINAL_CASE, minor=False)).level is RiskLevel.YELLOW


def test_second_penalty_within_twelve_months_is_red_and_names_the_first() -> None:
    first = incident(kind=IncidentKind.PENALTY, days_ago=300, number=1)
    second = incident(kind=IncidentKind.PENALTY, days_ago=250, number=2)
    assert assess(first).level is RiskLevel.GREEN
    risk = assess(first, second)
    assert risk.level is RiskLevel.RED
    assert risk.reasons[0].date == date(2025, 6, 24)
    assert risk.reasons[0].text_zh == "12个月内第2次行政处罚（上一次：2025-05-05）"
    assert assess(incident(kind=IncidentKind.PENALTY, days_ago=400), second).level is not RiskLevel.RED


def test_twelve_months_before_a_leap_day_end_on_28_february() -> None:
    leap_day = datetime(2024, 2, 29, 4, 0, tzinfo=UTC)
    case = incident(kind=IncidentKind.CRIMINAL_CASE, at=datetime(2023, 2, 28, 4, 0, tzinfo=UTC))
    assert assess(case, as_of=leap_day).level is RiskLevel.RED


@pytest.mark.parametrize(("days", "level"), [(59, RiskLevel.UNKNOWN), (60, RiskLevel.GREEN)])
def test_venue_observed_for_fewer_than_sixty_days_is_not_called_green(days: int, level: RiskLevel) -> None:
    risk = assess(of=venue(observed_from=date(2026, 3, 1) - timedelta(days=days)))
    assert risk.level is level


def test_unknown_gives_its_reason_in_plain_words() -> None:
    risk = assess(of=venue(observed_from=date(2026, 2, 9)))
    assert risk.reasons[0].date == date(2026, 2, 9)
    assert risk.reasons[0].text_zh == "自该日起仅观察20天，不足60天：数据不足，不表示安全"


def test_venue_nobody_observed_and_without_incidents_is_unknown() -> None:
    risk = assess(of=venue(observed_from=None))
    assert risk.level is RiskLevel.UNKNOWN
    assert "没有任何事件记录" in risk.reasons[0].text_zh


def test_first_incident_stands_for_an_unknown_start_of_observation() -> None:
    unobserved = venue(observed_from=None)
    assert assess(incident(days_ago=30), of=unobserved).level is RiskLevel.UNKNOWN
    assert assess(incident(days_ago=90), of=unobserved).level is RiskLevel.GREEN


def test_what_is_serious_is_red_however_short_the_observation() -> None:
    fresh = venue(observed_from=date(2026, 2, 25))
    assert assess(incident(days_ago=2, kind=IncidentKind.CRIMINAL_CASE), of=fresh).level is RiskLevel.RED


def test_incident_of_another_venue_does_not_count() -> None:
    other = SourceKey(source="test", source_id="venue/2")
    assert assess(incident(kind=IncidentKind.CRIMINAL_CASE, venue_key=other)).incidents == ()


def test_levels_keep_the_order_of_the_venues() -> None:
    keys = [SourceKey(source="test", source_id=f"venue/{number}") for number in (3, 1, 2)]
    exposures = [
        VenueExposure(
            key=key, name="x", category=VenueCategory.BAR, longitude=117, latitude=34, observed_from=date(2024, 1, 1)
        )
        for key in keys
    ]
    risks = assess_venues(exposures, [], as_of=AS_OF, policy=POLICY)
    assert [risk.venue.key for risk in risks] == keys
    with pytest.raises(ValueError, match="comes twice"):
        assess_venues([exposures[0], exposures[0]], [], as_of=AS_OF, policy=POLICY)


def test_one_key_with_two_contents_is_refused() -> None:
    with pytest.raises(ValueError, match="two different contents"):
        assess(incident(days_ago=1), incident(days_ago=2))


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        assess(as_of=datetime(2026, 3, 1))  # noqa: DTZ001 - the fault under test


@pytest.mark.parametrize("longitude", [float("nan"), 181.0, float("inf")])
def test_venue_off_the_earth_is_refused(longitude: float) -> None:
    with pytest.raises(ValueError, match="longitude, latitude"):
        venue(longitude=longitude)


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_life_days": 0},
        {"yellow_score": 5.0},
        {"area_yellow_per_km2": 50.0},
        {"police_call_weight": -1.0},
    ],
)
def test_policy_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"half_life|yellow|weights"):
        RiskPolicy(**wrong)  # type: ignore[arg-type]


@given(exposure=venues, history=histories, days_ago=st.floats(0, 1500), kind=st.sampled_from(IncidentKind))
def test_one_more_incident_never_lowers_the_level(
    exposure: VenueExposure, history: list[VenueIncident], days_ago: float, kind: IncidentKind
) -> None:
    more = incident(days_ago=days_ago, kind=kind, number=999)
    before, after = assess(*history, of=exposure), assess(*history, more, of=exposure)
    assert after.level.rank >= before.level.rank
    assert after.score >= before.score


@given(exposure=venues, history=histories, data=st.data())
def test_order_of_incidents_and_repeats_change_nothing(
    exposure: VenueExposure, history: list[VenueIncident], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*history, *history]))
    assert assess(*shuffled, of=exposure) == assess(*history, of=exposure)


@given(exposure=venues, history=histories, days_ahead=st.floats(0.001, 1000))
def test_what_happens_after_the_as_of_time_is_not_seen(
    exposure: VenueExposure, history: list[VenueIncident], days_ahead: float
) -> None:
    later = incident(days_ago=-days_ahead, kind=IncidentKind.CRIMINAL_CASE, number=999)
    assert assess(*history, later, of=exposure) == assess(*history, of=exposure)


@given(history=histories)
def test_the_past_fades(history: list[VenueIncident]) -> None:
    much_later = AS_OF + timedelta(days=180 * 40)
    risk = assess(*history, as_of=much_later)
    assert risk.level is RiskLevel.GREEN
    assert risk.score < 1e-9


@given(exposure=venues, history=histories)
def test_every_level_has_a_dated_reason_and_its_rule(exposure: VenueExposure, history: list[VenueIncident]) -> None:
    risk = assess(*history, of=exposure)
    assert risk.rule_version == "venue-risk/1"
    assert risk.reasons
    assert all(reason.date <= date(2026, 3, 1) and reason.text_zh and reason.text_en for reason in risk.reasons)
