"""The law of distance over the register: every venue against every site, what changed, and the leads that follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, text

from api.clock import SystemClock
from api.files.saved_walk_network import load_walk_network, save_walk_network
from api.files.walk_network import read_walk_network
from api.ids import new_id
from api.placed import Placed, Register, load_register
from geo.datum import Datum
from geo.walk_network import WalkNetwork, without_fragments
from tracking.local_time import LOCAL_TIME
from venues.distance import DistanceFinding, DistanceRun, evaluate_distances, policy_for
from venues.distance_history import Cause, HistoryEntry, days_to_evaluate, entries_for, record_of
from venues.distance_law import DistanceLaw
from venues.distance_store import (
    LastRun,
    RunMade,
    last_run,
    load_history,
    save_rules,
    save_run,
)
from venues.distance_verdict import Verdict
from venues.lead_pattern import LeadGround, LeadProposal, distance_leads, mis_registered_leads, unlicensed_leads
from venues.lead_route import LeadRoute, leads_by_regulator, route_lead
from venues.lead_store import LeadDraft, open_leads, told_leads, transfer_lead
from venues.lead_told import misplaced, untold
from venues.measurement import Measurement, measure, measurement_input
from venues.register_facts import city_of, licences_on_file, standing_of

Progress = Callable[[str, int, int], None]
"""Told the stage that begins, how many are done, and of how many."""


class DistanceRefusedError(ValueError):
    """What cannot be evaluated or measured as asked. The message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedBy:
    """The walk network of a run, and the day that its source describes."""

    network: WalkNetwork
    network_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one day's run said. ``entries`` are what it changed, or of a day to come would change."""

    run: DistanceRun
    run_no: int | None
    """``None`` for a day to come: nothing of it is kept."""
    entries: tuple[HistoryEntry, ...]
    lead_count: int
    outside_count: int
    """Venues in none of the imported boundaries: they count, and are shown, as of the division of the run."""
    later_count: int
    """Places of which the register says nothing before a later day: they are not evaluated yet."""
    uncounted_gates: tuple[str, ...]
    """Gates that name a school and are none of its gates, by id."""

    @property
    def change_count(self) -> int:
        """How many pairs are said to be otherwise; that a venue left a division is told beside its change."""
        return sum(entry.cause is not Cause.MOVED for entry in self.entries)

    def count(self, verdict: Verdict) -> int:
        """How many pairs of a venue and a campus have this verdict by the rule that won."""
        return int((self.run.rows.verdict[self.run.rows.is_winning] == verdict).sum())


