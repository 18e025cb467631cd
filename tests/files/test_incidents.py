"""Incidents from CSV, in Chinese or English words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.files.errors import MissingColumn
from api.files.incidents import IncidentsRead, read_incidents
from venues.place import IncidentKind, SourceKey

HEADER = "source_id,venue_source,venue_source_id,kind,occurred_at,involves_minor\n"


def read_rows(folder: Path, rows: str, *, header: str = HEADER) -> IncidentsRead:
    path = folder / "police.csv"
    path.write_text(header + rows, "utf-8-sig")
    return read_incidents(path)


def test_an_incident_names_its_venue(tmp_path: Path) -> None:
    (incident,) = read_rows(tmp_path, "J1,osm,node/9,警情,2024-05-01T22:30:00,是\n").incidents
    assert incident.key == SourceKey(source="police", source_id="J1")
    assert incident.venue_key == SourceKey(source="osm", source_id="node/9")
    assert (incident.kind, incident.involves_minor) == (IncidentKind.POLICE_CALL, True)
    assert incident.occurred_at == datetime(2024, 5, 1, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("police_call", IncidentKind.POLICE_CALL),
        ("penalty", IncidentKind.PENALTY),
        ("行政处罚", IncidentKind.PENALTY),
        ("criminal_case", IncidentKind.CRIMINAL_CASE),
        ("刑事案件", IncidentKind.CRIMINAL_CASE),
    ],
)
def test_kinds(tmp_path: Path, word: str, kind: IncidentKind) -> None:
    (incident,) = read_rows(tmp_path, f"J1,osm,node/9,{word},2024-05-01,否\n").incidents
    assert (incident.kind, incident.involves_minor) == (kind, False)
    assert incident.occurred_at == datetime(2024, 4, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",osm,node/9,警情,2024-05-01,是", "source_id"),
        ("J2,,node/9,警情,2024-05-01,是", "venue_source"),
        ("J2,osm,,警情,2024-05-01,是", "venue_source_id"),
        ("J2,osm,node/9,打架,2024-05-01,是", "kind"),
        ("J2,osm,node/9,警情,1 May,是", "occurred_at"),
        ("J2,osm,node/9,警情,2024-05-01,", "involves_minor"),
        ("J1,osm,node/9,警情,2024-05-01,是", "source_id"),
    ],
)
def test_a_bad_row_is_rejected_and_the_others_are_kept(tmp_path: Path, row: str, field: str) -> None:
    good = "osm,node/9,警情,2024-05-01,是"
    read = read_rows(tmp_path, f"J1,{good}\n{row}\nJ3,{good}\n")
    assert [(rejection.line, rejection.field) for rejection in read.rejected] == [(3, field)]
    assert [incident.key.source_id for incident in read.incidents] == ["J1", "J3"]


def test_a_file_without_the_flag_lists_incidents_with_minors(tmp_path: Path) -> None:
    header = "id,venue_source,venue_source_id,kind,occurred_at\n"
    (incident,) = read_rows(tmp_path, "J1,osm,node/9,警情,2024-05-01\n", header=header).incidents
    assert incident.involves_minor


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn, match="venue_source"):
        read_rows(tmp_path, "", header="id,kind,occurred_at\n")
