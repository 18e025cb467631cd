"""By which version of the method a distance is measured: an archived measurement is made again by its own."""

from enum import StrEnum


class DistanceMethod(StrEnum):
    """A new line whenever the same input could give another result or another text; an old line stays."""

    GATES_ABOVE_ONLY = "hulan-distance-2"  # the gates of a campus that nobody drew bounded its distance from above only
    GATES_IN_WALL = "hulan-distance-3"  # they bound it from below too; both distances name their own ends


METHOD = DistanceMethod.GATES_IN_WALL
