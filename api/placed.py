"""The register as the law of distance sees it on a day: loaded once, placed for each day that is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from shapely.geometry import MultiPolygon, Polygon
from sqlalchemy import Connection, select

from geo.postgis import from_element
from geo.shapes import Area
from tracking.store import zone_table
from tracking.zone import ZoneOrigin
from venues.distance_ends import PlacedVenue, ProtectedSite
from venues.distance_store import load_places
from venues.division_of import divisions_of
from venues.gate_store import load_gates
from venues.register_facts import RegisteredPlace, placed_venue
from venues.school_site import join_sites
from venues.site_gates import sites_with_gates, uncounted_gates
from venues.store import load_sites


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The register of one day."""

    venues: tuple[PlacedVenue, ...]
    sites: tuple[ProtectedSite, ...]
    places: tuple[RegisteredPlace, ...]
    """Also those without position or category."""
    outside_count: int
    """Venues in none of the imported boundaries."""
    later_count: int
    """Those that the law will see, of which the register says nothing before a later day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """The register as it is now, with all its days."""

    places: tuple[RegisteredPlace, ...]
    """Also those without position or category."""
    codes: Mapping[str, str | None]
    """By id of each venue with a position, its division by the imported boundaries."""
    division: str
    """Of venues in none of them, six digits."""
    sites: tuple[ProtectedSite, ...]
    gate_count: int
    uncounted_gates: tuple[str, ...]
    """Gates that name a school and are none of its gates, by id."""

    @property
    def names(self) -> dict[str, str]:
        """Of venues and sites, by id."""
        return {one.venue_id: one.name for one in self.places} | {one.site_id: one.name for one in self.sites}

    def on(self, day: date) -> Placed:
        """The register with doors, operators and visits as of a day; schools and gates are as they are now."""
        found: list[PlacedVenue] = []
        outside = later = 0
        for place in self.places:
            code = self.codes.get(place.venue_id)
            venue = placed_venue(place, division=code or self.division, on=day)
            if venue is not None:
                found.append(venue)
                outside += code is None
            elif place.categories and place.outline is not None:
                later += not place.by(day).rows
        return Placed(
            venues=tuple(found), sites=self.sites, places=self.places, outside_count=outside, later_count=later
        )


def load_register(connection: Connection, division: str) -> Register:
    """The register as it is now. A venue in none of the boundaries is in ``division``."""
    gates, places = load_gates(connection), load_places(connection)
    points = [(place.venue_id, point) for place in places if (point := place.point) is not None]
    divisions = divisions_of(
        longitude=[point.x for _, point in points],
        latitude=[point.y for _, point in points],
        areas=load_boundaries(connection),
    )
    sites = sites_with_gates(join_sites(load_sites(connection)), gates)
    return Register(
        places=places,
        codes=dict(zip((venue_id for venue_id, _ in points), divisions, strict=True)),
        division=division,
        sites=sites,
        gate_count=len(gates),
        uncounted_gates=uncounted_gates(sites, gates),
    )


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
