"""Which articles the draft of a recommendation cites, by the lead's ground and the kinds of venue: law is data.

What the table does not settle stays open in the draft: a wrong article is worse than none.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from venues.category import CATEGORY_NAMES_ZH, VenueCategory
from venues.distance_rule import Verification
from venues.lead_pattern import LeadGround

TABLE = Path(__file__).with_name("recommendation_law.toml")

OPEN_ARTICLES = "（请检察官写明适用的法律条文）"
OPEN_HAZARD = "（请检察官结合核查情况写明。）"
_TO_CHECK = "（具体条文请检察官核对）"
_DIGITS = "〇一二三四五六七八九"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """One row: leads of these grounds about these venues rest on these articles."""

    grounds: frozenset[LeadGround]
    venue_categories: frozenset[VenueCategory]
    articles: tuple[tuple[str, tuple[int, ...]], ...]
    """Instrument and article numbers; none where they were not compared with the text."""
    hazard: str
    verification: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """What a draft says of the law, in Chinese. ``hazards``: a paragraph for each kind of wrong."""

    articles: str
    hazards: tuple[str, ...]


def cited_for(ground: LeadGround, categories: frozenset[VenueCategory]) -> Cited:
    """The articles for a lead; open, to be filled in, if no row fits."""
    rows = [row for row in _table() if ground in row.grounds and row.venue_categories & categories]
    if not rows:
        return Cited(articles=OPEN_ARTICLES, hazards=(OPEN_HAZARD,))
    found: dict[str, set[int]] = {}
    for row in rows:
        for instrument, numbers in row.articles:
            found.setdefault(instrument, set()).update(numbers)
    named = "、".join(
        f"《{instrument}》{'、'.join(map(article_zh, sorted(numbers)))}" for instrument, numbers in found.items()
    )
    is_checked = all(row.verification is Verification.LAW_TEXT for row in rows)
    return Cited(
        articles=named if is_checked else f"{named}{_TO_CHECK}",
        hazards=tuple(row.hazard.format(places=_places(row.venue_categories & categories)) for row in rows),
    )


def article_zh(number: int) -> str:
    """``第一百零六条``, of 1 to 999."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = f"{_DIGITS[hundreds]}百" if hundreds else ""
    if tens:
        words += f"{'' if tens == 1 and not hundreds else _DIGITS[tens]}十"
    elif hundreds and ones:
        words += "零"
    return f"第{words}{_DIGITS[ones] if ones else ''}条"


def _places(categories: frozenset[VenueCategory]) -> str:
    return "、".join(CATEGORY_NAMES_ZH[category] for category in sorted(categories))


@cache
def _table() -> tuple[LegalBasis, ...]:
    return tuple(
        LegalBasis(
            grounds=frozenset(map(LeadGround, row["grounds"])),
            venue_categories=frozenset(map(VenueCategory, row["venues"])),
            articles=tuple((name, tuple(numbers)) for name, numbers in row["articles"].items()),
            hazard=row["hazard"],
            verification=Verification(row["verification"]),
        )
        for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["basis"]
    )
