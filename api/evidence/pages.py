"""The paper of the report: page numbers, header, watermark on every page; styles of text. Pure."""

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import textsplit
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Table, TableStyle
from reportlab.platypus import paragraph as wrapping

from api.evidence.font import BOLD, REGULAR, drawable

INK, GREY, LINE, RED = HexColor("#1a1a1a"), HexColor("#5f6368"), HexColor("#c4c7c5"), HexColor("#a50026")
WATERMARK = Color(0.35, 0.35, 0.35, alpha=0.13)
MARGIN = 17 * mm
WIDTH = A4[0] - 2 * MARGIN

# ReportLab knows Japanese marks only: without these a line of Chinese would begin with a comma.
for module in (textsplit, wrapping):
    setattr(module, "ALL_CANNOT_START", textsplit.ALL_CANNOT_START + "，；：！？")  # noqa: B010 # the stubs lack it

# wordWrap CJK breaks Chinese between any two characters; English beside it keeps its words.
CHINESE = ParagraphStyle(
    "chinese", fontName=REGULAR, fontSize=9.2, leading=13.2, textColor=INK, wordWrap="CJK", alignment=TA_LEFT
)
ENGLISH = ParagraphStyle("english", parent=CHINESE, fontSize=7.6, leading=10, textColor=GREY, wordWrap=None)
CELL = ParagraphStyle("cell", parent=CHINESE, fontSize=7.6, leading=10)
TITLE = ParagraphStyle("title", parent=CHINESE, fontName=BOLD, fontSize=16, leading=21)
HEADING = ParagraphStyle("heading", parent=CHINESE, fontName=BOLD, fontSize=11, leading=15, spaceBefore=9, spaceAfter=3)


def paragraph(text: str, style: ParagraphStyle = CHINESE) -> Paragraph:
    """Text as it is, whatever it holds."""
    return Paragraph(escape(drawable(text)).replace("\n", "<br/>"), style)


def both(chinese: str, english: str) -> list[Flowable]:
    """Chinese first, English beneath it."""
    return [paragraph(chinese), paragraph(english, ENGLISH)]


def label(text: str) -> Paragraph:
    """Chinese up to the first space, and what follows it in grey."""
    chinese, _, english = text.partition(" ")
    return Paragraph(f'{escape(chinese)} <font size="7" color="#5f6368">{escape(english)}</font>', CHINESE)


def heading(chinese: str, english: str) -> Paragraph:
    """A heading that stays with what follows."""
    style = ParagraphStyle("kept", parent=HEADING, keepWithNext=True)
    return Paragraph(
        f'{escape(chinese)} <font name="{REGULAR}" size="8" color="#5f6368">{escape(english)}</font>', style
    )


def grid(rows: Sequence[list[Any]], widths: Sequence[float], *, has_heading: bool) -> Table:
    """A table with thin lines; its heading is repeated on every page."""
    table = Table(rows, colWidths=widths, repeatRows=int(has_heading), hAlign="LEFT")
    lines: list[Any] = [
        ("FONTNAME", (0, 0), (-1, -1), REGULAR),  # else Helvetica, which is not embedded
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ]
    if has_heading:
        lines.append(("LINEBELOW", (0, 0), (-1, 0), 0.9, INK))
    table.setStyle(TableStyle(lines))
    return table


def build_pdf(story: list[Flowable], *, title: str, header: str, watermark: str) -> bytes:
    """The story as a PDF; the same story gives the same bytes."""
    written = io.BytesIO()

    def decorate(canvas: Canvas, _: BaseDocTemplate) -> None:
        _draw_watermark(canvas, drawable(watermark))
        _draw_header(canvas, drawable(header))

    document = BaseDocTemplate(written, pagesize=A4, title=title, author="Hulan 护栏", creator="Hulan", invariant=1)
    document.initialFontName = REGULAR
    frame = Frame(MARGIN, 17 * mm, WIDTH, A4[1] - 38 * mm, id="body", leftPadding=0, rightPadding=0)
    document.addPageTemplates([PageTemplate(id="page", frames=[frame], onPage=decorate)])
    document.build(story, canvasmaker=_NumberedCanvas)
    return written.getvalue()


def _draw_watermark(canvas: Canvas, text: str) -> None:
    canvas.saveState()
    canvas.setFillColor(WATERMARK)
    canvas.setFont(REGULAR, 11)
    for step in range(1, 7):
        canvas.saveState()
        canvas.translate(A4[0] / 2, step * A4[1] / 7)
        canvas.rotate(18)
        canvas.drawCentredString(0, 0, text)
        canvas.restoreState()
    canvas.restoreState()


def _draw_header(canvas: Canvas, text: str) -> None:
    canvas.saveState()
    canvas.setFont(REGULAR, 7.6)
    canvas.setFillColor(GREY)
    canvas.drawString(MARGIN, A4[1] - 12 * mm, text)
    canvas.setStrokeColor(LINE)
    canvas.line(MARGIN, A4[1] - 14 * mm, A4[0] - MARGIN, A4[1] - 14 * mm)
    canvas.line(MARGIN, 14 * mm, A4[0] - MARGIN, 14 * mm)
    canvas.restoreState()


class _NumberedCanvas(Canvas):
    """Holds pages back until their number is known."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 # ReportLab's name
        self._held.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined] # not in the stubs

    def save(self) -> None:
        count = len(self._held)
        for number, page in enumerate(self._held, start=1):
            self.__dict__.update(page)
            self.setFont(REGULAR, 7.6)
            self.setFillColor(GREY)
            self.drawString(
                MARGIN, 10 * mm, "机器提示，须由检察人员核实  A machine's suspicion, to be verified by an officer"
            )
            self.drawRightString(A4[0] - MARGIN, 10 * mm, f"第 {number} 页，共 {count} 页  page {number} of {count}")
            super().showPage()
        super().save()
