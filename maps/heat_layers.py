"""The layers of the heat map as folium GeoJSON: a feature carries its shape and its place in the records, no text."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import folium
import numpy as np
import shapely
from folium.utilities import JsCode
from shapely.geometry.base import BaseGeometry

from geo.cells import cell_boundary
from maps.palette import LEVEL_LOOKS, shape_svg
from venues.area_risk import AreaRisk
from venues.place import Site
from venues.risk import RiskLevel, VenueRisk

_DEGREE_DIGITS = 6  # 0.1 m


class BackdropKind(StrEnum):
    """What a line or face of the backdrop is."""

    STREET = "street"
    BOUNDARY = "boundary"
    WATER = "water"


BACKDROP_STYLES: dict[BackdropKind, dict[str, object]] = {
    BackdropKind.STREET: {"color": "#d3cfc5", "weight": 1.4, "fill": False},
    BackdropKind.BOUNDARY: {"color": "#8f8a80", "weight": 1.6, "dashArray": "7 5", "fill": False},
    BackdropKind.WATER: {"color": "#c3d5de", "weight": 1, "fillColor": "#d7e4ea", "fillOpacity": 1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackdropFeature:
    """A line or face that helps the reader to find the place; WGS-84."""

    kind: BackdropKind
    geometry: BaseGeometry


def venue_layer(risks: Sequence[VenueRisk], level: RiskLevel) -> folium.GeoJson:
    """The venues of one level; a feature carries only its place in the records."""
    look = LEVEL_LOOKS[level]
    features = [
        _feature(
            {"type": "Point", "coordinates": [round(risk.venue.longitude, 6), round(risk.venue.latitude, 6)]}, i=index
        )
        for index, risk in enumerate(risks)
        if risk.level is level
    ]
    return _layer(
        f"venues_{level}",
        f"{shape_svg(level)}场所·{look.word_zh} {look.word_en} ({len(features)})",
        features,
        point_to_layer=JsCode("hulan.venueMarker"),
        on_each_feature=JsCode("hulan.venueReady"),
    )


def area_layers(areas: Sequence[AreaRisk]) -> list[folium.GeoJson]:
    """The H3 cells, if any."""
    features = [_feature(_as_geojson(cell_boundary(area.cell)), i=index) for index, area in enumerate(areas)]
    if not features:
        return []
    return [
        _layer(
            "areas",
            f"区域 Areas ({len(features)})",
            features,
            pane="areas",
            style=JsCode("hulan.areaStyle"),
            on_each_feature=JsCode("hulan.areaReady"),
        )
    ]


def site_layers(sites: Sequence[Site]) -> list[folium.GeoJson]:
    """Schools, if any: the ground where it is known, and a sign on every one."""
    features = []
    for index, site in enumerate(sites):
        if site.geometry.is_empty:
            continue
        if site.geometry.geom_type not in ("Point", "MultiPoint"):
            features.append(_feature(_as_geojson(site.geometry), i=index))
        features.append(_feature(_as_geojson(site.geometry.representative_point()), i=index))
    if not features:
        return []
    return [
        _layer(
            "sites",
            f"学校 Schools ({len(sites)})",
            features,
            pane="grounds",
            style=JsCode("hulan.groundStyle"),
            point_to_layer=JsCode("hulan.siteMarker"),
            on_each_feature=JsCode("hulan.siteReady"),
        )
    ]


def backdrop_layers(backdrop: Sequence[BackdropFeature]) -> list[folium.GeoJson]:
    """The backdrop, if any, on a canvas: a city has tens of thousands of streets."""
    order = (BackdropKind.WATER, BackdropKind.STREET, BackdropKind.BOUNDARY)
    features = [
        _feature(_as_geojson(item.geometry), kind=str(item.kind))
        for item in sorted(backdrop, key=lambda item: order.index(item.kind))
        if not item.geometry.is_empty and item.geometry.geom_type not in ("Point", "MultiPoint")
    ]
    if not features:
        return []
    return [
        _layer(
            "backdrop",
            "底图线条 Backdrop lines",
            features,
            pane="backdrop",
            renderer=JsCode('L.canvas({pane: "backdrop", padding: 0.5})'),
            interactive=False,
            style=JsCode("hulan.backdropStyle"),
        )
    ]


def _layer(name: str, label: str, features: list[dict[str, Any]], **options: Any) -> folium.GeoJson:
    """A GeoJSON layer with a fixed element name; ``label`` is markup of our own."""
    layer = folium.GeoJson({"type": "FeatureCollection", "features": features}, name=label, **options)
    layer._id = name
    return layer


def _feature(geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _as_geojson(geometry: BaseGeometry) -> dict[str, Any]:
    """GeoJSON in degrees, rounded to 0.1 m."""
    rounded = shapely.transform(geometry, lambda points: np.round(points, _DEGREE_DIGITS))
    return dict(shapely.geometry.mapping(rounded))
