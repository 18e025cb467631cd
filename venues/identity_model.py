"""How much each field of two records tells whether they are one venue: Fellegi and Sunter's model, as data. Pure.

Of two records of one venue a share ``m`` is alike in this way, of two neighbours that are two venues a share ``u``, and
the field adds log2(m / u) bits to the odds. A field that one of the two lacks adds nothing. Of names and categories
``u`` is how often that very one occurs. The levels of a field are tried in order, and the first that holds counts.

The numbers are assumptions, checked on real and on synthetic registers (docs/decisions/0030-venue-identity.md), and
fixed, not fitted anew in every run: somebody may have to explain a merge years later.
"""

from dataclasses import dataclass
from math import log2

from venues.traits import NEAR_M

MODEL_VERSION = "1"
"""Stored with every merge; another number here is another version."""

RESOLUTION = 9
"""Records whose H3 cells of this resolution (201 m edges) are at most two steps apart are neighbours."""

TWINS_PER_RECORD = 1.0
"""How many records of the same venue a record has among its neighbours, on the average."""


LEAST_SHARE_BORNE_TWICE = 0.05
"""At least this share of the names of a register is taken to be borne by another venue of the same city too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One way in which a field of two records can be alike. ``condition`` is SQL over columns with _l and _r."""

    condition: str
    m: float
    u: float
    label_zh: str
    label: str
    rare_column: str = ""
    """The column whose frequency takes the place of ``u``."""
    least_u: float = 0.0
    """A frequency below this counts as this."""

    @property
    def bits(self) -> float:
        """What this level adds, before any frequency."""
        return log2(self.m / self.u)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field and its levels, the last of which holds for every pair."""

    name: str
    name_zh: str
    unknown: str
    """SQL that is true if the two cannot be compared."""
    levels: tuple[Level, ...]


DISTANCE_M = (
    "111195 * sqrt(pow((longitude_l - longitude_r) * cos(radians((latitude_l + latitude_r) / 2)), 2)"
    " + pow(latitude_l - latitude_r, 2))"
)
"""Good to 0.5 % below 1 km."""

_OTHER_DIVISION = (
    "(county_l <> county_r or town_l <> town_r"
    " or not (starts_with(division_l, division_r) or starts_with(division_r, division_l)))"
)
SAME_NUMBER = (
    "road_l = road_r and number_l = number_r"
    f" and not coalesce({_OTHER_DIVISION}, false) and coalesce({DISTANCE_M} <= {NEAR_M}, true)"
)
"""Every county has a 人民路: the divisions must not differ where both are told, nor the positions lie far apart."""

_OTHER_DOOR = "(unit_l <> unit_r or floor_l <> floor_r or building_l <> building_r)"
_ONE_HOLDS_THE_OTHER = (
    "(length(core_name_l) >= 2 and contains(full_name_r, core_name_l))"
    " or (length(core_name_r) >= 2 and contains(full_name_l, core_name_r))"
)
_ANYTHING = "true"


def _licence(name: str, name_zh: str) -> Field:
    """A number of which a business has one. DuckDB compares NULL as unknown, so ``unknown`` is what decides that."""
    return Field(
        name=name,
        name_zh=name_zh,
        unknown=f"{name}_l is null or {name}_r is null",
        levels=(
            Level(condition=f"{name}_l = {name}_r", m=0.95, u=2e-5, label_zh="相同", label="equal"),
            Level(condition=_ANYTHING, m=0.02, u=1.0, label_zh="不同", label="different"),
        ),
    )


FIELDS: tuple[Field, ...] = (
    Field(
        name="name",
        name_zh="名称",
        unknown="full_name_l is null or full_name_r is null",
        levels=(
            Level(condition="full_name_l = full_name_r", m=0.4, u=0.002, rare_column="full_name", least_u=1e-5,
                  label_zh="全名相同", label="full names equal"),
            Level(condition="core_name_l = core_name_r", m=0.35, u=0.002, rare_column="core_name", least_u=1e-5,
                  label_zh="字号相同", label="cores equal"),
            Level(condition="jaro_winkler_similarity(core_name_l, core_name_r) >= 0.92", m=0.08, u=0.0015,
                  label_zh="字号几乎相同", label="cores nearly equal"),
            Level(condition=f"jaro_winkler_similarity(core_name_l, core_name_r) >= 0.8 or {_ONE_HOLDS_THE_OTHER}",
                  m=0.11, u=0.02, label_zh="字号相近或互含", label="cores alike, or one name holds the other's core"),
            Level(condition=_ANYTHING, m=0.1, u=0.97, label_zh="字号不同", label="cores different"),
        ),
    ),
    Field(
        name="branch",
        name_zh="分店",
        unknown="branch_l is null or branch_r is null",
        levels=(
            Level(condition="branch_l = branch_r", m=0.8, u=0.05, label_zh="相同", label="equal"),
            Level(condition="contains(branch_l, branch_r) or contains(branch_r, branch_l)"
                  " or jaro_winkler_similarity(branch_l, branch_r) >= 0.85", m=0.15, u=0.05,
                  label_zh="相近", label="alike"),
            Level(condition=_ANYTHING, m=0.05, u=0.9, label_zh="不同", label="different"),
        ),
    ),
    Field(
        name="place",
        name_zh="位置",
        unknown="(longitude_l is null or longitude_r is null) and (road_l is null or road_r is null)",
        levels=(
            Level(condition=f"{SAME_NUMBER} and unit_l = unit_r and coalesce(not {_OTHER_DOOR}, true)", m=0.4,
                  u=0.0003, label_zh="同一门牌同一房号", label="same number, same unit"),
            Level(condition=f"{SAME_NUMBER} and {_OTHER_DOOR}", m=0.01, u=0.004,
                  label_zh="同一门牌，楼层或房号不同", label="same number, other floor or unit"),
            Level(condition=SAME_NUMBER, m=0.6, u=0.004, label_zh="同一门牌", label="same road and number"),
            Level(condition=f"road_l = road_r and {DISTANCE_M} <= 150", m=0.06, u=0.04,
                  label_zh="同路不同号，150 米内", label="same road, other number, within 150 m"),
            Level(condition=f"{DISTANCE_M} <= 1", m=0.3, u=0.002, label_zh="同一点", label="the same point"),
            Level(condition=f"{DISTANCE_M} <= 20", m=0.3, u=0.008, label_zh="20 米内", label="within 20 m"),
            Level(condition=f"{DISTANCE_M} <= 50", m=0.3, u=0.025, label_zh="50 米内", label="within 50 m"),
            Level(condition=f"{DISTANCE_M} <= 150", m=0.15, u=0.1, label_zh="150 米内", label="within 150 m"),
            Level(condition=f"{DISTANCE_M} <= 300", m=0.05, u=0.2, label_zh="300 米内", label="within 300 m"),
            Level(condition=_ANYTHING, m=0.03, u=0.65, label_zh="更远或地址不同", label="farther, or another address"),
        ),
    ),
    Field(
        name="category",
        name_zh="类别",
        unknown="category_l is null or category_r is null",
        levels=(
            Level(condition="category_l = category_r", m=0.85, u=0.2, rare_column="category", least_u=0.02,
                  label_zh="相同", label="equal"),
            Level(condition=_ANYTHING, m=0.15, u=0.8, label_zh="不同", label="different"),
        ),
    ),
    Field(
        name="phone",
        name_zh="电话",
        unknown="phones_l is null or phones_r is null",
        levels=(
            Level(condition="list_has_any(phones_l, phones_r)", m=0.7, u=0.002, label_zh="有相同", label="one equal"),
            Level(condition=_ANYTHING, m=0.3, u=1.0, label_zh="无相同", label="none equal"),
        ),
    ),
    _licence("uscc", "统一社会信用代码"),
    _licence("tobacco_licence", "烟草许可证号"),
    _licence("culture_licence", "文化许可证号"),
)  # fmt: skip
"""In the order in which a reviewer reads them. Coordinates and address are one field: they tell the same thing."""
