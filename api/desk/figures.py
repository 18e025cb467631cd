"""How quickly people were told, how often the machine was right, how many alerts there are: counts, nobody's.

The connection is one of ``as_account``: the functions of migration 0021 tell leaders and the system administrator, and
name no case. Contacts and sealed records are in no figure. Labels come from lists of this program: there are only so
many series, whatever the database holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Row, text

from alerts.event import EVENT_OF_CONDITION, EventKind
from tracking.order import ConditionKind
from venues.category import VenueCategory

RULES = frozenset(map(str, ConditionKind)) | frozenset(map(str, EventKind))
CATEGORIES = frozenset(map(str, VenueCategory)) | {"own", "none"}
"""``own``: a place drawn for an order. ``none``: a finding that has no place."""

OTHER = "other"
QUANTILES = ("0.5", "0.95", "0.99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds between two stamps of a channel's messages; ``quantiles``: p50, p95, p99."""

    channel: str
    stage: str
    messages: int
    quantiles: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What officers said. ``zone_id``: of a public place with enough decisions; ``None``: all of the category."""

    rule: str
    category: str
    zone_id: UUID | None
    confirmed: int
    dismissed: int

    @property
    def share(self) -> float:
        """Confirmed of decided, 0 to 1."""
        return self.confirmed / (self.confirmed + self.dismissed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescues:
    """How many families said 已带离, and how long after the event: seconds, p50 and p95; ``None`` if there is none."""

    count: int = 0
    quantiles: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one span. ``alerts``: event → how many, how many of them late."""

    times: tuple[Times, ...]
    rescues: Rescues
    precision: tuple[Precision, ...]
    alerts: dict[str, tuple[int, int]]
    person_weeks: float

    @property
    def per_person_week(self) -> float | None:
        """Alerts for each week that a person was under rules; ``None``: nobody was."""
        total = sum(count for count, _ in self.alerts.values())
        return total / self.person_weeks if self.person_weeks else None


def figures_between(connection: Connection, since: datetime, until: datetime) -> Figures:
    """All figures of what was decided from ``since`` to ``until``, aware; nothing for whom they are not for."""

    def asked(query: str) -> list[Row[tuple[object, ...]]]:
        return list(connection.execute(text(query), {"since": since, "until": until}))

    alerts: dict[str, tuple[int, int]] = {}
    for row in asked("SELECT * FROM alert_counts(:since, :until)"):
        event = _event(row.event)
        count, late = alerts.get(event, (0, 0))
        alerts[event] = (count + row.alerts, late + row.late)
    rescued = asked("SELECT * FROM alert_rescues(:since, :until)")[0]
    return Figures(
        rescues=Rescues(
            count=rescued.rescues, quantiles=(rescued.p50, rescued.p95) if rescued.rescues else None
        ),
        times=tuple(
            Times(channel=row.channel, stage=row.stage, messages=row.messages, quantiles=(row.p50, row.p95, row.p99))
            for row in asked("SELECT * FROM alert_times(:since, :until)")
        ),
        precision=tuple(
            Precision(
                rule=row.rule, category=row.category, zone_id=row.zone_id, confirmed=row.confirmed,
                dismissed=row.dismissed,
            )
            for row in asked("SELECT * FROM alert_precision(:since, :until)")
        ),
        alerts=alerts,
        person_weeks=float(asked("SELECT person_weeks(:since, :until) AS weeks")[0].weeks),
    )  # fmt: skip


def _event(word: str) -> str:
    if word in set(ConditionKind):
        return str(EVENT_OF_CONDITION[ConditionKind(word)])
    return word if word in set(EventKind) else OTHER


def exposition(figures: Figures) -> bytes:
    """The same in the text format of Prometheus: without places, with labels of known lists only."""
    registry = CollectorRegistry()
    registry.register(_Given(figures))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from _times(self._figures)
        yield from _rescues(self._figures)
        yield from _precision(self._figures)
        yield from _alerts(self._figures)


def _times(figures: Figures) -> Iterator[Metric]:
    spans = GaugeMetricFamily(
        "hulan_notification_seconds", "Between two stamps of a message", labels=["channel", "stage", "quantile"]
    )
    counts = GaugeMetricFamily("hulan_notification_messages", "Messages with both stamps", labels=["channel", "stage"])
    for item in figures.times:
        counts.add_metric([item.channel, item.stage], item.messages)
        for quantile, value in zip(QUANTILES, item.quantiles, strict=True):
            spans.add_metric([item.channel, item.stage, quantile], value)
    yield spans
    yield counts


def _rescues(figures: Figures) -> Iterator[Metric]:
    counts = GaugeMetricFamily("hulan_rescues", "Alerts of which the family said that the person was taken away")
    counts.add_metric([], figures.rescues.count)
    yield counts
    if figures.rescues.quantiles is not None:
        spans = GaugeMetricFamily("hulan_rescue_seconds", "From the event to that answer", labels=["quantile"])
        for quantile, value in zip(QUANTILES, figures.rescues.quantiles, strict=False):
            spans.add_metric([quantile], value)
        yield spans


def _precision(figures: Figures) -> Iterator[Metric]:
    totals: dict[tuple[str, str, str], int] = {}
    for item in figures.precision:
        if item.zone_id is not None:
            continue
        rule = item.rule if item.rule in RULES else OTHER
        category = item.category if item.category in CATEGORIES else OTHER
        for outcome, count in (("confirmed", item.confirmed), ("dismissed", item.dismissed)):
            key = (rule, category, outcome)
            totals[key] = totals.get(key, 0) + count
    family = GaugeMetricFamily(
        "hulan_decisions", "What officers said to what was found", labels=["rule", "category", "outcome"]
    )
    for labels, count in totals.items():
        family.add_metric(list(labels), count)
    yield family


def _alerts(figures: Figures) -> Iterator[Metric]:
    counts = GaugeMetricFamily("hulan_alerts", "Alerts by event", labels=["event", "is_late"])
    for event, (count, late) in figures.alerts.items():
        counts.add_metric([event, "false"], count - late)
        counts.add_metric([event, "true"], late)
    yield counts
    weeks = GaugeMetricFamily("hulan_person_weeks", "Weeks of persons under rules")
    weeks.add_metric([], figures.person_weeks)
    yield weeks
    if figures.per_person_week is not None:
        rate = GaugeMetricFamily("hulan_alerts_per_person_week", "Alerts for each week of a person under rules")
        rate.add_metric([], figures.per_person_week)
        yield rate
