"""Reads the law of distance and the table of regulators that Hulan ships, and what an office adds, from disk."""

from pathlib import Path

from venues.distance_law import DistanceLaw, DistanceLawError, read_distance_law
from venues.lead_route import LeadRoute, RouteError, read_lead_routes

SHIPPED = Path(__file__).with_name("distance_law.toml")
SHIPPED_ROUTES = Path(__file__).with_name("lead_routes.toml")


def load_distance_law(own: Path | None = None) -> DistanceLaw:
    """The shipped law; a rule in the office's ``own`` file is added, or replaces the shipped one of its id.

    Raises DistanceLawError naming the file if it is not there or cannot be right.
    """
    shipped = _read(SHIPPED)
    return shipped if own is None else shipped.replaced_by(_read(own))


def load_lead_routes(own: Path | None = None) -> tuple[LeadRoute, ...]:
    """The shipped table and the rows of the office's ``own`` file, which win over equally local ones.

    Raises RouteError naming the file if it is not there or cannot be right.
    """
    shipped = _read_routes(SHIPPED_ROUTES)
    return shipped if own is None else (*shipped, *_read_routes(own))


def _read(path: Path) -> DistanceLaw:
    try:
        return read_distance_law(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DistanceLawError(f"无法读取规则文件 cannot read the file of rules {path}: {error.strerror}") from error
    except (DistanceLawError, UnicodeDecodeError) as error:
        raise DistanceLawError(f"{path}: {error}") from error


def _read_routes(path: Path) -> tuple[LeadRoute, ...]:
    try:
        return read_lead_routes(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RouteError(f"无法读取移送表 cannot read the table of regulators {path}: {error.strerror}") from error
    except (RouteError, UnicodeDecodeError) as error:
        raise RouteError(f"{path}: {error}") from error
