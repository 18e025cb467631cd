"""What is gone from a register when a file is all of it, and which file speaks of an older day. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from venues.place import SourceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a register had and the file that is all of it has not, in order of the ids."""

    gone: tuple[SourceKey, ...]
    left: tuple[SourceKey, ...]
    """Whose rows are in the file and gave nothing, or that were there on a later day than the file speaks of."""


def missing_from(
    known: Mapping[SourceKey, date | None],
    sent: Collection[SourceKey],
    *,
    still_there: Collection[str],
    data_on: date | None,
) -> Missing:
    """What is missing of ``known``, all that a register had with the last day as of which each was known.

    ``sent``: what the file has; ``still_there``: ids of rows of it that gave nothing; ``data_on``: its day.
    """
    missing = sorted(known.keys() - sent, key=lambda key: (key.source, key.source_id))
    left = {key for key in missing if key.source_id in still_there or is_older(data_on, than=known[key])}
    return Missing(
        gone=tuple(key for key in missing if key not in left), left=tuple(key for key in missing if key in left)
    )


def is_older(data_on: date | None, *, than: date | None) -> bool:
    """Whether a file speaks of an older day than one on which something is known; a day that nobody told is none."""
    return data_on is not None and than is not None and data_on < than
