"""How every benchmark reports: a table for people, then one JSON line for machines."""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The best of several runs, in seconds of wall clock."""

    seconds: float
    runs: tuple[float, ...]


def best_of(work: Callable[[], Answer], *, runs: int) -> tuple[Timed, Answer]:
    """Run ``work`` so many times; the fastest is what a machine shared with others disturbs least."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        answer = work()
        taken.append(time.perf_counter() - started)
    return Timed(seconds=min(taken), runs=tuple(taken)), answer


def peak_memory_mib() -> float:
    """The most memory that this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; numbers to the right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(header), *cells]) for column in range(len(header))]
    numeric = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(header))]
    for line in [list(header), *cells]:
        parts = [cell.rjust(width) if right else cell.ljust(width)
                 for cell, width, right in zip(line, widths, numeric, strict=True)]  # fmt: skip
        print("  ".join(parts).rstrip())


def print_json(name: str, *, figures: Mapping[str, object], ratios: Mapping[str, float]) -> None:
    """The last line of a benchmark."""
    print(json.dumps({"name": name, "figures": figures, "ratios": ratios}, ensure_ascii=False, sort_keys=True))


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


@contextmanager
def clocked(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Note how many seconds the block took by the clock."""
    began = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - began
