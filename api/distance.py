"""The law of distance over the register: every venue against every site, what changed, and the leads that follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

from shapely.geometry import MultiPolygon, Polygon
from sqlalchemy import Connection, select, text

from api.files.saved_walk_network import load_walk_network, save_walk_network
from api.files.walk_network import read_walk_network
from api.ids import new_id
from geo.datum import Datum
from geo.postgis import from_element
from geo.shapes import Area
from geo.walk_network import WalkNetwork, without_fragments
from tracking.local_time import LOCAL_TIME
from tracking.store import zone_table
from tracking.zone import ZoneOrigin
from venues.distance import DistanceFinding, DistanceRun, evaluate_distances
from venues.distance_ends import DistancePolicy, PlacedVenue, ProtectedSite
from venues.distance_history import HistoryEntry, days_to_evaluate, entries_for, record_of
from venues.distance_law import DistanceLaw
from venues.distance_store import (
    LastRun,
    RunMade,
    last_run,
    load_gates,
    load_history,
    load_places,
    save_rules,
    save_run,
)
from venues.distance_verdict import Verdict
from venues.division_of import divisions_of
from venues.lead_pattern import LeadGround, LeadProposal, distance_leads, mis_registered_leads, unlicensed_leads
from venues.lead_route import LeadRoute, leads_by_regulator, route_lead
from venues.lead_store import LeadDraft, open_leads, told_leads, transfer_lead
from venues.lead_told import misplaced, untold
from venues.measurement import Measurement, measure, measurement_input
from venues.register_facts import RegisteredPlace, licences_on_file, placed_venue, standing_of
from venues.school_site import join_sites
from venues.site_gates import sites_with_gates
from venues.store import load_sites


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

    def count(self, verdict: Verdict) -> int:
        """How many pairs of a venue and a campus have this verdict by the rule that won."""
        return int((self.run.rows.verdict[self.run.rows.is_winning] == verdict).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The register as the law of distance sees it."""

    venues: tuple[PlacedVenue, ...]
    sites: tuple[ProtectedSite, ...]
    places: tuple[RegisteredPlace, ...]
    """Also those without position or category."""
    gate_count: int
    outside_count: int = 0
    """Venues in none of the imported boundaries."""

    @property
    def names(self) -> dict[str, str]:
        """Of venues and sites, by id."""
        return {one.venue_id: one.name for one in self.venues} | {one.site_id: one.name for one in self.sites}


