"""A stored message as it has to read when it leaves: on another day, to another person, or without a code. Pure."""

from dataclasses import replace
from datetime import datetime

from alerts.gateway import Message
from alerts.templates import BUILT_IN, WITH_CODE, Catalogue
from alerts.texts import NoTemplateError, Rendered, TextRefusedError, render, said_time


def reworded(
    message: Message,
    *,
    event_at: datetime,
    now: datetime,
    reads: str,
    with_code: bool,
    catalogue: Catalogue = BUILT_IN,
) -> Message:
    """The message with the same key and address, worded anew where what is stored is not right any more.

    ``event_at``: what it says as the time of the event; ``now``: when it leaves; both aware. The time has its date if
    the local day changed. ``reads``: the language of whoever it goes to, who may have taken another person's place.
    ``with_code``: whether a code of the answer page can be put in; a text without one is better than one whose code
    opens nothing, and than none. What cannot be worded anew leaves as it is stored.
    """
    values = dict(message.variables)
    template = message.template if with_code else message.template.removesuffix(WITH_CODE)
    time = said_time(event_at, now=now, language=message.language)
    if (template, reads, values.get("time", time)) == (message.template, message.language, time):
        return message
    try:
        said = _said_anew(template, values, event_at=event_at, now=now, reads=reads, catalogue=catalogue)
    except (TextRefusedError, NoTemplateError):
        return message
    return replace(message, template=said.template, text=said.text, variables=said.variables, language=said.language)


def _said_anew(
    template: str, values: dict[str, str], *, event_at: datetime, now: datetime, reads: str, catalogue: Catalogue
) -> Rendered:
    return render(
        template,
        language=reads,
        name=values.get("name", ""),
        at=event_at,
        now=now,
        reference=values.get("reference", ""),
        code=values.get("code", ""),
        minutes=int(values["minutes"]) if "minutes" in values else None,
        catalogue=catalogue,
    )
