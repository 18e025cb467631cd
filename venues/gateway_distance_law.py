"""Reads the law of distance that Hulan ships, and what an office adds to it, from disk."""

from pathlib import Path

from venues.distance_law import DistanceLaw, DistanceLawError, read_distance_law

SHIPPED = Path(__file__).with_name("distance_law.toml")


def load_distance_law(own: Path | None = None) -> DistanceLaw:
    """The shipped law; a rule in the office's ``own`` file is added, or replaces the shipped one of its id.

    Raises DistanceLawError naming the file if it is not there or cannot be right.
    """
    shipped = _read(SHIPPED)
    return shipped if own is None else shipped.replaced_by(_read(own))


def _read(path: Path) -> DistanceLaw:
    try:
        return read_distance_law(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DistanceLawError(f"无法读取规则文件 cannot read the file of rules {path}: {error.strerror}") from error
    except (DistanceLawError, UnicodeDecodeError) as error:
        raise DistanceLawError(f"{path}: {error}") from error
