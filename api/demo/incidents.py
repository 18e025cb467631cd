"""What happened at the venues of the synthetic city over the 18 months before the demo evening."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from api.demo.schools import SOURCE
from venues.category import VenueCategory
from venues.place import IncidentKind, SourceKey, Venue, VenueIncident

PERIOD = timedelta(days=548)
"""18 months."""
_TROUBLED = (
    "venue/bar-lane-01",
    "venue/bar-lane-04",
    "venue/bar-lane-09",
    "venue/mall-01",
    "venue/mall-03",
    "venue/cafe-station",
    "venue/bar-harbour",
)
"""Venues with a record whatever the seed is: those of the evening among them."""
_LIKELY = frozenset(
    {
        VenueCategory.BAR,
        VenueCategory.KTV,
        VenueCategory.INTERNET_CAFE,
        VenueCategory.HOTEL,
        VenueCategory.NIGHTCLUB,
    }
)


def build_incidents(venues: Sequence[Venue], until: datetime, rng: np.random.Generator) -> tuple[VenueIncident, ...]:
    """Many incidents at about 12 venues, a few at about 45, none at the rest; all before ``until`` (aware)."""
    likely = [venue for venue in venues if venue.category in _LIKELY and venue.key.source_id not in _TROUBLED]
    drawn = [likely[place] for place in rng.permutation(len(likely))]
    hot = [venue for venue in venues if venue.key.source_id in _TROUBLED] + drawn[:5]
    warm = drawn[5:40] + [venue for venue in venues if venue.category is VenueCategory.TOBACCO][::6]
    found: list[tuple[datetime, Venue, IncidentKind]] = []
    for venue in hot:
        kinds = [IncidentKind.POLICE_CALL] * int(rng.integers(4, 9))
        kinds += [IncidentKind.PENALTY] * int(rng.integers(2, 4)) + [IncidentKind.CRIMINAL_CASE] * int(
            rng.integers(1, 3)
        )
        found += [(_night(until, 1.8, rng), venue, kind) for kind in kinds]
    for venue in warm:
        kinds = [IncidentKind.POLICE_CALL] * int(rng.integers(1, 4)) + [IncidentKind.PENALTY] * int(rng.integers(0, 2))
        found += [(_night(until, 1.0, rng), venue, kind) for kind in kinds]
    found.sort(key=lambda row: (row[0], row[1].key.source_id))
    return tuple(
        VenueIncident(
            key=SourceKey(source=SOURCE, source_id=f"incident/{number:04d}"),
            venue_key=venue.key,
            kind=kind,
            occurred_at=occurred_at,
            involves_minor=bool(rng.random() < 0.8),
        )
        for number, (occurred_at, venue, kind) in enumerate(found, start=1)
    )


def _night(until: datetime, recency: float, rng: np.random.Generator) -> datetime:
    """An evening or night hour of the period; a larger ``recency`` puts more of them near its end. Aware."""
    days_ago = 1 + int((PERIOD.days - 1) * rng.random() ** recency)
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    return midnight + timedelta(minutes=int(rng.normal(22 * 60, 120)))
