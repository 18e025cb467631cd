"""The words around the heat map: banner, notices, legend, method. HTML in which every word from outside is escaped."""

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from maps.palette import LEVEL_LOOKS, shape_svg
from venues.area_risk import AreaRisk
from venues.risk import SHANGHAI, RiskLevel, RiskPolicy, VenueRisk

HATCH = (
    '<svg class="hatch" aria-hidden="true" focusable="false"><defs><pattern id="hulan-hatch" width="6" height="6" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#f1f0ec"/>'
    '<line x1="0" y1="0" x2="0" y2="6" stroke="#a9a9a4" stroke-width="1.6"/></pattern></defs></svg>'
)
"""The grey hatching of a cell without a value; the map's cells refer to it."""


_EMPTY_EN = (
    "There are no venues in the chosen range, so nothing is green, yellow or red. That does not mean it is safe. "
    "Import venues first, or choose a wider range."
)
_FIRST_SECTION = (
    '<section class="first-section"><h2>优先核查 <span class="en" lang="en">Look here first</span></h2>'
    '<p>先按等级，再按衰减得分 <span class="en" lang="en">By level, then by decayed score</span></p>'
    '<ol class="first" id="hulan-first"></ol></section>'
)
_SWATCH = (
    '<svg class="swatch" viewBox="0 0 20 18" aria-hidden="true"><path d="M5 1H15L19.5 9L15 17H5L.5 9Z" fill="{fill}" '
    'fill-opacity=".75" stroke="#5b5b58" stroke-width=".8"/></svg>'
)


def header_html(*, title: str, as_of: datetime, synthetic: bool) -> str:
    """Title, as-of time and, for made-up data, the banner."""
    moment = f"{as_of.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    banner = (
        '<div class="synthetic" role="note"><p><b>合成数据 SYNTHETIC DATA</b> 仅供演示，不得作为任何决定的依据 '
        f"{_en('For demonstration only; not a basis for any decision')}</p></div>"
    )
    return (
        f"{banner if synthetic else ''}<header><h1><bdi>{html.escape(title)}</bdi></h1>"
        f"<p>截至 {_en('As of')} <b><time>{moment}</time></b> 北京时间 {_en('UTC+8')}</p></header>{HATCH}"
    )


def notice_html(risks: Sequence[VenueRisk], *, policy: RiskPolicy) -> str:
    """Why every venue is grey, if every venue is; else nothing."""
    if not risks or any(risk.level is not RiskLevel.UNKNOWN for risk in risks):
        return ""
    if any(risk.incidents for risk in risks):
        zh = f"全部场所均为“数据不足”：观察均不足{policy.minimum_observed_days}天。灰色不表示安全。"
        en = f"No venue has been observed for {policy.minimum_observed_days} days yet. Grey does not mean safe."
    else:
        zh = "全部场所均为“数据不足”：尚未导入任何事件数据（警情、行政处罚、刑事案件）。灰色不表示安全。"
        en = "No incident data (police calls, penalties, criminal cases) has been imported. Grey does not mean safe."
    return f'<div class="notice" role="status"><p>{shape_svg(RiskLevel.UNKNOWN)}{zh} {_en(en)}</p></div>'


def empty_html(risks: Sequence[VenueRisk]) -> str:
    """What to read in place of venues when there are none."""
    if risks:
        return ""
    return (
        '<div class="empty" role="status"><h2>没有可显示的场所</h2>'
        "<p>所选范围内没有场所，因此没有绿、黄、红。这不表示该范围安全。请先导入场所，或扩大范围。</p>"
        f"<p>{_en(_EMPTY_EN)}</p></div>"
    )


def legend_html(
    risks: Sequence[VenueRisk],
    areas: Sequence[AreaRisk],
    *,
    site_count: int,
    as_of: datetime,
    policy: RiskPolicy,
    data_note: str | None,
) -> str:
    """The panel beside the map."""
    marked = any(risk.level in (RiskLevel.RED, RiskLevel.YELLOW) for risk in risks)
    parts = [
        _venue_key(risks, policy=policy),
        _FIRST_SECTION if marked else "",
        _area_key(areas, policy=policy),
        _site_key(site_count),
        _method(risks, as_of=as_of, policy=policy, data_note=data_note),
        '<p class="credit">护栏 Hulan · Leaflet 1.9.4 · folium</p>',
    ]
    return f'<aside aria-label="图例 Legend">{"".join(parts)}</aside>'


def _venue_key(risks: Sequence[VenueRisk], *, policy: RiskPolicy) -> str:
    """Shape, word, meaning and count of each level."""
    months, days = policy.trigger_months, policy.minimum_observed_days
    yellow, red = f"{policy.yellow_score:g}", f"{policy.red_score:g}"
    meanings = {
        RiskLevel.RED: (
            f"{months}个月内有涉未成年人刑事案件或第2次处罚，或得分≥{red}",
            f"Criminal case with a minor or a second penalty in {months} months, or score ≥ {red}",
        ),
        RiskLevel.YELLOW: (f"得分≥{yellow}", f"Score ≥ {yellow}"),
        RiskLevel.GREEN: (
            f"得分&lt;{yellow}，且观察满{days}天",
            f"Score &lt; {yellow}, observed for {days} days or more",
        ),
        RiskLevel.UNKNOWN: (
            f"观察不足{days}天，或没有任何记录；不表示安全",
            f"Observed for fewer than {days} days, or no record; does not mean safe",
        ),
    }
    counts = Counter(risk.level for risk in risks)
    rows = "".join(
        _row(
            shape_svg(level),
            look.word_zh + _en(look.word_en),
            meanings[level][0] + _en(meanings[level][1]),
            counts[level],
        )
        for level, look in LEVEL_LOOKS.items()
    )
    total = f'<tfoot><tr><td></td><td colspan="2">合计 {_en("Total")}</td><td class="n">{len(risks)}</td></tr></tfoot>'
    return f'<section><h2>场所 {_en("Venues")}</h2><table class="key"><tbody>{rows}</tbody>{total}</table></section>'


