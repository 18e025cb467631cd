"""The green / yellow / red map of venues and areas for prosecutors: one HTML file that works with no network."""

from collections.abc import Sequence
from datetime import datetime

import folium
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from maps.heat_layers import BackdropFeature, area_layers, backdrop_layers, site_layers, venue_layer
from maps.heat_legend import empty_html, header_html, legend_html, notice_html
from maps.heat_records import heat_records
from maps.heat_script import HEAT_SCRIPT
from maps.heat_style import HEAT_STYLE
from maps.offline import MapAssets, OfflineMap, Script, render_page
from maps.palette import LEVEL_LOOKS
from venues.area_risk import AreaRisk
from venues.place import Site
from venues.risk import RiskPolicy, VenueRisk

_STAMP = '<div class="stamp">合成数据 SYNTHETIC DATA</div>'


def render_heatmap(
    *,
    risks: Sequence[VenueRisk],
    areas: Sequence[AreaRisk],
    sites: Sequence[Site],
    backdrop: Sequence[BackdropFeature],
    as_of: datetime,
    assets: MapAssets,
    title: str,
    synthetic: bool,
    data_note: str | None = None,
    policy: RiskPolicy | None = None,
) -> str:
    """One self-contained HTML page; the same values give the same text.

    Args:
        risks: From ``assess_venues`` at ``as_of``; empty gives a page that says so. Meant for up to about 2,500.
        areas: From ``assess_areas`` of the same risks.
        sites: Schools and kindergartens, WGS-84 polygons or points.
        backdrop: Streets, boundaries, water in light grey; the first view fits it only if there is nothing else.
        synthetic: Whether the data are made up: the page then says so at its top and on the map.
        data_note: Where the data come from and until when; shown as text.
        policy: The rule that made ``risks``; the default rule if left out.

    Raises:
        ValueError: ``risks`` or ``areas`` come from another rule version, or ``risks`` from another time, than stated.
        ExternalReferenceError: the page would load something from outside itself.
    """
    policy = policy or RiskPolicy()
    _refuse_mixed(risks, areas, as_of=as_of, policy=policy)
    ordered = sorted(risks, key=lambda risk: (-risk.level.rank, -risk.score, risk.venue.key.source_id))
    map_ = _map_of_layers(ordered, areas, sites, backdrop, bounds=_bounds(ordered, sites, backdrop))
    legend = legend_html(ordered, areas, site_count=len(sites), as_of=as_of, policy=policy, data_note=data_note)
    header = header_html(title=title, as_of=as_of, synthetic=synthetic) + notice_html(ordered, policy=policy)
    return render_page(
        map_,
        title=title,
        style=HEAT_STYLE,
        body_before=f'{header}<main><div class="stage">',
        body_after=f"{_STAMP if synthetic else ''}{empty_html(ordered)}</div>{legend}</main>",
        records=heat_records(ordered, areas, sites, policy=policy),
        page_script=HEAT_SCRIPT,
        assets=assets,
    )


def _refuse_mixed(
    risks: Sequence[VenueRisk], areas: Sequence[AreaRisk], *, as_of: datetime, policy: RiskPolicy
) -> None:
    """A legend must not describe other numbers than the ones on the map."""
    if others := {*(risk.rule_version for risk in risks), *(area.rule_version for area in areas)} - {policy.version}:
        raise ValueError(
            f"risks come from rule {sorted(others)}, the legend would say {policy.version!r}: pass their policy"
        )
    if any(risk.as_of != as_of for risk in risks):
        raise ValueError(f"some risks were not assessed at {as_of.isoformat()}: assess them at the map's as-of time")


def _map_of_layers(
    risks: Sequence[VenueRisk],
    areas: Sequence[AreaRisk],
    sites: Sequence[Site],
    backdrop: Sequence[BackdropFeature],
    *,
    bounds: tuple[float, float, float, float] | None,
) -> OfflineMap:
    """The folium map: venues of each level, areas, sites, backdrop and the control; panes, not order, stack them."""
    west, south, east, north = bounds or (73.5, 18.0, 135.0, 53.5)  # China, when there is nothing to show
    map_ = OfflineMap(
        name="heat", location=((south + north) / 2, (west + east) / 2), zoom_start=4 if bounds is None else 11
    )
    map_.add_child(Script("hulan.prepare(map_heat);"))
    layers = [
        *(venue_layer(risks, level) for level in LEVEL_LOOKS if risks),
        *area_layers(areas),
        *site_layers(sites),
        *backdrop_layers(backdrop),
    ]
    for layer in layers:
        layer.add_to(map_)
    if layers:
        control = folium.LayerControl(position="topright")
        control._id = "switch"
        control.add_to(map_)
    view = "null" if bounds is None else f"[[{south!r}, {west!r}], [{north!r}, {east!r}]]"
    map_.add_child(Script(f"hulan.finish({view});"))
    return map_


def _bounds(
    risks: Sequence[VenueRisk], sites: Sequence[Site], backdrop: Sequence[BackdropFeature]
) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the venues and sites, else of the backdrop; ``None`` if there is nothing."""
    points = [shapely.Point(risk.venue.longitude, risk.venue.latitude) for risk in risks]
    near: list[BaseGeometry] = [*points, *(site.geometry for site in sites)]
    shown = [shape for shape in near or [item.geometry for item in backdrop] if not shape.is_empty]
    if not shown:
        return None
    west, south, east, north = (float(value) for value in shapely.total_bounds(np.array(shown, dtype=object)))
    return west, south, east, north
