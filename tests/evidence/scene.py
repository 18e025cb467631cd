"""An alert in the database with an evening of fixes, a gap among them; and such a case made of numbers only."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pypdf import PdfReader
from sqlalchemy import Engine, make_url, text

from api.app import create_app
from api.audit_chain import Algorithm
from api.clock import FixedClock
from api.database import open_engine
from api.evidence.case import EvidenceCase, TrackedFix, find_gaps
from api.explaining import FixEvidence
from api.exporting.manifest import AuditPlace
from api.exporting.pack import pack_of
from api.exporting.packing import Packing
from api.exporting.stamp import Stamp
from api.exporting.track import TrackRow
from geo.projection import near_distance_m
from geo.shapes import Circle
from tests.access.people import Browser
from tests.api.live_server import NOW, served
from tests.databases import drop_database
from tests.make import (
    BAR_LATITUDE,
    BAR_LONGITUDE,
    EVENING,
    KEYRING,
    SECRET,
    Person,
    a_bar,
    a_fix,
    a_person,
    a_worker,
    log_fixes,
)
from tracking.fix import Fix
from tracking.quality import FixFlag
from tracking.zone import Zone, ZoneKind, ZoneOrigin

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Signs what tests make; a fixed one, so that golden texts stay the same."""

BOTH = (Algorithm.SHA256, Algorithm.SM3)

PACKING = Packing(key=KEY, keyring=KEYRING, algorithms=BOTH, is_synthetic=True)

STAMP = Stamp(
    export_id=UUID("019d0b98-0000-7000-8000-000000000001"),
    made_by="wang",
    made_at=EVENING + timedelta(hours=2),
    purpose_code="verify_violation",
    purpose="核查警报",
    request_id="019d0b98-0000-7000-8000-000000000002",
)

PLACE = AuditPlace(position=412, hash="5a" * 32)


def an_evening(*, gap: bool = True) -> list[Fix]:
    """Ten minutes on the way, twenty at the bar, ten on the way back; one mock fix, and ten minutes without any."""
    rng = np.random.default_rng(3)
    fixes = []
    for minute in range(40):
        east_m = 500 - 25 * minute if minute < 10 else 3 if minute < 30 else 40 * (minute - 29)
        north_m = 120 - 12 * minute if minute < 10 else 0.0
        noise = rng.normal(0, 6, 2)
        fixes.append(
            a_fix(
                minutes=minute,
                east_m=east_m + noise[0],
                north_m=north_m + noise[1],
                accuracy_m=float(rng.integers(8, 25)),
            )
        )
    fixes[15] = replace(fixes[15], is_mock=True)
    return fixes[:17] + fixes[26:] if gap else fixes


def an_alert(engine: Engine, *, person: Person | None = None, gap: bool = True) -> tuple[Person, UUID]:
    """Somebody who was at the bar, and the alert of it."""
    if person is None:
        with engine.begin() as connection:
            a_bar(connection)
            person = a_person(connection)
    log_fixes(engine, person, an_evening(gap=gap))
    a_worker(engine).drain()
    with engine.connect() as connection:
        query = text("SELECT alert_id FROM alert WHERE subject_no = :no AND event = 'entry'")
        return person, connection.execute(query, {"no": person.subject_no}).scalar_one()


def a_case() -> EvidenceCase:
    """A case from nothing but numbers, always the same. Probabilities are made up; how they are found is tested."""
    zone = Zone(
        zone_no=1,
        zone_id=UUID(int=11),
        version=2,
        kind=ZoneKind.EXCLUSION,
        origin=ZoneOrigin.VENUE,
        name="合成酒吧 𠮷 <b>&",
        shape=Circle(longitude=BAR_LONGITUDE, latitude=BAR_LATITUDE, radius_m=35.0),
    )
    fixes = tuple(_tracked(number, fix) for number, fix in enumerate(an_evening(), start=1))
    started_at, decided_at = EVENING + timedelta(minutes=10), EVENING + timedelta(minutes=14)
    return EvidenceCase(
        alert_id=UUID("019d0b98-8c40-7b81-b097-fe52e7d84858"),
        subject_id=UUID(int=12),
        subject_no=1,
        facts=(("姓名 name", "王**"), ("区域 zone", zone.name), ("决定书 order", "合成〔2026〕1号  第 1 版 version 1")),
        statement={"violations": [{"engine_version": "2026.11-2", "policy_version": "presence-2"}]},
        notices=(("guardian", "138****0101", "sent", "2026-03-20 22:14:03", "合成短信内容", ""),),
        zone=zone,
        started_at=started_at,
        decided_at=decided_at,
        ended_at=EVENING + timedelta(minutes=31),
        fixes=fixes,
        gaps=find_gaps(fixes),
        is_synthetic=True,
    )


def _tracked(number: int, fix: Fix) -> TrackedFix:
    assert fix.accuracy_m is not None
    distance_m = near_distance_m(fix.longitude, fix.latitude, BAR_LONGITUDE, BAR_LATITUDE) - 35.0
    probability = 0.97 if distance_m < 0 else 0.02
    row = TrackRow(
        fixed_at=fix.fixed_at,
        received_at=fix.fixed_at + timedelta(seconds=2),
        sent_at=None,
        longitude=fix.longitude,
        latitude=fix.latitude,
        accuracy_m=fix.accuracy_m,
        is_accuracy_assumed=False,
        raw_longitude=fix.longitude,
        raw_latitude=fix.latitude,
        datum="WGS84",
        source="gps",
        speed_mps=None,
        altitude_m=None,
        battery_percent=80.0,
        is_mock=fix.is_mock,
        fix_key=number,
    )
    weight = FixEvidence(
        fixed_at=row.fixed_at,
        received_at=row.received_at,
        fix_key=number,
        longitude=row.longitude,
        latitude=row.latitude,
        accuracy_m=row.accuracy_m,
        signed_distance_m=distance_m,
        probability=probability,
        filtered_probability=None if fix.is_mock else probability,
        flags=int(FixFlag.MOCK) if fix.is_mock else 0,
    )
    return TrackedFix(number=number, row=row, weight=weight)


def members_of(content: bytes) -> dict[str, bytes]:
    """The files of a pack, in order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed(content: bytes, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]) -> bytes:
    """The pack with other members, packed as packs are."""
    return pack_of(change(members_of(content)))


def text_of_pdf(content: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


@contextmanager
def a_site(database_url: str, *, key: Ed25519PrivateKey = KEY) -> Iterator[Browser]:
    """A browser on a server that hands out packs."""
    engine = open_engine(database_url)
    clock = FixedClock(NOW)
    try:
        app = create_app(engine=engine, secret=SECRET, keyring=KEYRING, clock=clock, packing=replace(PACKING, key=key))
        with served(app) as client:
            yield Browser(client=client, clock=clock)
    finally:
        engine.dispose()


@contextmanager
def a_database(cluster_url: str, name: str, *, template: str) -> Iterator[str]:
    """The URL of a copy of a database; dropped afterwards."""
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    try:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield make_url(cluster_url).set(database=name).render_as_string(False)
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            drop_database(connection, name)
    finally:
        admin.dispose()
