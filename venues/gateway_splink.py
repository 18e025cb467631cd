"""Scores pairs of records with Splink in a DuckDB in memory: no file, no network.

Only pairs that share a licence, a phone or a house number are compared, near neighbours, and pairs of one core name
within a kilometre. Neighbours are joined on exploded lists of H3 cells: to ask in SQL whether a list holds a cell took
seven times longer.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from math import log2
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from splink import Linker, SettingsCreator
from splink.backends.duckdb import DuckDBAPI
from splink.comparison_level_library import CustomLevel, ElseLevel
from splink.comparison_library import CustomComparison

from geo.cells import CellArray, cell_of, disk, disk_sum
from venues.identity_model import (
    FIELDS,
    LEAST_SHARE_BORNE_TWICE,
    RESOLUTION,
    SAME_NUMBER,
    TWINS_PER_RECORD,
    Field,
)
from venues.scored_pairs import ScoredPairs
from venues.traits import Traits

Progress = Callable[[int, int], None]
"""Told how many of how many parts are done."""

BLOCK_RESOLUTION = 10
"""Cells of 76 m edges: all records up to some 150 m apart are near neighbours, and none more than 400 m apart."""

LEAST_PARTS = 4
RECORDS_PER_PART = 20_000
"""Pairs are scored in parts, so that progress can be shown and memory stays bounded. Each takes the records apart
anew: eight parts of 77,000 records took 17 s of processor time, four 12 s, one 9 s and 160 MB more than four."""

_TEXT_COLUMNS = (
    "full_name", "core_name", "branch", "road", "number", "building", "unit", "category", "uscc", "tobacco_licence",
    "culture_licence",
)  # fmt: skip
_NO_TWINS_OF_ONE_REGISTER = "(l.source <> r.source or l.may_repeat) and (l.is_new or r.is_new)"
_OFFLINE: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    "temp_directory": "",
}
"""DuckDB would fetch extensions from the network, and spill to a folder beside the program."""

_WITHIN_A_KILOMETRE = "abs(l.latitude - r.latitude) < 0.009 and abs(l.longitude - r.longitude) < 0.012"
_LARGEST_PRIOR = 0.1
_SIDES = re.compile(r"\b(\w+)_([lr])\b")
"""Splink writes ``road_l`` in comparisons, ``l.road`` in blocking rules."""


def score_pairs(
    records: Sequence[Traits],
    *,
    at_least: float = 0.5,
    duplicate_free: Collection[str] = (),
    new: Collection[int] | None = None,
    parts: int | None = None,
    progress: Progress | None = None,
) -> ScoredPairs:
    """Every pair of ``records`` that may be one venue with a probability of ``at_least`` or more.

    ``duplicate_free``: names of registers that have no place twice, of which no two records are compared. ``new``: rows
    of ``records`` of which at least one is in each pair; all if ``None``. The same records give the same numbers,
    in however many ``parts`` they are scored. Raises ValueError if an id comes twice.
    """
    ids = tuple(record.record_id for record in records)
    if len(set(ids)) < len(ids):
        raise ValueError("a record id comes twice: give the newest version of each record once")
    if len(records) < 2:
        return _pairs(ids, [], prior=_LARGEST_PRIOR)
    parts = parts or max(LEAST_PARTS, len(records) // RECORDS_PER_PART)
    cells = _cells(records, RESOLUTION)
    prior = prior_probability(cells)
    with duckdb.connect(config=_OFFLINE) as connection:
        linker = _linker(connection, _table(records, duplicate_free, new), cells, prior)
        found: list[pa.Table] = []
        for part in range(1, parts + 1):
            scored = linker.inference.predict_chunk(
                left_chunk=(part, parts), threshold_match_probability=at_least, warning_mode="never"
            )
            found.append(
                connection.sql(f"SELECT {', '.join(_answer_columns())} FROM {scored.physical_name}").to_arrow_table()
            )
            scored.drop_table_from_database_and_remove_from_cache()
            if progress is not None:
                progress(part, parts)
    return _pairs(ids, found, prior=prior)


def prior_probability(cells: CellArray) -> float:
    """The probability that two neighbouring records, of which nothing else is known, are one venue.

    ``cells``: one H3 cell per record, 0 where the position is not known. A record has ``TWINS_PER_RECORD`` twins among
    those at most two steps away, whose number is counted.
    """
    known, count = np.unique(cells[cells != 0], return_counts=True)
    if not known.size:
        return _LARGEST_PRIOR
    neighbours = float((count * (disk_sum(known, count, 2) - 1.0)).sum() / count.sum())
    return min(_LARGEST_PRIOR, TWINS_PER_RECORD / max(neighbours, 1.0))


def _cells(records: Sequence[Traits], resolution: int) -> CellArray:
    """The cell of each record; 0 where the position is not known."""
    cells = np.zeros(len(records), dtype=np.uint64)
    placed = [row for row, record in enumerate(records) if record.longitude is not None]
    cells[placed] = cell_of(
        longitude=np.array([records[row].longitude for row in placed], dtype=np.float64),
        latitude=np.array([records[row].latitude for row in placed], dtype=np.float64),
        resolution=resolution,
    )
    return cells


def _table(records: Sequence[Traits], duplicate_free: Collection[str], new: Collection[int] | None) -> pa.Table:
    """The records as Arrow; what is not known is null, as Splink wants it."""
    around = cache(lambda cell: disk(cell, 1).tolist())
    near = _cells(records, BLOCK_RESOLUTION)
    is_new = np.full(len(records), new is None)
    is_new[list(new or ())] = True
    columns: dict[str, Any] = {
        "unique_id": pa.array(range(len(records)), pa.int64()),
        "source": pa.array([record.source for record in records]),
        "may_repeat": pa.array([record.source not in duplicate_free for record in records]),
        "is_new": pa.array(is_new),
        "floor": pa.array([record.floor for record in records], pa.int64()),
        "longitude": pa.array([record.longitude for record in records], pa.float64()),
        "latitude": pa.array([record.latitude for record in records], pa.float64()),
        "phones": pa.array([list(record.phones) or None for record in records], pa.list_(pa.string())),
        "disk": pa.array([around(cell) if cell else None for cell in near.tolist()], pa.list_(pa.uint64())),
    }
    for name, part in (("division", "code"), ("county", "county"), ("town", "town")):
        columns[name] = pa.array([getattr(record.division, part) or None for record in records], pa.string())
    for name in _TEXT_COLUMNS:
        columns[name] = pa.array([getattr(record, name) or None for record in records], pa.string())
    return pa.table(columns)


def _linker(connection: duckdb.DuckDBPyConnection, table: pa.Table, cells: CellArray, prior: float) -> Linker:
    database = DuckDBAPI(connection)
    rules: list[Any] = [_rule(f"l.{name} = r.{name}") for name in ("uscc", "tobacco_licence", "culture_licence")]
    rules += [
        _rule("l.phones = r.phones", explode="phones"),
        _rule(_SIDES.sub(r"\2.\1", SAME_NUMBER)),
        _rule(f"l.core_name = r.core_name and {_WITHIN_A_KILOMETRE}"),
        _rule("l.disk = r.disk", explode="disk"),
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(field) for field in FIELDS],
        blocking_rules_to_generate_predictions=rules,
        probability_two_random_records_match=prior,
        retain_intermediate_calculation_columns=True,
    )
    linker = Linker(database.register(table, table_name="record"), settings, log_level=None)
    for column in ("full_name", "core_name"):
        rarity = database.register(_rarity(table, column, cells), table_name=f"rarity_{column}")
        linker.table_management.register_term_frequency_lookup(rarity, column)
    return linker


def _rule(condition: str, *, explode: str | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"blocking_rule": f"{condition} and {_NO_TWINS_OF_ONE_REGISTER}", "sql_dialect": "duckdb"}
    return rule if explode is None else rule | {"arrays_to_explode": [explode]}


def _comparison(field: Field) -> CustomComparison:
    levels: list[Any] = [CustomLevel(field.unknown, label_for_charts="unknown").configure(is_null_level=True)]
    for number, level in enumerate(field.levels, start=1):
        is_last = number == len(field.levels)
        made = ElseLevel() if is_last else CustomLevel(level.condition, label_for_charts=level.label)
        options: dict[str, Any] = {"m_probability": level.m, "u_probability": level.u}
        if level.rare_column:
            options |= {"tf_adjustment_column": level.rare_column, "tf_minimum_u_value": level.least_u}
            options["disable_tf_exact_match_detection"] = True
        levels.append(made.configure(**options))
    return CustomComparison(levels, output_column_name=field.name)


def _rarity(table: pa.Table, column: str, cells: CellArray) -> pa.Table:
    """How often each name is borne by another: of all spots the share that has it besides the record's own.

    Records of one venue at one spot count once. A name that a single spot has gets what share of the names is borne
    twice, spread over the spots; among few names that share is an assumption.
    """
    spots: dict[str, set[int]] = {}
    for row, (name, cell) in enumerate(zip(table[column].to_pylist(), cells.tolist(), strict=True)):
        if name is not None:
            spots.setdefault(name, set()).add(cell or -row - 1)
    names = sorted(spots)
    count = [_apart(spots[name]) for name in names]
    twice = max(sum(times > 1 for times in count) / max(len(names), 1), LEAST_SHARE_BORNE_TWICE)
    total = sum(count)
    shares = [max(times - 1, twice) / total for times in count]
    return pa.table({column: pa.array(names, pa.string()), f"tf_{column}": pa.array(shares, pa.float64())})


def _apart(cells: set[int]) -> int:
    """How many groups the cells form of which none touches another; a negative number is a place of its own."""
    left, groups = set(cells), 0
    while left:
        reached, groups = [left.pop()], groups + 1
        while reached:
            cell = reached.pop()
            around = left.intersection(disk(cell, 1).tolist()) if cell > 0 else set()
            left -= around
            reached.extend(around)
    return groups


def _has_rarity(field: Field) -> bool:
    return any(level.rare_column for level in field.levels)


def _answer_columns() -> list[str]:
    columns = ["unique_id_l", "unique_id_r", "match_probability"]
    for field in FIELDS:
        columns += [f"gamma_{field.name}", f"mw_{field.name}"]
        columns += [f"mw_tf_adj_{field.name}"] if _has_rarity(field) else []
    return columns


def _pairs(ids: tuple[Any, ...], parts: Sequence[pa.Table], *, prior: float) -> ScoredPairs:
    """Splink's answer as columns. It numbers the levels of a field downwards to 0; a row of ``FIELDS`` goes upwards."""
    schema = pa.schema([(name, pa.float64()) for name in _answer_columns()])
    table = pa.concat_tables([part.cast(schema) for part in parts]) if parts else schema.empty_table()
    column = {name: table[name].to_numpy() for name in table.column_names}
    left, right = column["unique_id_l"].astype(np.int64), column["unique_id_r"].astype(np.int64)
    order = np.lexsort((right, left, -column["match_probability"]))
    level, bits = _levels_and_bits(column, left.size)
    return ScoredPairs(
        record_ids=ids,
        left=left[order],
        right=right[order],
        probability=column["match_probability"][order],
        prior_bits=log2(prior / (1.0 - prior)),
        level=level[order],
        bits=bits[order],
    )


def _levels_and_bits(
    column: dict[str, NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    level, bits = np.empty((count, len(FIELDS)), dtype=np.int8), np.empty((count, len(FIELDS)))
    for place, field in enumerate(FIELDS):
        gamma = column[f"gamma_{field.name}"]
        level[:, place] = np.where(gamma < 0, -1, len(field.levels) - 1 - gamma)
        bits[:, place] = column[f"mw_{field.name}"]
        if _has_rarity(field):
            bits[:, place] += column[f"mw_tf_adj_{field.name}"]
    return level, bits
