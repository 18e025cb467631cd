"""What a message may say: reviewed wordings, each for one audience, one topic, one claim and one language.

Variables are written ``{name}``. A provider's code for a registered wording is data of the office (``codes``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from alerts.templates_en import ENGLISH
from alerts.templates_zh import CHINESE

VERSION = "texts-1"
"""Of the wordings that Hulan ships; changed whenever one of them is."""

CHINESE_CODE, ENGLISH_CODE = "反馈码{code}。", " Code {code}."
"""What a guardian's text ends with where the office uses the answer page: the page's address is printed on the paper
handed over at the notice, because no text may carry a link; the code says which alert is answered."""

WITH_CODE = "_code"


class Reader(StrEnum):
    """Who reads it."""

    GUARDIAN = "guardian"  # 监护人
    GUARANTOR = "guarantor"  # 保证人
    SUBJECT = "subject"  # 本人
    OFFICER = "officer"  # 检察官、民警
    DUTY = "duty"  # 值班人员
    LEADER = "leader"  # 负责人
    CALLER = "caller"  # 打电话的人：不是短信


class Claim(StrEnum):
    """How much the text claims. The machine suspects or reports what it received; only an officer confirms."""

    SUSPECTED = "suspected"  # 疑似
    OBSERVED = "observed"  # 设备、打卡的记录，不评价行为
    CONFIRMED = "confirmed"  # 经核实
    NOTICE = "notice"  # 不涉及行为：催办、请求、告知结果


LONGEST: Mapping[str, Mapping[str, int]] = {
    "zh": {"name": 6, "time": 12, "reference": 8, "code": 8, "minutes": 4, "message": 80},
    "en": {"name": 10, "time": 15, "reference": 8, "code": 8, "minutes": 4, "message": 140},
}
"""Language → variable → its most characters. Aliyun takes 35 each, Huawei 20 (reference/domain.md 3.5)."""

VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One wording. ``reviewed_by``, ``reviewed_at``: who of the office approved it, and when; ``None``: nobody yet."""

    template_id: str
    language: str
    reader: Reader
    claim: Claim
    wording: str
    version: str = VERSION
    reviewed_by: str | None = None
    reviewed_at: date | None = None
    codes: tuple[tuple[str, str], ...] = ()
    """(provider, its code of this wording), from the office's file."""

    @property
    def variables(self) -> tuple[str, ...]:
        """In order of appearance, which is the order that Tencent numbers them in."""
        return tuple(VARIABLE.findall(self.wording))

    def code_of(self, provider: str) -> str | None:
        """The provider's code, or ``None`` where the office has registered none."""
        return dict(self.codes).get(provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All wordings by (template id, language)."""

    templates: Mapping[tuple[str, str], Template] = field(hash=False)

    def find(self, template_id: str, language: str) -> Template | None:
        """The wording in ``language``, else in Chinese; ``None`` if there is no such template."""
        return self.templates.get((template_id, language)) or self.templates.get((template_id, "zh"))

    def codes_of(self, provider: str) -> dict[str, str]:
        """``template.language`` → the provider's code, of the wordings that the office registered with it."""
        return {
            f"{template_id}.{language}": code
            for (template_id, language), item in self.templates.items()
            if (code := item.code_of(provider)) is not None
        }

    def replaced_by(self, own: Iterable[Template]) -> "Catalogue":
        """With the office's own wordings in place of those that Hulan ships."""
        return Catalogue(templates={**self.templates, **{(item.template_id, item.language): item for item in own}})


def provider_wording(template: Template, provider: str) -> str:
    """The wording as it is typed into the provider's console: ``${name}``, Tencent ``{1}``, Huawei ``${TXT_6}``."""
    numbers = {name: number for number, name in enumerate(template.variables, start=1)}

    def written(found: re.Match[str]) -> str:
        if provider == "tencent":
            return f"{{{numbers[found[1]]}}}"
        if provider == "huawei":
            return f"${{TXT_{LONGEST[template.language][found[1]]}}}"
        return f"${{{found[1]}}}"

    return VARIABLE.sub(written, template.wording)


def _built_in() -> Catalogue:
    made: dict[tuple[str, str], Template] = {}
    for language, wordings, ending in (("zh", CHINESE, CHINESE_CODE), ("en", ENGLISH, ENGLISH_CODE)):
        for audience, topics in wordings.items():
            for topic, wording in topics.items():
                forms = {topic: wording}
                if audience == Reader.GUARDIAN:
                    forms[topic + WITH_CODE] = wording + ending
                for form, text in forms.items():
                    template_id = f"{audience}_{form}"
                    made[template_id, language] = Template(
                        template_id=template_id,
                        language=language,
                        reader=Reader(audience),
                        claim=_claim_of(topic),
                        wording=text,
                    )
    return Catalogue(templates=made)


def _claim_of(topic: str) -> Claim:
    last = topic.rsplit("_", 1)[-1]
    return Claim(last) if last in set(Claim) else Claim.NOTICE


BUILT_IN = _built_in()
"""What Hulan ships. No office has reviewed it: an office that registers it signs for it in its own file."""
