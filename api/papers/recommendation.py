"""The draft of a recommendation (检察建议书) from a lead: a template filled in, for a prosecutor to finish.

Nothing is decided here: a draft says what was found and checked, in the words of the lead, and leaves open what an
officer must settle.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from api.leads import GROUND_NAMES_ZH
from api.papers.recommendation_law import cited_for
from venues.lead import REPLY_MONTHS, URGENT_REPLY_DAYS, LeadStep, last_step, letter_to_deliver, since_opened
from venues.lead_store import StoredLead

SHIPPED = Path(__file__).with_name("recommendation.toml")

OPEN_NUMBER = "（文号待编）"

_WORDS = (
    "procuratorate", "regulator", "document_number", "venue", "ground", "facts", "checked", "hazard", "basis",
    "articles", "period", "on",
)  # fmt: skip
_MONTHS_ZH = {2: "两个月"}
_DAYS_ZH = {15: "十五日"}


class TemplateError(ValueError):
    """A template that cannot be filled in. The message names the key and what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A letter of an office: a template, or filled in."""

    title: tuple[str, ...]
    number: str
    addressee: str
    sections: tuple[Section, ...]
    closing: tuple[str, ...]


def load_template(own: Path | None = None) -> Paper:
    """The shipped template, or an office's own. Raises TemplateError naming file and key."""
    path = own or SHIPPED
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        paper = _paper(data)
        _filled(paper, dict.fromkeys(_WORDS, ("-",)))
    except OSError as error:
        raise TemplateError(f"无法读取模板 cannot read the template {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TemplateError) as error:
        raise TemplateError(f"{path}: {error}") from error
    return paper


def draft_of(
    lead: StoredLead,
    template: Paper,
    *,
    procuratorate: str,
    on: date,
    is_urgent: bool,
    document_number: str = "",
    present: Sequence[str] = (),
) -> Paper:
    """The template filled in with a lead. ``on``: the day of the draft (Asia/Shanghai).

    ``document_number``: of this letter; without one, of the recommendation that is on record and not delivered yet.
    ``present``: what is found now, if that is not any more what the lead was opened with; the draft says both. Of a
    lead that was opened again, what was checked before does not count.
    """
    told = last_step(since_opened(lead.events), LeadStep.RECOMMEND)
    regulator = (told.regulator if told else lead.regulator) or f"（待定：{'、'.join(lead.candidates) or '主管部门'}）"
    letter = letter_to_deliver(lead.events)
    number = document_number or (letter.document_number if letter else "")
    cited = cited_for(lead.ground, lead.categories)
    return _filled(
        template,
        {
            "procuratorate": (procuratorate,),
            "regulator": (regulator,),
            "document_number": (number or OPEN_NUMBER,),
            "venue": (f"{lead.venue_name}（{lead.venue_address or '地址待核'}）",),
            "ground": (GROUND_NAMES_ZH[lead.ground],),
            "facts": (*_numbered(lead.facts), *_changed(present)),
            "checked": (_checked(lead),),
            "hazard": cited.hazards,
            "articles": (cited.articles,),
            "basis": (lead.route_basis or "（请补充职责依据）",),
            "period": (_DAYS_ZH[URGENT_REPLY_DAYS] if is_urgent else _MONTHS_ZH[REPLY_MONTHS],),
            "on": (f"{on.year}年{on.month}月{on.day}日",),
        },
    )


def _numbered(facts: Sequence[str]) -> tuple[str, ...]:
    """In Chinese: a fact is in both languages."""
    return tuple(f"{count}．{fact.partition(' / ')[0]}。" for count, fact in enumerate(facts, start=1))


def _changed(present: Sequence[str]) -> tuple[str, ...]:
    if not present:
        return ()
    return (
        "（以上为线索发现时的评估结果。此后结论已变，现为下列各项，请检察官核实并据以修改：）",
        *_numbered(present),
    )


def _checked(lead: StoredLead) -> str:
    check = last_step(since_opened(lead.events), LeadStep.CHECK)
    if check is None or check.on is None:
        return "（尚未现场核查：核查前不得制发。）"
    found = "属实" if check.is_found else "未发现"
    note = f"：{check.note}" if check.note else ""
    return f"经本院于{check.on.year}年{check.on.month}月{check.on.day}日现场核查，上述情况{found}{note}。"


def _filled(template: Paper, words: Mapping[str, tuple[str, ...]]) -> Paper:
    def one(line: str) -> str:
        try:
            return line.format_map({name: values[0] if values else "" for name, values in words.items()})
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise TemplateError(
                f"“{line}”：只能用 {', '.join(_WORDS)} / the words in braces are those: {error}"
            ) from error

    def each(line: str) -> tuple[str, ...]:
        """A paragraph that is one word only becomes as many as the word has values."""
        name = line.strip().removeprefix("{").removesuffix("}")
        return words[name] if line.strip() == f"{{{name}}}" and name in words else (one(line),)

    return Paper(
        title=tuple(map(one, template.title)),
        number=one(template.number),
        addressee=one(template.addressee),
        sections=tuple(
            Section(
                heading=one(held.heading), paragraphs=tuple(text for line in held.paragraphs for text in each(line))
            )
            for held in template.sections
        ),
        closing=tuple(map(one, template.closing)),
    )


def _paper(data: Mapping[str, Any]) -> Paper:
    wanted = {"title", "number", "addressee", "section", "closing"}
    for key in sorted(wanted ^ data.keys()):
        raise TemplateError(f"{key}：缺少或不认识 missing or unknown; the keys are {', '.join(sorted(wanted))}")
    sections = []
    for number, entry in enumerate(data["section"], start=1):
        if set(entry) != {"heading", "paragraphs"}:
            raise TemplateError(f"section[{number}]：须有 heading 与 paragraphs / give exactly these two")
        paragraphs = _lines(entry["paragraphs"], f"section[{number}].paragraphs")
        sections.append(Section(heading=str(entry["heading"]), paragraphs=paragraphs))
    return Paper(
        title=_lines(data["title"], "title"),
        number=str(data["number"]),
        addressee=str(data["addressee"]),
        sections=tuple(sections),
        closing=_lines(data["closing"], "closing"),
    )


def _lines(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(line, str) for line in value):
        raise TemplateError(f"{where}：应为文字列表 must be a list of lines")
    return tuple(value)