def _area_key(areas: Sequence[AreaRisk], *, policy: RiskPolicy) -> str:
    """Colour, word, threshold and count of the cells; nothing if there are none."""
    if not areas:
        return ""
    yellow, red = f"{policy.area_yellow_per_km2:g}", f"{policy.area_red_per_km2:g}"
    minimum, resolution = areas[0].minimum_count, areas[0].resolution
    counts = Counter(area.level for area in areas)
    meanings = {
        RiskLevel.RED: f"≥{red} / km²",
        RiskLevel.YELLOW: f"≥{yellow} / km²",
        RiskLevel.GREEN: f"&lt;{yellow} / km²",
    }
    rows = "".join(
        _row(
            _SWATCH.format(fill=LEVEL_LOOKS[level].fill),
            LEVEL_LOOKS[level].word_zh + _en(LEVEL_LOOKS[level].word_en),
            meaning,
            counts[level],
        )
        for level, meaning in meanings.items()
    )
    hidden = f"少于{minimum}件，不显示数值{_en(f'Fewer than {minimum} incidents: no value shown')}"
    rows += _row(
        _SWATCH.format(fill="url(#hulan-hatch)"), "不显示" + _en("Not shown"), hidden, counts[RiskLevel.UNKNOWN]
    )
    return (
        f"<section><h2>区域 {_en(f'Areas: H3 cells, resolution {resolution}')}</h2>"
        f'<table class="key"><tbody>{rows}</tbody></table>'
        f"<p>得分之和除以网格实际面积 {_en('Sum of scores over the true area of the cell')}</p></section>"
    )


def _site_key(count: int) -> str:
    """The sign of schools; nothing if there are none."""
    if not count:
        return ""
    row = _row(
        '<span class="site"><span>校</span></span>',
        "学校" + _en("Schools"),
        "含幼儿园（园）" + _en("Kindergartens too (园)"),
        count,
    )
    heading = f"<h2>受保护场所 {_en('Protected sites')}</h2>"
    return f'<section>{heading}<table class="key"><tbody>{row}</tbody></table></section>'


def _method(risks: Sequence[VenueRisk], *, as_of: datetime, policy: RiskPolicy, data_note: str | None) -> str:
    """How the levels were made, and from which data."""
    moments = [incident.occurred_at for risk in risks for incident in risk.incidents]
    moment = f"{as_of.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    if moments:
        earliest, latest = (f"{each.astimezone(SHANGHAI):%Y-%m-%d}" for each in (min(moments), max(moments)))
        period = f"{earliest} 至 {moment[:10]}"
        counted = f"{len(moments)} 件，最近一件 {latest} {_en(f'{len(moments)} counted, the latest on {latest}')}"
    else:
        period = f"无事件 {_en('No incidents')}"
        counted = f"0 件 {_en('None counted')}"
    call, penalty, case = (policy.police_call_weight, policy.penalty_weight, policy.criminal_case_weight)
    rows = [
        ("方法", "Method", f"衰减加权计数：Σ 权重×0.5^(天数/半衰期) {_en('Decayed weighted count of incidents')}"),
        ("权重", "Weights", f"警情 {call:g}，行政处罚 {penalty:g}，刑事案件 {case:g} {_en('Call, penalty, case')}"),
        ("半衰期", "Half-life", f"{policy.half_life_days:g} 天 {_en(f'{policy.half_life_days:g} days')}"),
        ("统计期间", "Period", period),
        ("事件", "Incidents", counted),
        ("截至", "As of", f"{moment} 北京时间 {_en('Asia/Shanghai, UTC+8')}"),
        ("规则版本", "Rule version", html.escape(policy.version)),
    ]
    if data_note:
        rows.append(("数据说明", "Data", f"<bdi>{html.escape(data_note)}</bdi>"))
    terms = "".join(f"<dt>{zh} {_en(en)}</dt><dd>{text}</dd>" for zh, en, text in rows)
    return (
        f'<section><h2>方法 {_en("Method")}</h2><dl class="method">{terms}</dl>'
        f"<p><b>颜色是线索，不是结论。</b> {_en('A colour is a reason to look, never a verdict.')}</p></section>"
    )


def _row(sign: str, word: str, what: str, count: int) -> str:
    """One line of a key: the sign on the map, its word, its meaning and how many there are."""
    return (
        f'<tr><td class="sign">{sign}</td><th class="word" scope="row">{word}</th>'
        f'<td class="what">{what}</td><td class="n">{count}</td></tr>'
    )


def _en(text: str) -> str:
    """English beside the Chinese; ``text`` is our own."""
    return f'<span class="en" lang="en">{text}</span>'
