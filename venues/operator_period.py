"""Who ran the business at one address, from when to when. Pure.

One address with successive businesses is several venues, one after the other: an incident belongs to the one of its
day. A licence that has no last day goes on, until the next business at the same floor and unit begins: then its end is
assumed, and said to be. Where the address names no unit, as in a mall, businesses stand side by side and end nobody's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from venues.address import Address, premises_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What the records of one venue say about where it is and since when; ``None``: not known."""

    venue_id: UUID
    address: Address
    began: date | None
    """The first day of its earliest registration or licence."""
    ended: date | None
    """The last day of its latest one; ``None`` if it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPeriod:
    """One venue at one address; days are calendar days in China, both ends included."""

    premises: str
    venue_id: UUID
    began: date | None
    ended: date | None
    is_end_assumed: bool = False
    """Nobody said that it ended; the next business at the same door began."""


def operator_periods(tenures: Iterable[Tenure]) -> dict[str, tuple[OperatorPeriod, ...]]:
    """The periods at each address (``venues.address.premises_key``), the earliest first, unknown beginnings before.

    A tenure whose address has no road and number is at no address, and left out.
    Raises ValueError for one that ends before it begins.
    """
    at_address: dict[str, list[Tenure]] = {}
    for tenure in tenures:
        if tenure.began is not None and tenure.ended is not None and tenure.ended < tenure.began:
            raise ValueError(
                f"场所 {tenure.venue_id} 的经营期 {tenure.began} 至 {tenure.ended} 倒置 / venue {tenure.venue_id} ends "
                f"{tenure.ended}, before it begins {tenure.began}: mend the licence's days"
            )
        if premises := premises_key(tenure.address):
            at_address.setdefault(premises, []).append(tenure)
    return {premises: _in_order(premises, found) for premises, found in sorted(at_address.items())}


def _in_order(premises: str, tenures: list[Tenure]) -> tuple[OperatorPeriod, ...]:
    tenures.sort(key=lambda tenure: (tenure.began or date.min, tenure.ended or date.max, tenure.venue_id))
    periods = [
        OperatorPeriod(premises=premises, venue_id=each.venue_id, began=each.began, ended=each.ended)
        for each in tenures
    ]
    if not tenures[0].address.unit:
        return tuple(periods)
    for place, period in enumerate(periods[:-1]):
        following = periods[place + 1].began
        if period.ended is None and following is not None and (period.began is None or period.began < following):
            periods[place] = replace(period, ended=following - timedelta(days=1), is_end_assumed=True)
    return tuple(periods)
