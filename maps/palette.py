"""The look of each risk level: a colour, a shape and a word, so that no reader depends on colour alone.

Colours from reference/venues-maps.md section 5: the smallest difference between two of them is delta-E 34 for a reader
with deuteranopia, 29 with protanopia, 39 with tritanopia; luminances .44, .71, .08 stay apart in a grey print.
"""

from dataclasses import dataclass

from venues.risk import RiskLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLook:
    """How one level is drawn and named."""

    fill: str
    """CSS colour."""
    edge: str
    """CSS colour of the outline: at least 3:1 against the light map."""
    shape_path: str
    """SVG path in a 24 x 24 box."""
    area_opacity: float
    """How strongly a cell of this level covers the backdrop: the worse, the stronger."""
    word_zh: str
    word_en: str


LEVEL_LOOKS: dict[RiskLevel, LevelLook] = {
    RiskLevel.RED: LevelLook(
        fill="#a50026",
        edge="#4d0012",
        shape_path="M4 4H20V20H4Z",
        area_opacity=0.62,
        word_zh="红",
        word_en="Red",
    ),
    RiskLevel.YELLOW: LevelLook(
        fill="#ffd92f",
        edge="#5c4a00",
        shape_path="M12 2.5L22 20.5H2Z",
        area_opacity=0.5,
        word_zh="黄",
        word_en="Yellow",
    ),
    RiskLevel.GREEN: LevelLook(
        fill="#66c2a5",
        edge="#1c5a47",
        shape_path="M12 3.5A8.5 8.5 0 1 0 12 20.5A8.5 8.5 0 1 0 12 3.5Z",
        area_opacity=0.38,
        word_zh="绿",
        word_en="Green",
    ),
    RiskLevel.UNKNOWN: LevelLook(
        fill="#c9c9c6",
        edge="#5b5b58",
        shape_path="M12 2.5L21.5 12L12 21.5L2.5 12Z",
        area_opacity=0.5,
        word_zh="数据不足",
        word_en="Insufficient data",
    ),
}
"""Worst first: the order of every legend."""


def shape_svg(level: RiskLevel, *, class_name: str = "shape") -> str:
    """The marker of ``level`` as inline SVG markup, for legends; it holds no data."""
    look = LEVEL_LOOKS[level]
    return (
        f'<svg class="{class_name}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">'
        f'<path d="{look.shape_path}" fill="{look.fill}" stroke="{look.edge}" stroke-width="1.6" '
        f'stroke-linejoin="round"/></svg>'
    )
