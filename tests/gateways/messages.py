"""The message that the gateways are given, and what none of them may ever say."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from alerts.gateway import Gateway, GatewayError, Message

PHONE = "13800000101"
NAME = "小丽"
KEY = UUID("019aa000-0000-7000-8000-0000000012ab")


def a_message(**changes: Any) -> Message:
    message = Message(
        idempotency_key=KEY,
        address=PHONE,
        text=f"您的孩子{NAME}于22时13分疑似进入未成年人禁入区域，请尽快核实并带离。",
        template="guardian_entry_suspected",
        variables=(("name", NAME), ("time", "22时13分")),
    )
    return replace(message, **changes)


def personal(text: str) -> list[str]:
    """What of the message ``text`` gives away, the number in any of its forms."""
    return [needle for needle in (PHONE, PHONE[-8:], NAME, "22时13分") if needle in text]


def refused(gateway: Gateway, message: Message | None = None) -> GatewayError:
    """The error of a message that is not taken; no word of it, nor of what it came from, is about a person."""
    with pytest.raises(GatewayError) as raised:
        gateway.send(message or a_message())
    reason = raised.value.reason
    assert personal(f"{reason} {raised.value!r} {raised.value.__cause__!r}") == []
    assert raised.value.__suppress_context__ or raised.value.__context__ is None, "the SDK's error quotes the request"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in reason), reason
    assert " / " in reason, reason
    return raised.value


def kind_of(error: GatewayError) -> str:
    if error.is_budget_hit:
        assert error.is_final
        return "budget"
    return "final" if error.is_final else "down" if error.is_provider_down else "again"


@contextlib.contextmanager
def nothing_personal_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Neither on standard output or error, nor to a logger of whatever level."""
    with caplog.at_level("DEBUG"):
        yield
    printed = capfd.readouterr()
    assert personal(printed.out + printed.err) == []
