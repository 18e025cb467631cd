"""Pairs of records with the probability that they are one venue, and what each field said. Pure."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from venues.identity_model import FIELDS

UNKNOWN_LEVEL = -1
"""The level of a field that one of the two records lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldWeight:
    """One step of the waterfall: a field, how the two are alike in it, and the bits it adds to the odds."""

    field: str
    level: int
    """Row of the field's levels in ``FIELDS``; ``UNKNOWN_LEVEL`` if it says nothing."""
    bits: float

    @property
    def words(self) -> tuple[str, str]:
        """Field and level as a reviewer reads them, Chinese and English."""
        field = next(field for field in FIELDS if field.name == self.field)
        if self.level == UNKNOWN_LEVEL:
            return f"{field.name_zh}：缺", f"{field.name}: not known"
        level = field.levels[self.level]
        return f"{field.name_zh}：{level.label_zh}", f"{field.name}: {level.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """How a probability came about: log2 of the odds is the prior's bits and those of all fields, added up."""

    prior_bits: float
    weights: tuple[FieldWeight, ...]

    @property
    def bits(self) -> float:
        """log2 of the odds that the two are one venue."""
        return self.prior_bits + sum(weight.bits for weight in self.weights)

    @property
    def probability(self) -> float:
        """The probability that the two are one venue."""
        return float(1.0 / (1.0 + np.exp2(-self.bits)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredPairs:
    """Columns of n pairs, the likeliest first; ``left`` and ``right`` are rows of ``record_ids``, left < right."""

    record_ids: tuple[UUID, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    probability: NDArray[np.float64]
    prior_bits: float
    level: NDArray[np.int8]
    """[n, fields]: row of the field's levels, or ``UNKNOWN_LEVEL``."""
    bits: NDArray[np.float64]
    """[n, fields]."""

    def __len__(self) -> int:
        return self.left.size

    def waterfall(self, row: int) -> Waterfall:
        """What made the probability of pair ``row``."""
        steps = zip(FIELDS, self.level[row].tolist(), self.bits[row].tolist(), strict=True)
        weights = tuple(FieldWeight(field=field.name, level=level, bits=bits) for field, level, bits in steps)
        return Waterfall(prior_bits=self.prior_bits, weights=weights)