def take_turn(connection: Connection) -> None:
    """Wait until no other evaluation is at work, and keep others waiting until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('distance'))"))


def evaluate_register(
    connection: Connection,
    law: DistanceLaw,
    routes: tuple[LeadRoute, ...],
    *,
    on: date | None,
    clock: SystemClock,
    made_by: str,
    division: str,
    walked: WalkedBy | None,
    leads_of: Sequence[Verdict] = (Verdict.BREACH,),
    progress: Progress = lambda _stage, _done, _of: None,
) -> list[Evaluated]:
    """Evaluate a day (Asia/Shanghai; ``None``: today), and before it each day since the last run on which law or
    register change, with doors, operators and visits as of that day.

    Venues in none of the boundaries that were imported count as in ``division``. The law's versions, the runs and what
    they change are stored, as known since an instant after every earlier one, whichever evaluation waited; of today,
    venues whose verdict is one of ``leads_of`` become leads, once, and so do those that the patterns of licences and
    registrations find. Of a day to come it is told what would change, and nothing is kept. ``progress`` is told of each
    stage. Raises DistanceRefusedError for a first run without venues or sites and for a day before the last run, and
    ValueError as ``evaluate_distances``.
    """
    take_turn(connection)
    at = _instant_after_all(connection, clock)
    today = at.astimezone(LOCAL_TIME).date()
    on = on or today
    progress("读取登记册 reading the register", 0, 1)
    # Of a register that was imported just now the planner knows nothing, and takes minutes instead of a second.
    connection.execute(text("ANALYZE venue, venue_source_record, distance_finding"))
    register, before = load_register(connection, division), last_run(connection)
    if before is None and not (register.on(on).venues and register.sites):
        raise DistanceRefusedError(
            "登记册中没有场所或没有学校：请先 hulan import venues、hulan import sites"
            " / the register has no venue, or no school: import them first"
        )
    days = _days_until(on, before, law, register)
    if on <= today:
        save_rules(connection, law.rules, at=at)
    task = _Task(
        connection=connection, law=law, routes=routes, at=at, made_by=made_by, walked=walked, leads_of=leads_of,
        register=register, history=load_history(connection), names=_known_names(connection) | register.names,
        is_kept=on <= today, told=lambda stage, done: progress(stage, done, 1 + _STAGES * len(days)),
    )  # fmt: skip
    return [_evaluate_day(task, day, 1 + _STAGES * number) for number, day in enumerate(days)]


def _instant_after_all(connection: Connection, clock: SystemClock) -> datetime:
    """Now, or right after the last run: what was found later must be what is known since later."""
    before = connection.execute(text("SELECT max(evaluated_at) FROM distance_run")).scalar_one()
    now = clock.now()
    return now if before is None else max(now, before + timedelta(microseconds=1))


_STAGES = 3
"""Of each day: measuring, storing, leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What the days of one evaluation have in common. ``history`` grows by what each of them changes."""

    connection: Connection
    law: DistanceLaw
    routes: tuple[LeadRoute, ...]
    at: datetime
    made_by: str
    walked: WalkedBy | None
    leads_of: Sequence[Verdict]
    register: Register
    history: list[HistoryEntry]
    names: Mapping[str, str]
    is_kept: bool
    """False for a day to come."""
    told: Callable[[str, int], None]


def _evaluate_day(task: _Task, day: date, stages_done: int) -> Evaluated:
    placed, walked = task.register.on(day), task.walked
    task.told(f"{day} 测距 measuring {len(placed.venues):,} × {len(placed.sites):,}", stages_done)
    run = evaluate_distances(
        placed.venues,
        placed.sites,
        task.law,
        on=day,
        network=None if walked is None else walked.network,
        policy=policy_for(task.law, day),
    )
    entries = entries_for(task.history, map(record_of, run.findings()), on=day, recorded_at=task.at)
    task.history.extend(entries)
    run_no, leads = None, 0
    if task.is_kept:
        task.told(f"{day} 保存 storing", stages_done + 1)
        made = RunMade(
            run_id=new_id(), at=task.at, made_by=task.made_by, division=task.register.division,
            network_on=None if walked is None else walked.network_on, gate_count=task.register.gate_count,
        )  # fmt: skip
        run_no = save_run(task.connection, run, made, entries, task.names)
        task.told(f"{day} 线索 leads", stages_done + 2)
        # A lead is about what is so now: of a day gone by nobody can look on site.
        if day == task.at.astimezone(LOCAL_TIME).date():
            leads = _open_leads(task.connection, run, run_no, placed, task.routes, task.leads_of, task.at)
    task.told(f"{day}", stages_done + _STAGES)
    return Evaluated(
        run=run, run_no=run_no, entries=entries, lead_count=leads, outside_count=placed.outside_count,
        later_count=placed.later_count, uncounted_gates=task.register.uncounted_gates,
    )  # fmt: skip


def _days_until(on: date, before: LastRun | None, law: DistanceLaw, register: Register) -> tuple[date, ...]:
    if before is None:
        return (on,)
    if on < before.law_day:
        raise DistanceRefusedError(
            f"已评估至 {before.law_day}：再评估更早的 {on} 会改写其后的结论。当日结论见 hulan distance list --on {on}"
            f" / evaluated up to {before.law_day}: to evaluate an earlier day again would overwrite what holds since;"
            f" what was found of that day: hulan distance list --on {on}"
        )
    return days_to_evaluate(law, register.places, since=before.law_day, until=on)


def measure_pair(
    connection: Connection,
    law: DistanceLaw,
    *,
    on: date,
    venue_id: UUID,
    site_id: str | None,
    walked: WalkedBy | None,
    division: str | None = None,
) -> Measurement:
    """One venue measured against one school, as evidence: by the rules of the day ``on``, with the last run's network.

    Without ``site_id`` the school that matters most is taken: a breach first, then the nearest. ``division``: of the
    venue, for a connection that sees no boundaries. Raises DistanceRefusedError if no rule binds the two, and
    MeasurementError.
    """
    before = last_run(connection)
    if before is None:
        raise DistanceRefusedError("尚未评估：请先 hulan distance evaluate / nothing was evaluated yet")
    placed = load_register(connection, division or before.division).on(on)
    venue = [one for one in placed.venues if one.venue_id == str(venue_id)]
    sites = [one for one in placed.sites if site_id in {None, one.site_id}]
    if not venue or not sites:
        raise DistanceRefusedError(
            f"登记册中没有场所 {venue_id} 或学校 {site_id or ''} / no such venue or school in the register"
        )
    network = None if walked is None else walked.network
    run = evaluate_distances(venue, sites, law, on=on, network=network, policy=policy_for(law, on))
    findings = sorted(run.findings(), key=_weight)
    if not findings:
        raise DistanceRefusedError(
            "附近没有受规则约束的学校：无须测距 / no rule binds the venue and a school near it: nothing to measure"
        )
    given = measurement_input(run, findings[0], network_on=None if walked is None else walked.network_on)
    # By the rules of the pair: whoever knows only these must come to the same text.
    return measure(replace(given, policy=policy_for(DistanceLaw(rules=given.rules), on)), network)


# ---- walk networks


def read_network(file: Path) -> WalkNetwork:
    """The walk network of a map or of lines, without fragments; or one that was saved. Raises ``FileError``."""
    if file.is_dir() or file.suffix == ".npz":
        return load_walk_network(file)
    return without_fragments(read_walk_network(file, datum=Datum.WGS84).network)


def keep_network(network: WalkNetwork, data_dir: Path) -> Path:
    """Save the network under its version, unless it is there: measurements are made again with it."""
    path = network_path(network.network_version, data_dir)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_walk_network(network, path)
    return path


def network_path(version: str, data_dir: Path) -> Path:
    """Where the network of a version is kept."""
    return data_dir / "walk" / version


def kept_network(version: str, data_dir: Path) -> WalkNetwork:
    """The network of a version. Raises DistanceRefusedError if it is not kept here, ``FileError`` if it is damaged."""
    path = network_path(version, data_dir)
    if not path.exists():
        raise DistanceRefusedError(
            f"缺少路网 {version}：应在 {path} / the walk network of this version is not kept here: restore {path}"
        )
    return load_walk_network(path)


# ---- parts


def _open_leads(
    connection: Connection,
    run: DistanceRun,
    run_no: int,
    placed: Placed,
    routes: tuple[LeadRoute, ...],
    leads_of: Sequence[Verdict],
    at: datetime,
) -> int:
    findings = list(run.findings(Verdict.BREACH, Verdict.SURVEY, Verdict.GRANDFATHERED))
    venues = {venue.venue_id: venue for venue in placed.venues}
    divisions = {venue_id: venue.division for venue_id, venue in venues.items()}
    standings = [standing_of(place.by(run.on), on=run.on) for place in placed.places if place.venue_id in venues]
    on_file = licences_on_file(placed.places, divisions)
    near = [
        replace(one, observed_as=one.observed_as & on_file.get(city_of(divisions[one.venue_id]), frozenset()))
        for one in standings
    ]
    found = [
        *distance_leads(findings),
        *unlicensed_leads(near, findings),
        *mis_registered_leads(standings),
    ]
    addresses = {place.venue_id: place.address for place in placed.places}
    places = {one: place.venue_id for place in placed.places for one in place.further_ids}
    told = [
        replace(lead, venue_ids=lead.venue_ids | {places[one] for one in lead.venue_ids if one in places})
        for lead in told_leads(connection)
    ]
    for moved, division in misplaced(told, divisions=divisions):
        routed = route_lead(routes, ground=moved.ground, categories=moved.categories, division=division)
        transfer_lead(connection, moved, division=division, routed=routed, at=at)
    proposals = untold(found, told, divisions=divisions)
    drafts = [
        LeadDraft(
            lead_id=new_id(), proposal=lead, venue_name=venues[lead.venue_id].name,
            venue_address=addresses[lead.venue_id], division=divisions[lead.venue_id], routed=routed,
        )
        for lead, routed in leads_by_regulator(routes, proposals, divisions=divisions)
        if lead.ground is not LeadGround.DISTANCE or _is_opened(lead, leads_of)
    ]  # fmt: skip
    return open_leads(connection, drafts, run_no=run_no, at=at)


def _is_opened(lead: LeadProposal, leads_of: Sequence[Verdict]) -> bool:
    """One sort of verdict decides whether there is a lead; its facts are all that somebody must look at there."""
    return Verdict.SURVEY in leads_of or (lead.is_sure and Verdict.BREACH in leads_of)


def _known_names(connection: Connection) -> dict[str, str]:
    """Of venues and sites as they were called when something was last found about them, by id."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ON (id) id, name FROM (SELECT venue_id::text AS id, venue_name AS name, finding_no"
            " FROM distance_finding UNION ALL SELECT site_id, site_name, finding_no FROM distance_finding) AS named"
            " ORDER BY id, finding_no DESC"
        )
    )
    return {row.id: row.name for row in rows}


def _weight(finding: DistanceFinding) -> tuple[bool, bool, float]:
    return (finding.verdict is not Verdict.BREACH, finding.verdict is not Verdict.SURVEY, finding.low_m)
