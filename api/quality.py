"""``hulan quality``: the policy and the rules of others on simulated tracks: a table, JSON, and the trade-off."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tracking.alert_quality import Score, find_by_policy, missed_targets, score
from tracking.overrides import sweep, with_overrides
from tracking.point_rules import POINT_RULES, Findings, PointRule, find_by_rule
from tracking.policy import ENGINE_VERSION, PresencePolicy
from tracking.rules import ZoneBook
from tracking.simulate import TEST_SEEDS_FROM, Simulation, simulate
from tracking.simulate_delivery import Delivery
from tracking.simulate_scenario import SCENARIOS, Scenario

POLICY = "policy"
FALSE_AT, RECALL_AT = "neighbour", "visit_10"
"""Scenarios of the two axes of the trade-off."""
SWEPT: dict[str, tuple[float, ...]] = {
    "dwell_s": (60.0, 240.0, 480.0),
    "probable_probability": (0.30, 0.40, 0.50, 0.60, 0.70, 0.80),
}
"""What the trade-off varies: one line per value of the first, one point per value of the last."""

_TARGETS = {
    "most_false_per_day": "误报 false ≤",
    "most_delay_s": "延迟 delay (s) ≤",
    "least_possible": "POSSIBLE ≥",
    "least_probable": "PROBABLE ≥",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What to simulate."""

    people: int
    days: int
    seed: int
    delivery: Delivery

    def simulate(self, scenario: str) -> tuple[Simulation, ZoneBook]:
        """The tracks of a scenario, and its zones compiled. Raises as :func:`tracking.simulate.simulate`."""
        found = simulate(scenario, people=self.people, days=self.days, seed=self.seed, delivery=self.delivery)
        return found, ZoneBook.build(found.zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One scenario: the score of the policy (under :data:`POLICY`) and of each point rule, by name."""

    scenario: Scenario
    scores: Mapping[str, Score]

    @property
    def missed(self) -> tuple[str, ...]:
        """Targets that the policy misses."""
        return missed_targets(self.scores[POLICY], self.scenario.target)

    @property
    def has_target(self) -> bool:
        """Whether anything is asked of the policy here."""
        return any(value is not None for value in asdict(self.scenario.target).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOffPoint:
    """Suspicions a day where there should be none, and the share of true visits found as PROBABLE."""

    label: str
    values: Mapping[str, float]
    false_per_day: float
    recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """Points of the policy as its parameters vary, the policy as it is, and the rules of others."""

    person_days: int
    swept: tuple[TradeOffPoint, ...]
    chosen: TradeOffPoint
    rules: tuple[TradeOffPoint, ...]


def chosen_scenarios(names: Sequence[str]) -> tuple[str, ...]:
    """Names as given, or all of them for ``all``. Raises ValueError for an unknown one."""
    if "all" in names:
        return tuple(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise ValueError(f"没有场景 no scenario {unknown[0]!r}；可选 there are: all, {', '.join(SCENARIOS)}")
    return tuple(dict.fromkeys(names))


def read_policy(path: Path | None) -> PresencePolicy:
    """The default policy with the fields that a TOML file names. Raises ValueError for anything else in it, OSError."""
    if path is None:
        return PresencePolicy()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}：不是 TOML 文件 / not a TOML file: {error}") from error
    return with_overrides(PresencePolicy(), values)


def parse_sweep(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``name=1,2,3`` texts as values; none: :data:`SWEPT`. Raises ValueError that quotes the text."""
    if not texts:
        return dict(SWEPT)
    found: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            found[name.strip()] = tuple(float(value) for value in values.split(","))
        except ValueError:
            raise ValueError(f"{text!r}：须写成 write it as probable_probability=0.3,0.5,0.7") from None
    return found


def judge(
    names: Sequence[str], policy: PresencePolicy, setup: Setup, *, progress: Callable[[int], None]
) -> tuple[Judged, ...]:
    """Score the policy and every point rule on each scenario; ``progress`` is told of each contestant done."""
    judged = []
    for name in names:
        tracks, zones = setup.simulate(name)
        scores = {POLICY: score(find_by_policy(tracks, zones, policy), tracks.truth, person_days=tracks.person_days)}
        progress(1)
        for rule in POINT_RULES:
            findings = _find_by_rule(tracks, zones, rule)
            scores[rule.name] = score(findings, tracks.truth, person_days=tracks.person_days)
            progress(1)
        judged.append(Judged(scenario=SCENARIOS[name], scores=scores))
    return tuple(judged)


def trade_off(
    policy: PresencePolicy,
    values: Mapping[str, Sequence[float]],
    setup: Setup,
    *,
    progress: Callable[[int], None],
) -> TradeOff:
    """False suspicions at :data:`FALSE_AT` against recall at :data:`RECALL_AT` as the policy's fields vary."""
    standing, visits = setup.simulate(FALSE_AT), setup.simulate(RECALL_AT)

    def point(
        label: str, chosen: Mapping[str, float], find: Callable[[Simulation, ZoneBook], Findings]
    ) -> TradeOffPoint:
        false, found = (
            score(find(tracks, zones), tracks.truth, person_days=tracks.person_days)
            for tracks, zones in (standing, visits)
        )
        progress(1)
        return TradeOffPoint(
            label=label,
            values=chosen,
            false_per_day=false.false_probable_per_day,
            recall=found.probable_recall or 0.0,
        )

    swept = []
    for chosen, varied in sweep(policy, values):
        label = ", ".join(f"{name} = {value:g}" for name, value in chosen.items())
        swept.append(point(label, chosen, partial(find_by_policy, policy=varied)))
    return TradeOff(
        person_days=standing[0].person_days,
        swept=tuple(swept),
        chosen=point("policy", {}, partial(find_by_policy, policy=policy)),
        rules=tuple(point(rule.title_en, {}, partial(_find_by_rule, rule=rule)) for rule in POINT_RULES),
    )


def _find_by_rule(tracks: Simulation, zones: ZoneBook, rule: PointRule) -> Findings:
    return find_by_rule(tracks.fixes, zones, rule)


def trade_off_steps(values: Mapping[str, Sequence[float]]) -> int:
    """How often :func:`trade_off` calls ``progress``."""
    count = 1
    for items in values.values():
        count *= len(items)
    return count + 1 + len(POINT_RULES)


def table_of(judged: Judged) -> list[tuple[str, ...]]:
    """A table whose first row is its heading: one row for the policy and one for each rule.

    False is PROBABLE per person-day; POSSIBLE and PROBABLE are shares of the true visits; delay is the median of both.
    """
    rows: list[tuple[str, ...]] = [
        (
            "规则 rule",
            "误报/人日 false a day",
            "疑似 POSSIBLE",
            "大概率 PROBABLE",
            "无法判定 undecidable",
            "重复 repeats",
            "延迟 delay (min)",
            "目标 target",
        )
    ]
    titles = {POLICY: "护栏 Hulan"} | {rule.name: f"{rule.title_zh} {rule.title_en}" for rule in POINT_RULES}
    for name, item in judged.scores.items():
        rows.append(
            (
                titles[name],
                f"{item.false_probable_per_day:.3f}",
                _percent(item.possible_recall),
                _percent(item.probable_recall),
                _percent(item.undecidable_share),
                "–" if item.repeats_per_visit is None else f"{item.repeats_per_visit:.2f}",
                f"{_minutes(item.possible_delay_s)} / {_minutes(item.probable_delay_s)}",
                _verdict(judged) if name == POLICY else "",
            )
        )
    return rows


def as_json(
    judged: Sequence[Judged], policy: PresencePolicy, setup: Setup, traded: TradeOff | None = None
) -> dict[str, Any]:
    """Every figure, for one line of JSON."""
    answer: dict[str, Any] = {
        "name": "quality",
        "seed": setup.seed,
        "is_tuning_seed": setup.seed < TEST_SEEDS_FROM,
        "people": setup.people,
        "days": setup.days,
        "engine_version": ENGINE_VERSION,
        "policy": asdict(policy),
        "scenarios": {
            item.scenario.name: {
                "missed": list(item.missed),
                "scores": {name: asdict(found) for name, found in item.scores.items()},
            }
            for item in judged
        },
    }
    if traded is not None:
        answer["trade_off"] = asdict(traded)
    return answer


def _verdict(judged: Judged) -> str:
    if not judged.has_target:
        return "–"
    if not judged.missed:
        return "达标 met"
    target = judged.scenario.target
    return "未达 missed: " + ", ".join(f"{_TARGETS[name]} {getattr(target, name):g}" for name in judged.missed)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100.0 * share:.1f}%"


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 60.0:.1f}"
