"""What a row is beside its first category is no place of its own to the law: which rows stand for which. Pure.

Identity knows them apart, and each has a zone; but papers, doors and visits are of the one business that the row names.
"""

from collections.abc import Collection, Iterable, Mapping


def standing_rows(
    inside: Iterable[tuple[int, int]], codes: Mapping[int, Collection[str]] | None = None
) -> dict[int, int]:
    """By number of each place that is one with others, the number of the one that stands for all of these.

    ``inside``: places by the numbers of their rows, that of a further category with that of its row. ``codes``: the
    codes (统一社会信用代码) on record of a place; of two of which each has its own neither is the other's. It is not
    told of places that are by themselves.
    """
    found: dict[int, int] = {}
    members: dict[int, set[int]] = {}
    own: dict[int, set[str]] = {}

    def top_of(place: int) -> int:
        if place not in found:
            found[place], members[place], own[place] = place, {place}, set((codes or {}).get(place, ()))
        return found[place]

    for further, row in sorted(set(inside)):
        low, high = top_of(further), top_of(row)
        if low == high or (own[low] and own[high] and own[low].isdisjoint(own[high])):
            continue
        for place in members[low]:
            found[place] = high
        members[high] |= members.pop(low)
        own[high] |= own.pop(low)
    return {place: top for place, top in found.items() if len(members[top]) > 1}
