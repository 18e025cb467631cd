"""The trade-off of a policy as a picture: false suspicions a day against true visits found."""

import math
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from api.quality import FALSE_AT, RECALL_AT, TradeOff, TradeOffPoint
from tracking.simulate_scenario import SCENARIOS

FORMATS = (".png", ".svg")


def check_format(path: Path) -> None:
    """Raises ValueError for a picture that is neither PNG nor SVG."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path.name}：图形文件须以 .png 或 .svg 结尾 / a picture must end in .png or .svg")


def draw(traded: TradeOff, path: Path) -> None:
    """Write the picture as PNG or SVG, without a screen. Labels are English: not every machine has a Chinese font.

    The horizontal axis is logarithmic, and even below one false suspicion in all person-days, so that zero is on it.
    """
    check_format(path)
    figure = Figure(figsize=(8.0, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for title, points in _lines(traded):
        axes.plot(
            [point.false_per_day for point in points],
            [100.0 * point.recall for point in points],
            marker="o",
            markersize=4,
            label=title,
        )
    for point in traded.rules:
        _mark(axes, point, marker="s", colour="grey", beside=(6, -10))
    _mark(axes, traded.chosen, marker="*", colour="black", beside=(12, -4))
    one = 1.0 / traded.person_days
    axes.set_xscale("symlog", linthresh=one)
    axes.set_xlim(left=-0.3 * one)
    axes.set_xticks([0.0, *(10.0**power for power in range(math.ceil(math.log10(one)), 3))])
    least_recall = min(point.recall for point in (*traded.swept, *traded.rules, traded.chosen))
    axes.set_ylim(max(0.0, 100.0 * least_recall - 8.0), 102.0)
    most, least = SCENARIOS[FALSE_AT].target.most_false_per_day, SCENARIOS[RECALL_AT].target.least_probable
    assert most is not None and least is not None
    axes.axvline(most, color="green", linewidth=0.8, linestyle="--")
    axes.axhline(100.0 * least, color="green", linewidth=0.8, linestyle="--", label="target")
    axes.set_xlabel("PROBABLE per person-day, standing 30 m outside a 50 m zone (urban error)")
    axes.set_ylabel("10-minute visits found as PROBABLE, %")
    axes.set_title(f"Trade-off over {traded.person_days} simulated person-days")
    axes.grid(visible=True, which="both", linewidth=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _lines(traded: TradeOff) -> list[tuple[str, list[TradeOffPoint]]]:
    """One line for each combination of all fields but the last."""

    def head(point: TradeOffPoint) -> str:
        *fixed, varied = point.values.items()
        return ", ".join([*(f"{name} = {value:g}" for name, value in fixed), f"varying {varied[0]}"])

    return [(title, list(points)) for title, points in groupby(traded.swept, key=head)]


def _mark(axes: Axes, point: TradeOffPoint, *, marker: str, colour: str, beside: tuple[float, float]) -> None:
    axes.plot([point.false_per_day], [100.0 * point.recall], marker=marker, color=colour, linestyle="none")
    axes.annotate(
        point.label,
        (point.false_per_day, 100.0 * point.recall),
        textcoords="offset points",
        xytext=beside,
        fontsize=8,
        color=colour,
    )