def evaluate_register(
    connection: Connection,
    law: DistanceLaw,
    routes: tuple[LeadRoute, ...],
    *,
    on: date,
    at: datetime,
    made_by: str,
    division: str,
    walked: WalkedBy | None,
    policy: DistancePolicy | None = None,
    leads_of: Sequence[Verdict] = (Verdict.BREACH,),
    say: Callable[[str], None] = lambda _: None,
) -> list[Evaluated]:
    """Evaluate the day ``on`` (Asia/Shanghai), and before it each day since the last run on which law or papers change.

    Venues in none of the boundaries that were imported count as in ``division``. The law's versions, the runs and what
    they change are stored; if ``on`` is the day of ``at`` (aware), venues whose verdict is one of ``leads_of`` become
    leads, once, and so do those that the patterns of licences and registrations find. Of a day to come it is told what
    would change, and nothing is kept. Raises DistanceRefusedError without venues or sites and for a day before the
    last run, and ValueError as ``evaluate_distances``.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('distance'))"))
    # Of a register that was imported just now the planner knows nothing, and takes minutes instead of a second.
    connection.execute(text("ANALYZE venue, venue_source_record, distance_finding"))
    placed = load_placed(connection, division, on=on)
    if not placed.venues or not placed.sites:
        raise DistanceRefusedError(
            "登记册中没有场所或没有学校：请先 hulan import venues、hulan import sites"
            " / the register has no venue, or no school: import them first"
        )
    today = at.astimezone(LOCAL_TIME).date()
    days = _days_until(on, last_run(connection), law, placed)
    if on <= today:
        save_rules(connection, law.rules, at=at)
    history = load_history(connection)
    known = _known_names(connection) | placed.names
    found: list[Evaluated] = []
    for day in days:
        say(f"{day.isoformat()}：{len(placed.venues):,} × {len(placed.sites):,}")
        run = evaluate_distances(
            placed.venues,
            placed.sites,
            law,
            on=day,
            network=None if walked is None else walked.network,
            policy=policy or DistancePolicy(),
        )
        entries = entries_for(history, map(record_of, run.findings()), on=day, recorded_at=at)
        history.extend(entries)
        if on > today:
            found.append(
                Evaluated(run=run, run_no=None, entries=entries, lead_count=0, outside_count=placed.outside_count)
            )
            continue
        made = RunMade(
            run_id=new_id(), at=at, made_by=made_by, division=division,
            network_on=None if walked is None else walked.network_on, gate_count=placed.gate_count,
        )  # fmt: skip
        run_no = save_run(connection, run, made, entries, known)
        # A lead is about what is so now: of a day gone by nobody can look on site.
        leads = _open_leads(connection, run, run_no, placed, routes, leads_of, at) if day == today else 0
        found.append(
            Evaluated(
                run=run, run_no=run_no, entries=entries, lead_count=leads, outside_count=placed.outside_count
            )
        )  # fmt: skip
    return found


def _days_until(on: date, before: LastRun | None, law: DistanceLaw, placed: Placed) -> tuple[date, ...]:
    if before is None:
        return (on,)
    if on < before.law_day:
        raise DistanceRefusedError(
            f"已评估至 {before.law_day}：再评估更早的 {on} 会改写其后的结论。当日结论见 hulan distance list --on {on}"
            f" / evaluated up to {before.law_day}: to evaluate an earlier day again would overwrite what holds since;"
            f" what was found of that day: hulan distance list --on {on}"
        )
    return days_to_evaluate(law, placed.venues, since=before.law_day, until=on)


def load_placed(connection: Connection, division: str, *, on: date) -> Placed:
    """The register as it is now, doors as on the day ``on``. A venue in none of the boundaries is in ``division``."""
    gates, places = load_gates(connection), load_places(connection)
    points = [(place, point) for place in places if (point := place.point) is not None]
    divisions = divisions_of(
        longitude=[point.x for _, point in points],
        latitude=[point.y for _, point in points],
        areas=load_boundaries(connection),
    )
    found = [(placed_venue(place, division=code or division, on=on), code)
             for (place, _), code in zip(points, divisions, strict=True)]  # fmt: skip
    imported_at = connection.execute(text("SELECT max(imported_at) FROM site")).scalar_one()
    data_on = None if imported_at is None else imported_at.astimezone(LOCAL_TIME).date()
    return Placed(
        venues=tuple(venue for venue, _ in found if venue is not None),
        sites=sites_with_gates(join_sites(load_sites(connection)), gates, data_on=data_on, is_dated_by_import=True),
        places=places,
        gate_count=len(gates),
        outside_count=sum(venue is not None and not code for venue, code in found),
    )


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
    placed = load_placed(connection, division or before.division, on=on)
    venue = [one for one in placed.venues if one.venue_id == str(venue_id)]
    sites = [one for one in placed.sites if site_id in {None, one.site_id}]
    if not venue or not sites:
        raise DistanceRefusedError(
            f"登记册中没有场所 {venue_id} 或学校 {site_id or ''} / no such venue or school in the register"
        )
    network = None if walked is None else walked.network
    run = evaluate_distances(venue, sites, law, on=on, network=network, policy=DistancePolicy())
    findings = sorted(run.findings(), key=_weight)
    if not findings:
        raise DistanceRefusedError(
            "附近没有受规则约束的学校：无须测距 / no rule binds the venue and a school near it: nothing to measure"
        )
    given = measurement_input(run, findings[0], network_on=None if walked is None else walked.network_on)
    return measure(given, network)


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
    standings = [standing_of(place, on=run.on) for place in placed.places if place.venue_id in venues]
    on_file = licences_on_file(placed.places)
    found = [
        *distance_leads(findings),
        *unlicensed_leads([replace(one, observed_as=one.observed_as & on_file) for one in standings], findings),
        *mis_registered_leads(standings),
    ]
    addresses = {place.venue_id: place.address for place in placed.places}
    divisions = {venue_id: venue.division for venue_id, venue in venues.items()}
    told = told_leads(connection)
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


def load_boundaries(connection: Connection) -> dict[str, Area]:
    """The administrative boundaries that were imported, by code."""
    query = select(zone_table.c.source_id, zone_table.c.geometry).where(
        zone_table.c.origin == str(ZoneOrigin.BOUNDARY), zone_table.c.superseded_at.is_(None)
    )
    return {
        row.source_id: Area(geometry=geometry)
        for row in connection.execute(query)
        if len(row.source_id) == 6
        and row.source_id.isdigit()
        and isinstance(geometry := from_element(row.geometry), Polygon | MultiPolygon)
    }
