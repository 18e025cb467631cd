"""Police calls, penalties and criminal cases at venues, from CSV. A row names its venue by the venue's source key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from api.files.cells import CellError, parse_flag, parse_instant
from api.files.columns import INCIDENT_COLUMNS, first_cell
from api.files.tables import Progress, Row, read_table
from api.files.text import open_text
from venues.place import IncidentKind, Rejected, SourceKey, VenueIncident

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_NEEDED = ("source_id", "venue_source", "venue_source_id", "kind", "occurred_at")
_KINDS = {
    **{kind.value: kind for kind in IncidentKind},
    "警情": IncidentKind.POLICE_CALL,
    "涉未警情": IncidentKind.POLICE_CALL,
    "行政处罚": IncidentKind.PENALTY,
    "刑事案件": IncidentKind.CRIMINAL_CASE,
    "刑事犯罪": IncidentKind.CRIMINAL_CASE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsRead:
    """The good incidents, in file order, and the rejected rows."""

    incidents: tuple[VenueIncident, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def read_incidents(path: Path | str, *, source: str | None = None, progress: Progress | None = None) -> IncidentsRead:
    """The incidents of the CSV file at ``path``.

    Columns ``source_id``, ``venue_source``, ``venue_source_id``, ``kind`` (``police_call``, ``penalty``,
    ``criminal_case`` or 警情, 行政处罚, 刑事案件), ``occurred_at`` (a date or ISO 8601; without an offset
    Asia/Shanghai; a bare date is its midnight) and optional ``involves_minor`` (without the column: true, for such
    a file lists just those). ``source`` names the register; the default is the file's stem. The first row of an id
    is kept.

    Raises MissingColumn, UnreadableFile and OSError.
    """
    file = Path(path)
    incidents: dict[str, VenueIncident] = {}
    rejected: list[Rejected] = []
    with file.open("rb") as stream, open_text(stream) as text:
        table = read_table(text, file=file.name)
        for column in _NEEDED:
            table.need(column, INCIDENT_COLUMNS[column])
        for row in table.rows:
            if isinstance(row, Rejected):
                rejected.append(row)
                continue
            try:
                incident = _incident(row, source=source or file.stem, known=incidents)
            except CellError as error:
                source_id = first_cell(row.cells, INCIDENT_COLUMNS["source_id"]).strip()
                rejected.append(error.rejected(line=row.line, reference=source_id))
                continue
            incidents[incident.key.source_id] = incident
    if progress is not None:
        progress(len(incidents) + len(rejected))
    return IncidentsRead(incidents=tuple(incidents.values()), rejected=tuple(rejected))


def _incident(row: Row, *, source: str, known: Mapping[str, VenueIncident]) -> VenueIncident:
    def named(field: str) -> str:
        value = first_cell(row.cells, INCIDENT_COLUMNS[field]).strip()
        if not value:
            raise CellError(field=field, value="", reason=f"缺值 / {field} is empty: fill it in")
        return value

    source_id = named("source_id")
    if source_id in known:
        raise CellError(
            field="source_id", value=source_id, reason="编号重复，已保留前一行 / duplicate id: the first was kept"
        )
    kind = _KINDS.get(named("kind").casefold())
    if kind is None:
        reason = f"类型无法识别 / unknown kind: write one of {', '.join(_KINDS)}"
        raise CellError(field="kind", value=named("kind"), reason=reason)
    has_flag = any(column in row.cells for column in INCIDENT_COLUMNS["involves_minor"])
    minor = first_cell(row.cells, INCIDENT_COLUMNS["involves_minor"])
    return VenueIncident(
        key=SourceKey(source=source, source_id=source_id),
        venue_key=SourceKey(source=named("venue_source"), source_id=named("venue_source_id")),
        kind=kind,
        occurred_at=parse_instant(named("occurred_at"), field="occurred_at", timezone=_SHANGHAI, is_date_enough=True),
        involves_minor=parse_flag(minor, field="involves_minor") if has_flag else True,
    )
