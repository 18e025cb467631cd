"""The text of a message: a template filled in. What the linter refuses is not made (design.md, invariant 11).

Times are the event's, in Asia/Shanghai, with the date where it is not today's.
"""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.event import EventKind
from alerts.templates import BUILT_IN, VARIABLE, WITH_CODE, Catalogue, Template
from alerts.text_lint import Problem, lint_rendered, lint_text, lint_values, problem_of
from alerts.text_names import NEUTRAL_NAME
from alerts.text_rules import Rule
from tracking.local_time import LOCAL_TIME

CODE_ALPHABET = "23456789BCDFGHJKMNPQRTVWXYZ"
"""Of codes that a guardian types: no vowels, so that no word comes out, and nothing that is mistaken for another."""

LONGEST_AGO = timedelta(days=180)
"""A date without its year is understood within this time; a message about anything older is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A text to send. ``variables``: in order of appearance, as a provider's template takes them.

    ``withheld``: why the name was replaced, for an officer to mend; empty if it was not.
    """

    template: str
    version: str
    text: str
    variables: tuple[tuple[str, str], ...]
    language: str
    withheld: tuple[Problem, ...] = field(default=())


class NoTemplateError(LookupError):
    """This audience is not told of this."""


class TextRefusedError(ValueError):
    """The linter refuses the text. ``problems``: every reason."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        told = "；".join(f"{item.field} [{item.rule}] {item.zh} / {item.en}" for item in self.problems)
        super().__init__(f"短信未通过检查 the text is refused: {told}")


def template_for(
    audience: str,
    event: EventKind,
    *,
    is_confirmed: bool = False,
    with_code: bool = False,
    catalogue: Catalogue = BUILT_IN,
) -> str:
    """The template id for a guardian, guarantor or officer. Raises NoTemplateError if that audience is not told of it.

    ``with_code``: ends with the code of the guardian's answer page.
    """
    for claim in ("confirmed",) if is_confirmed else ("suspected", "observed"):
        template_id = f"{audience}_{event}_{claim}{WITH_CODE if with_code else ''}"
        if catalogue.find(template_id, "zh") is not None:
            return template_id
    raise NoTemplateError(f"没有给 {audience} 的 {event} 模板 / {audience} is not told of {event}")


def notice_for(audience: str, notice: str, *, with_code: bool = False, catalogue: Catalogue = BUILT_IN) -> str:
    """The template id of what is no event: ``unacknowledged``, ``check_in_request`` … Raises NoTemplateError."""
    template_id = f"{audience}_{notice}{WITH_CODE if with_code else ''}"
    if catalogue.find(template_id, "zh") is None:
        raise NoTemplateError(f"没有给 {audience} 的 {notice} 模板 / there is no {notice} for {audience}")
    return template_id


def render(
    template: str,
    *,
    language: str = "zh",
    name: str = "",
    at: datetime,
    now: datetime,
    reference: str = "",
    code: str = "",
    minutes: int | None = None,
    known: Collection[str] = (),
    catalogue: Catalogue = BUILT_IN,
) -> Rendered:
    """The text to send. ``at``: the event, ``now``: when it is said, both aware. Another language than ours is Chinese.

    A name that may not be said is withheld: the message leaves with 某某 in its place, for a message that does not
    leave protects nobody. ``known``: what the case file keeps secret and no text may hold. Raises TextRefusedError if
    any other value is refused, NoTemplateError if there is no such template.
    """
    chosen = _find(template, language, catalogue)
    values = {
        "name": name,
        "time": said_time(at, now=now, language=chosen.language),
        "reference": reference,
        "code": code,
        "minutes": "" if minutes is None else str(minutes),
    }
    used = {variable: values[variable] for variable in chosen.variables}
    withheld: list[Problem] = []
    if "name" in used:
        withheld = _name_problems(chosen, used, known)
        if withheld:
            used["name"] = NEUTRAL_NAME[chosen.language]
    text = _fill(chosen.wording, used)
    problems = lint_values(used, language=chosen.language, field=template, known=known)
    problems += lint_rendered(text, language=chosen.language, field=template)
    problems += _time_problems(at, now, template)
    if problems:
        raise TextRefusedError(problems)
    return Rendered(
        template=template,
        version=chosen.version,
        text=text,
        variables=tuple(used.items()),
        language=chosen.language,
        withheld=tuple(withheld),
    )


def voice_script(audience: str, message: Rendered, *, reference: str, catalogue: Catalogue = BUILT_IN) -> Rendered:
    """What the person who telephones does and says. ``audience``: whom they call."""
    chosen = _find(f"caller_{audience}", message.language, catalogue)
    used = {"message": message.text if message.language == "zh" else f'"{message.text}"', "reference": reference}
    problems = lint_values({"reference": reference}, language=chosen.language, field=chosen.template_id)
    if problems:
        raise TextRefusedError(problems)
    return Rendered(
        template=chosen.template_id,
        version=chosen.version,
        text=_fill(chosen.wording, used),
        variables=tuple(used.items()),
        language=chosen.language,
        withheld=message.withheld,
    )


def said_time(at: datetime, *, now: datetime, language: str) -> str:
    """``22时13分``, ``10月9日22时13分``; ``22:13``, ``22:13 on 9 Oct``. Raises ValueError for a naive instant."""
    if at.tzinfo is None or now.tzinfo is None:
        raise ValueError("时间须带时区 / an instant must be aware")
    local, today = at.astimezone(LOCAL_TIME), now.astimezone(LOCAL_TIME).date()
    if language == "en":
        day = "" if local.date() == today else f" on {local.day} {_MONTHS[local.month - 1]}"
        return f"{local:%H}:{local:%M}{day}"
    day = "" if local.date() == today else f"{local.month}月{local.day}日"
    return f"{day}{local:%H}时{local:%M}分"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _find(template: str, language: str, catalogue: Catalogue) -> Template:
    chosen = catalogue.find(template, language)
    if chosen is None:
        raise NoTemplateError(f"没有模板 {template} / there is no template {template}")
    return chosen


def _name_problems(chosen: Template, used: Mapping[str, str], known: Collection[str]) -> list[Problem]:
    """Of the name, and of a word that name and wording make together."""
    name = unicodedata.normalize("NFKC", used["name"])
    problems = lint_values({"name": used["name"]}, language=chosen.language, field=chosen.template_id, known=known)
    if problems:
        return problems
    around = VARIABLE.sub(lambda found: name if found[1] == "name" else " ", chosen.wording)
    return lint_text(around, field=f"{chosen.template_id}.name", known=known)


def _time_problems(at: datetime, now: datetime, template: str) -> list[Problem]:
    return [problem_of(f"{template}.time", f"{at:%Y-%m-%d}", Rule.TIME)] if abs(now - at) > LONGEST_AGO else []


def _fill(wording: str, values: Mapping[str, str]) -> str:
    """Values are put in as they are: one that looks like a variable stays what it is."""
    return VARIABLE.sub(lambda found: values[found[1]], wording)
