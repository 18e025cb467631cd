"""The venue heatmap from what the register holds."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Connection

from maps.gateway_assets import find_assets
from maps.heat import render_heatmap
from maps.heat_layers import BackdropFeature
from tracking.local_time import LOCAL_TIME
from venues.area_risk import assess_areas
from venues.place import SourceKey, Venue, VenueIncident
from venues.risk import RiskPolicy, VenueExposure, VenueRisk, assess_venues
from venues.store import load_incidents, load_sites, load_venues


def write_heatmap(
    connection: Connection,
    out: Path,
    *,
    as_of: datetime,
    title: str,
    backdrop: Sequence[BackdropFeature] = (),
    synthetic: bool = False,
    assets_dir: Path | None = None,
) -> tuple[VenueRisk, ...]:
    """Assess every venue as of an aware instant and write one self-contained HTML page; returns the assessments."""
    policy = RiskPolicy()
    on = as_of.astimezone(LOCAL_TIME).date()
    venues, incidents = load_venues(connection, on=on), load_incidents(connection, on=on)
    risks = assess_venues(_exposures(venues, incidents), incidents, as_of=as_of, policy=policy)
    html = render_heatmap(
        risks=risks,
        areas=assess_areas(risks, policy=policy),
        sites=load_sites(connection),
        backdrop=backdrop,
        as_of=as_of,
        assets=find_assets(assets_dir),
        title=title,
        synthetic=synthetic,
        data_note=_data_note(venues, incidents),
        policy=policy,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html, encoding="utf-8")
    return risks


def _exposures(venues: Sequence[Venue], incidents: Sequence[VenueIncident]) -> list[VenueExposure]:
    """Incident data are taken to cover the whole register from the oldest incident on: before that nobody counted."""
    oldest = min((item.occurred_at for item in incidents), default=None)
    since = None if oldest is None else oldest.astimezone(LOCAL_TIME).date()
    return [_exposure(venue, since) for venue in venues]


def _exposure(venue: Venue, observed_from: date | None) -> VenueExposure:
    point = venue.geometry.representative_point()
    return VenueExposure(
        key=SourceKey(source=venue.key.source, source_id=venue.key.source_id),
        name=venue.name,
        category=venue.category,
        longitude=point.x,
        latitude=point.y,
        observed_from=observed_from,
    )


def _data_note(venues: Sequence[Venue], incidents: Sequence[VenueIncident]) -> str:
    sources = "、".join(sorted({venue.key.source for venue in venues})) or "无 none"
    osm = "；含 OpenStreetMap 数据 © OpenStreetMap contributors, ODbL" if "osm" in sources else ""
    return f"场所来源 sources: {sources}；警情、处罚、案件 incidents: {len(incidents)}{osm}"
