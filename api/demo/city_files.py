"""The city as GeoJSON and as rows: what a register, a school list and a police extract would hand over."""

from collections.abc import Iterable
from typing import Any

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from api.demo.city import City


def venues_geojson(city: City) -> dict[str, Any]:
    """One feature per venue, WGS-84: ``id``, ``name``, ``category`` (a :class:`VenueCategory` value), ``address``."""
    return _collection(
        _feature(
            venue.key.source_id,
            venue.geometry,
            name=venue.name,
            category=venue.category.value,
            address=venue.address,
        )
        for venue in city.venues
    )


def sites_geojson(city: City) -> dict[str, Any]:
    """One polygon per school or kindergarten, WGS-84; its ``category`` is a :class:`SiteCategory` value."""
    return _collection(
        _feature(site.key.source_id, site.geometry, name=site.name, category=site.category.value) for site in city.sites
    )


def gates_geojson(city: City) -> dict[str, Any]:
    """One point per gate, WGS-84: ``category`` is ``gate``, ``kind`` student, service or closed, ``site_id``."""
    names = {site.key: site.name for site in city.sites}
    return _collection(
        _feature(
            gate.key.source_id,
            gate.point,
            name=names[gate.site_key],
            category="gate",
            kind=gate.kind,
            site_id=gate.site_key.source_id,
        )
        for gate in city.gates
    )


def streets_geojson(city: City) -> dict[str, Any]:
    """Streets and bridges as lines and the river as a polygon, WGS-84; ``category`` street, bridge or river."""
    features = [
        _feature(
            street.street_id,
            street.line,
            name=street.name,
            category="bridge" if street.kind == "bridge" else "street",
            kind=street.kind,
        )
        for street in city.streets
    ]
    return _collection([*features, _feature("river/1", city.river, name="云泽河", category="river")])


def boundary_geojson(city: City) -> dict[str, Any]:
    """City and district boundary, WGS-84; ``category`` city_boundary or district_boundary."""
    return _collection(
        [
            _feature("boundary/city", city.city_boundary, name=city.name, category="city_boundary"),
            _feature("boundary/district", city.district_boundary, name="泽东区（合成）", category="district_boundary"),
        ]
    )


def incident_rows(city: City) -> list[dict[str, str]]:
    """One row per incident, text only; ``occurred_at`` is ISO 8601 with the offset of Asia/Shanghai."""
    return [
        {
            "source": incident.key.source,
            "source_id": incident.key.source_id,
            "venue_source": incident.venue_key.source,
            "venue_source_id": incident.venue_key.source_id,
            "kind": incident.kind.value,
            "occurred_at": incident.occurred_at.isoformat(),
            "involves_minor": "true" if incident.involves_minor else "false",
        }
        for incident in city.incidents
    ]


def _feature(feature_id: str, geometry: BaseGeometry, **properties: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": feature_id,
        "geometry": mapping(geometry),
        "properties": {"id": feature_id, **properties},
    }


def _collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}
