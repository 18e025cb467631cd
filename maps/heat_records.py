"""What the popups of the heat map say, as plain values; the page shows every text in them as text."""

import math
from collections.abc import Sequence

from maps.heat_layers import BACKDROP_STYLES
from maps.palette import LEVEL_LOOKS
from venues.area_risk import AreaRisk
from venues.category import CATEGORY_NAMES_ZH, SiteCategory, VenueCategory
from venues.place import Site
from venues.risk import RiskLevel, RiskPolicy, VenueRisk

FIRST_COUNT = 10
"""Venues in the list of those to look at first."""


def heat_records(
    risks: Sequence[VenueRisk], areas: Sequence[AreaRisk], sites: Sequence[Site], *, policy: RiskPolicy
) -> dict[str, object]:
    """Everything that the popups say; every text in it is shown as text."""
    return {
        "rule": policy.version,
        "looks": {
            level: {
                "fill": look.fill,
                "edge": look.edge,
                "path": look.shape_path,
                "zh": look.word_zh,
                "en": look.word_en,
                "rank": level.rank,
                "area": look.area_opacity,
            }
            for level, look in LEVEL_LOOKS.items()
        },
        "backdrop": BACKDROP_STYLES,
        "venues": [_venue_record(risk) for risk in risks],
        "areas": [_area_record(area) for area in areas],
        "sites": [_site_record(site) for site in sites],
        "first": [index for index, risk in enumerate(risks[:FIRST_COUNT]) if risk.level.rank >= RiskLevel.YELLOW.rank],
    }


def _venue_record(risk: VenueRisk) -> dict[str, object]:
    venue = risk.venue
    return {
        "name": venue.name,
        "level": risk.level,
        "category": _category(venue.category),
        "score": f"{math.floor(risk.score * 100) / 100:.2f}",
        "count": len(risk.incidents),
        "reasons": [[reason.date.isoformat(), reason.text_zh, reason.text_en] for reason in risk.reasons],
        "source": f"{venue.key.source} {venue.key.source_id}",
    }


def _area_record(area: AreaRisk) -> dict[str, object]:
    fewer = f"少于{area.minimum_count}件 fewer than {area.minimum_count}"
    return {
        "cell": f"{area.cell:x}",
        "level": area.level,
        "suppressed": area.suppressed,
        "venues": area.venue_count,
        "km2": f"{area.area_km2:.3f}",
        "incidents": fewer if area.incident_count is None else str(area.incident_count),
        "score": "不显示 not shown" if area.score_per_km2 is None else f"{area.score_per_km2:.1f}",
    }


def _site_record(site: Site) -> dict[str, object]:
    return {
        "name": site.name,
        "category": _category(site.category),
        "sign": "园" if site.category is SiteCategory.KINDERGARTEN else "校",
        "source": f"{site.key.source} {site.key.source_id}",
    }


def _category(category: VenueCategory | SiteCategory) -> str:
    """The category in Chinese, then in English where that is another word."""
    zh, en = CATEGORY_NAMES_ZH[category], category.value.replace("_", " ")
    return zh if zh.lower() == en else f"{zh} {en}"
