"""The draft of a recommendation as Word, to be worked on, and as PDF, to be read. Form of GB/T 9704."""

import io

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph as WordParagraph
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from api.evidence.font import BOLD
from api.evidence.pages import CHINESE, build_pdf, paragraph
from api.papers.recommendation import Paper

TITLE_FONT, HEADING_FONT, BODY_FONT = "方正小标宋简体", "黑体", "仿宋_GB2312"
TITLE_PT, BODY_PT, LINE_PT = 22, 16, 28

DRAFT = "草稿：须经检察官核实、修改并按程序审批 Draft, to be verified and approved"

_TITLE = ParagraphStyle("letter-title", parent=CHINESE, fontName=BOLD, fontSize=17, leading=26, alignment=TA_CENTER)
_BODY = ParagraphStyle("letter", parent=CHINESE, fontSize=11.5, leading=20, firstLineIndent=23)
_HEADING = ParagraphStyle("letter-heading", parent=_BODY, fontName=BOLD, keepWithNext=True)
_RIGHT = ParagraphStyle("letter-right", parent=CHINESE, fontSize=11.5, leading=20, alignment=TA_RIGHT)
_LEFT = ParagraphStyle("letter-left", parent=CHINESE, fontSize=11.5, leading=20)


def recommendation_word(paper: Paper) -> bytes:
    """The paper as a Word file, every paragraph editable."""
    document = Document()
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.top_margin, page.bottom_margin, page.left_margin, page.right_margin = Mm(37), Mm(35), Mm(28), Mm(26)
    document.core_properties.title = "".join(paper.title)
    document.core_properties.author = "Hulan 护栏"
    for line in paper.title:
        _line(document.add_paragraph(), line, TITLE_FONT, TITLE_PT, WD_ALIGN_PARAGRAPH.CENTER)
    _line(document.add_paragraph(), paper.number, BODY_FONT, BODY_PT, WD_ALIGN_PARAGRAPH.RIGHT)
    _line(document.add_paragraph(), paper.addressee, BODY_FONT, BODY_PT, WD_ALIGN_PARAGRAPH.LEFT)
    for section in paper.sections:
        _line(document.add_paragraph(), section.heading, HEADING_FONT, BODY_PT, is_indented=True)
        for text in section.paragraphs:
            _line(document.add_paragraph(), text, BODY_FONT, BODY_PT, is_indented=True)
    for line in paper.closing:
        _line(document.add_paragraph(), line, BODY_FONT, BODY_PT, WD_ALIGN_PARAGRAPH.RIGHT)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def recommendation_pdf(paper: Paper) -> bytes:
    """The paper as a PDF, marked as a draft; the same paper gives the same bytes. The fonts must have been loaded."""
    story: list[Flowable] = [paragraph(line, _TITLE) for line in paper.title]
    story += [paragraph(paper.number, _RIGHT), Spacer(1, 3 * mm), paragraph(paper.addressee, _LEFT)]
    for section in paper.sections:
        story.append(paragraph(section.heading, _HEADING))
        story += [paragraph(text, _BODY) for text in section.paragraphs]
    story += [Spacer(1, 8 * mm), *(paragraph(line, _RIGHT) for line in paper.closing)]
    return build_pdf(story, title="".join(paper.title), header=f"护栏 Hulan  {DRAFT}", watermark="草稿 DRAFT")


def _line(
    held: WordParagraph,
    text: str,
    font: str,
    size_pt: float,
    alignment: WD_ALIGN_PARAGRAPH = WD_ALIGN_PARAGRAPH.JUSTIFY,
    *,
    is_indented: bool = False,
) -> None:
    run = held.add_run(text)
    run.font.name, run.font.size = font, Pt(size_pt)
    # Word takes the font of Chinese from an attribute of its own.
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), font)
    held.alignment = alignment
    form = held.paragraph_format
    form.space_before = form.space_after = Pt(0)
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(LINE_PT)
    if is_indented:
        form.first_line_indent = Pt(2 * size_pt)
