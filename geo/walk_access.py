"""Which ways are open to people on foot, by their OpenStreetMap tags.

After the OSM wiki, "OSM tags for routing/Access restrictions", worldwide defaults. A way that is wrongly left out hides
a venue that is near a school; one that is wrongly kept in shows a pair that an officer then measures. So what is not
clearly closed is open, and barriers on single nodes (a school's own gate, most of all) close nothing.
"""

from collections.abc import Mapping

WALKABLE_HIGHWAYS = frozenset(
    {
        "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link", "unclassified",
        "residential", "living_street", "service", "road", "track", "path", "trail", "footway", "pedestrian", "steps",
        "cycleway", "bridleway", "corridor", "crossing", "platform", "elevator", "via_ferrata",
    }
)  # fmt: skip
"""Classes that people on foot may use unless a tag says otherwise."""

FAST_HIGHWAYS = frozenset({"motorway", "motorway_link", "trunk", "trunk_link"})
"""Classes closed to people on foot unless a tag opens them; trunk roads are opened by a sidewalk too."""

_OPEN = frozenset({"yes", "designated", "permissive", "official"})
_CLOSED = frozenset({"no", "private", "use_sidepath"})
_SIDEWALKS = ("sidewalk", "sidewalk:both", "sidewalk:left", "sidewalk:right")
_NO_SIDEWALK = frozenset({"", "no", "none", "separate"})


def is_open_on_foot(tags: Mapping[str, str]) -> bool:
    """True if a way with these OSM tags may be walked; direction of traffic (``oneway``) does not matter.

    ``foot`` decides before ``access``. Ways without ``highway`` are open if they are platforms or piers.
    """
    return _is_for_people(tags) and not is_closed_on_foot(tags)


def is_closed_on_foot(tags: Mapping[str, str]) -> bool:
    """True if ``foot``, or else ``access``, shuts people out; for lines of sources without road classes too."""
    foot = tags.get("foot", "")
    return foot in _CLOSED or (tags.get("access", "") in _CLOSED and foot not in _OPEN)


def _is_for_people(tags: Mapping[str, str]) -> bool:
    highway = tags.get("highway", "")
    has_foot = tags.get("foot", "") in _OPEN
    if highway in FAST_HIGHWAYS or tags.get("motorroad") == "yes":
        is_trunk = highway not in ("motorway", "motorway_link")
        return has_foot or (is_trunk and any(tags.get(key, "") not in _NO_SIDEWALK for key in _SIDEWALKS))
    if highway:
        return highway in WALKABLE_HIGHWAYS
    return tags.get("railway") == "platform" or tags.get("man_made") == "pier"
