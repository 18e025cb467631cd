"""The guardian's pages as HTML: Chinese first, English beside it, no script, nothing of other hosts."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.alert import AlertState
from alerts.answer import ANSWERS, Answer
from alerts.templates import Catalogue
from alerts.texts import NoTemplateError, TextRefusedError, render, said_time, template_for
from api.guardian.answering import NOT_FINAL, OpenedLink

STYLE_PATH = "/guardian.css"
ENTRY_PATH = "/g"

HINTS: dict[Answer, tuple[str, str]] = {
    Answer.TAKEN_AWAY: ("孩子已安全离开", "the child is with you, safe"),
    Answer.ON_MY_WAY: ("到达后请再次填写反馈码答复", "answer again with the code when you are there"),
    Answer.CANNOT: ("办案人员将接手处理", "an officer takes over"),
    Answer.NOT_MY_CHILD: ("办案人员将核对联系人", "an officer checks whom to tell"),
}
"""Under each button: what it means, or what follows."""

UNSAID = (
    "您的孩子有一条需要核实的提醒，请尽快联系孩子。",
    "There is something to look into about your child. Please contact them now.",
)
"""What happened, where no wording for the family may say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One thing said in both languages."""

    zh: str
    en: str


INVALID = Words(
    zh="反馈码不正确、已过期或已使用。请核对短信中的 8 位反馈码；如有急事，请直接致电办案单位。",
    en="This code is not right, has run out, or was used. Compare the 8 characters in the message; if it is urgent,"
    " telephone the office.",
)
"""The same for a code that is unknown, over or used."""

TOO_MANY = Words(
    zh="尝试次数过多，请过几分钟再试；如有急事，请直接致电办案单位。",
    en="Too many tries. Wait some minutes; if it is urgent, telephone the office.",
)
CLOSED = Words(
    zh="此事已处理完毕，如有变化请致电办案单位。",
    en="This matter is closed. If something changes, telephone the office.",
)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.guardian"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> str:
    """The style sheet of all of them."""
    loader = _templates().loader
    assert loader is not None
    return loader.get_source(_templates(), "guardian.css")[0]


def entry_page(problem: Words | None = None) -> str:
    """Where the code is typed. ``problem``: why it is shown again."""
    return _templates().get_template("entry.html").render(problem=problem, style=STYLE_PATH, entry=ENTRY_PATH)


def closed_page() -> str:
    """Nothing is to be answered any more."""
    return _templates().get_template("closed.html").render(words=CLOSED, style=STYLE_PATH)


def link_page(link: OpenedLink, *, ticket: str, now: datetime, catalogue: Catalogue, is_saved: bool = False) -> str:
    """What happened, and the four buttons. ``ticket``: the code or token. ``is_saved``: just answered."""
    if link.alert.state is AlertState.CLOSED:
        return closed_page()
    standing = None if link.earlier is None else link.earlier.answer
    buttons = [
        {"answer": kind, "zh": ANSWERS[kind].zh, "en": ANSWERS[kind].en, "hint": Words(zh=zh, en=en)}
        for kind, (zh, en) in HINTS.items()
        if kind is not standing
    ]
    return (
        _templates()
        .get_template("link.html")
        .render(
            style=STYLE_PATH,
            entry=ENTRY_PATH,
            ticket=ticket,
            told=_told(link, now, catalogue),
            opened_at=link.alert.opened_at.isoformat(),
            when=_said(link.alert.opened_at, now),
            circle=link.circle,
            standing=None if standing is None else _standing(link, standing, now),
            buttons=buttons,
            change_until=None if link.change_until is None else _said(link.change_until, now),
            is_on_the_way=standing in NOT_FINAL,
            is_saved=is_saved,
        )
    )


def _standing(link: OpenedLink, answer: Answer, now: datetime) -> dict[str, object]:
    assert link.earlier is not None
    return {"answer": answer, "zh": ANSWERS[answer].zh, "en": ANSWERS[answer].en, "at": _said(link.earlier.at, now)}


def _told(link: OpenedLink, now: datetime, catalogue: Catalogue) -> Words:
    """The wording of the message, which the linter has passed: no venue, no offence, no name beyond the alias."""
    zh, en = (
        _in(link, now, catalogue, language, unsaid) for language, unsaid in zip(("zh", "en"), UNSAID, strict=True)
    )
    return Words(zh=zh, en=en)


def _in(link: OpenedLink, now: datetime, catalogue: Catalogue, language: str, unsaid: str) -> str:
    try:
        template = template_for(link.recipient.role, link.alert.event, catalogue=catalogue)
        said = render(
            template, language=language, name=link.alias, at=link.alert.opened_at, now=now, catalogue=catalogue
        )
    except (NoTemplateError, TextRefusedError):
        return unsaid
    return said.text


def _said(at: datetime, now: datetime) -> Words:
    return Words(zh=said_time(at, now=now, language="zh"), en=said_time(at, now=now, language="en"))
