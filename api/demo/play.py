"""The demo from beginning to end, on the synthetic evening or on a user's own files."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from api.case_file import CaseIn
from api.cases import register_case
from api.demo.cast import cases_of_people, cases_of_tracks
from api.demo.city import City, build_city
from api.demo.city_files import boundary_geojson, incident_rows, sites_geojson, streets_geojson, venues_geojson
from api.demo.evening import Evening, simulate_evening
from api.demo.feed import MessageTail, Posted, large_parts, post_all, windows
from api.demo.findings import found_violations
from api.demo.people import build_people
from api.demo.score import Score, score
from api.demo.stage import Stage, await_quiet
from api.files.incidents import read_incidents
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.tracks import read_tracks
from api.importing import ImportReport, import_venues
from api.site_import import import_sites
from tracking.fix import Fix
from venues.place import Rejected
from venues.store import save_incidents

SCORE_TOLERANCE = timedelta(minutes=10)
"""A finding this near a true visit is a finding of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CityFiles:
    """The synthetic city as files, as a register and a school list would hand it over."""

    venues: Path
    sites: Path
    streets: Path
    boundaries: Path
    incidents: Path


def write_city(city: City, folder: Path) -> CityFiles:
    """Write the city's files; the demo then imports them as anybody's."""
    folder.mkdir(parents=True, exist_ok=True)
    files = CityFiles(
        venues=folder / "venues.geojson",
        sites=folder / "sites.geojson",
        streets=folder / "streets.geojson",
        boundaries=folder / "boundaries.geojson",
        incidents=folder / "incidents.csv",
    )
    for path, content in (
        (files.venues, venues_geojson(city)),
        (files.sites, sites_geojson(city)),
        (files.streets, streets_geojson(city)),
        (files.boundaries, boundary_geojson(city)),
    ):
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    rows = incident_rows(city)
    with files.incidents.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return files


def import_places(
    engine: Engine,
    *,
    venues: Sequence[Path],
    sites: Sequence[Path],
    incidents: Sequence[Path],
    mapping: str,
    source: str | None,
    datum: Any,
    at: datetime,
) -> tuple[list[tuple[Path, ImportReport]], tuple[Rejected, ...]]:
    """Import the files of places and incidents; returns a report for each and the incidents of unknown venues."""
    categories = load_mapping(mapping)
    reports: list[tuple[Path, ImportReport]] = []
    strays: list[Rejected] = []
    with engine.begin() as connection:
        for path in venues:
            read = read_places(path, mapping=categories, datum=datum, source=source)
            reports.append((path, import_venues(connection, read, at=at)))
        for path in sites:
            read = read_places(path, mapping=categories, datum=datum, source=source)
            reports.append((path, import_sites(connection, read, at=at)))
        for path in incidents:
            found = read_incidents(path)
            saved = save_incidents(connection, found.incidents, at=at)
            strays += found.rejected
            strays += [
                Rejected(line=0, reference=item.key.source_id, field="venue", value="", reason="unknown venue")
                for item in saved.without_venue
            ]
    return reports, tuple(strays)


def register(stage: Stage, cases: Sequence[CaseIn], *, at: datetime) -> dict[str, str]:
    """Register the cases; returns the device token of each reference."""
    with stage.engine.begin() as connection:
        done = [register_case(connection, case, keyring=stage.keyring, secret=stage.secret, at=at) for case in cases]
    return {item.reference: item.token for item in done if item.token is not None}


def play(
    stage: Stage,
    parts: Iterator[tuple[str, Sequence[Fix]]],
    tokens: Mapping[str, str],
    *,
    show: Callable[[dict[str, Any]], None],
    progress: Callable[[int], None],
) -> Posted:
    """Post everything through HTTP, showing each message as it leaves; returns when all of it is evaluated and sent."""
    tail = MessageTail(stage.messages)

    def after_each(count: int) -> None:
        progress(count)
        for message in tail.new_messages():
            show(message)

    posted = post_all(stage.client, parts, tokens, after_each=after_each)
    await_quiet(stage.engine)
    after_each(0)
    return posted


def synthetic_evening() -> tuple[City, Evening, list[CaseIn]]:
    """The city, the evening and the cases; the same every time."""
    city = build_city()
    people = build_people(city)
    return city, simulate_evening(city, people), cases_of_people(people)


def evening_parts(evening: Evening) -> Iterator[tuple[str, Sequence[Fix]]]:
    """The evening's fixes in order of arrival."""
    return windows(evening.tracks)


def evening_score(engine: Engine, evening: Evening) -> Score:
    """What was found beside what happened."""
    with engine.connect() as connection:
        return score(evening.truth, found_violations(connection), tolerance=SCORE_TOLERANCE)


def own_tracks(
    path: Path, *, datum: Any, timezone: str | None, progress: Callable[[int], None]
) -> tuple[dict[str, list[Fix]], list[Rejected]]:
    """All tracks of a folder, file or archive, by subject."""
    tracks: dict[str, list[Fix]] = {}
    rejected: list[Rejected] = []
    for read in read_tracks(path, datum=datum, timezone=timezone, progress=progress):
        rejected += read.rejected
        if read.fixes:
            tracks.setdefault(read.subject_ref, []).extend(read.fixes)
    return tracks, rejected


def own_cases(tracks: Mapping[str, Sequence[Fix]]) -> list[CaseIn]:
    """One made-up order for each track."""
    return cases_of_tracks(tracks)


def own_parts(tracks: Mapping[str, Sequence[Fix]]) -> Iterator[tuple[str, Sequence[Fix]]]:
    """The tracks in large posts."""
    return large_parts(tracks)
