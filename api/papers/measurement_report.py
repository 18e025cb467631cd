"""The report of a measurement (测距报告): a PDF from the measurement alone, so that anybody can make it again. Pure."""

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer

from api.evidence.pages import ENGLISH, TITLE, WIDTH, both, build_pdf, grid, heading, label, paragraph
from api.papers.measurement_map import MeasurementMap
from venues.distance_words import measurement_lines
from venues.measurement import Measurement

DISCLAIMER = (
    "本报告由系统按登记数据自动测算，是核查的线索，不是现场测量，也不是事实认定；引用规则前须核对正式文本。"
    "两端位置均有误差，结论按误差区间作出：只有整个区间都违反规则才称明显违反。",
    "Computed from registered data: a reason to check, no survey on site and no finding of fact; check the official"
    " text of the rule before quoting it. Both ends are uncertain, and the verdict is about the whole interval: a clear"
    " breach only if every distance within it breaks the rule.",
)


def measurement_pdf(made: Measurement) -> bytes:
    """All pages; the same measurement gives the same bytes. The fonts must have been loaded."""
    story: list[Flowable] = [
        paragraph("场所与学校距离测量报告", TITLE),
        paragraph("Report of the distance between a venue and a school", ENGLISH),
        Spacer(1, 2 * mm),
        grid([[both(*DISCLAIMER)]], [WIDTH], has_heading=False),
        heading("一、测量", "1. The measurement"),
        _facts(measurement_lines(made)),
        *_map(made),
        heading("三、核验", "3. How to check it"),
        *both(
            "存档文本的 SHA-256 即上列校验值；用存档文本和同一版本的路网重新测量，校验值不变："
            "hulan distance verify 校验值。任何一端移动 1 毫米、规则改动一字，校验值都不同。",
            "The SHA-256 of the archived text is the hash above; measured again from that text and the walk network of"
            " that version it is the same: hulan distance verify HASH. One millimetre at either end, or one character"
            " of the rule, gives another.",
        ),
    ]
    return build_pdf(
        story,
        title=f"测距报告 {made.hash[:16]}",
        header=f"护栏 Hulan  测距报告 Measurement report  {made.hash[:16]}",
        watermark=f"{made.hash[:16]}  {made.given.on.isoformat()}",
    )


def _facts(lines: tuple[tuple[str, str], ...]) -> Flowable:
    rows = [[label(name), paragraph(value)] for name, value in lines]
    return grid(rows, [42 * mm, WIDTH - 42 * mm], has_heading=False)


def _map(made: Measurement) -> list[Flowable]:
    panel = MeasurementMap(made, width=WIDTH, height=78 * mm)
    words = both(
        "蓝色：校园与校门；红色：场所；红虚线：直线；绿线：步行路线；橙色点线：规则的距离（步行的不画）。路网如取自"
        " OpenStreetMap，© OpenStreetMap 贡献者。",
        "Blue: campus and gates. Red: the venue. Red dashes: straight line. Green: way on foot. Orange dots: the"
        " distance of the rule, unless it is on foot. Walk network © OpenStreetMap contributors, where it is from"
        " there.",
    )
    return [KeepTogether([heading("二、位置图与步行路线", "2. Map and way on foot"), panel]), Spacer(1, 2 * mm), *words]
