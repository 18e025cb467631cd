"""Words on a drawn map."""

from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas

from api.evidence.font import REGULAR, drawable

_SIZE = 6.4


def draw_word(
    canvas: Canvas, x: float, y: float, text: str, colour: Color, *, width: float, lowest: float, highest: float
) -> None:
    """Words with a white edge, around ``x``, kept within ``width`` and between two heights; all are points of PDF."""
    shown = drawable(text)
    half = canvas.stringWidth(shown, REGULAR, _SIZE) / 2
    x = min(max(x, half + 3), width - half - 3)
    y = min(max(y, lowest), highest)
    canvas.setFillColor(Color(1, 1, 1, alpha=0.8))
    canvas.rect(x - half - 1.5, y - 1.8, 2 * half + 3, 8.2, stroke=0, fill=1)
    canvas.setFillColor(colour)
    canvas.setFont(REGULAR, _SIZE)
    canvas.drawCentredString(x, y, shown)
