"""What a provider's error is about, and so what helps; each provider's table is beside its gateway. Pure."""

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alerts.gateway import GatewayError


class Blame(StrEnum):
    """What a refusal is about."""

    MESSAGE = "message"
    """This message or its number: neither time nor another provider of the channel helps."""
    BUDGET = "budget"
    """The number has had its share: another channel."""
    PROVIDER = "provider"
    """The provider, our account with it, or what was approved there: another provider."""
    MOMENT = "moment"
    """Nothing lasting: the same again later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A blame and its words, zh / en. ``is_answered``: the provider said so, and did not take the message."""

    blame: Blame
    words: str
    is_answered: bool = True


def plain_code(code: object) -> str:
    """A provider's code, if it is one: whatever else a provider writes may quote a number or a text."""
    text = str(code)
    return text if re.fullmatch(r"(?!\+?\d{7,15}$)[\w.:^-]{1,64}", text, re.ASCII) else "?"


def error_of(fault: Fault, code: object = "") -> GatewayError:
    """As a sender understands it; the code in brackets, for whoever asks the provider."""
    told = f"{fault.words} ({plain_code(code)})" if code != "" else fault.words
    return GatewayError(
        told,
        is_final=fault.blame is Blame.MESSAGE,
        is_provider_down=fault.blame is Blame.PROVIDER,
        is_budget_hit=fault.blame is Blame.BUDGET,
        is_taken_possible=not fault.is_answered,
    )


def find_fault(code: str, faults: Mapping[str, Fault]) -> Fault:
    """The fault of the longest entry that is ``code`` or a part of it up to a dot, else of the empty entry."""
    parts = code.split(".")
    for count in range(len(parts), 0, -1):
        found = faults.get(".".join(parts[:count]))
        if found is not None:
            return found
    return faults[""]


_NOT_CONNECTED = frozenset({"NewConnectionError", "ConnectTimeoutError", "ProxyError"})
"""Of urllib3, under both clouds' libraries: nobody listens, nobody knows the name, no line to a proxy."""


def unreached(error: BaseException) -> Fault:
    """Whether an error of a library that speaks HTTP came before a line stood over which a request could have left.

    What one error came from is in its causes, and in ``inner_exception``, where Aliyun's library keeps it.
    """
    chain: list[BaseException] = []
    found: object = error
    while isinstance(found, BaseException) and found not in chain:
        chain.append(found)
        found = getattr(found, "inner_exception", None) or found.__cause__ or found.__context__
    return NOT_CONNECTED if any(_is_before_a_line(item) for item in chain) else NOT_REACHED


def _is_before_a_line(error: BaseException) -> bool:
    """An error of connecting by its kind; one of encryption only if it came while that was agreed on."""
    if any(kind.__name__ in _NOT_CONNECTED and kind.__module__ == "urllib3.exceptions" for kind in type(error).__mro__):
        return True
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in traceback.walk_tb(error.__traceback__))


NOT_CONNECTED = Fault(Blame.PROVIDER, "短信通道连接失败，未发送 / no connection to the provider, nothing was sent")
NOT_REACHED = Fault(Blame.PROVIDER, "短信通道无法连接 / the provider is not reached", False)
NOT_UNDERSTOOD = Fault(Blame.PROVIDER, "短信通道的应答无法识别 / the provider's answer is not understood", False)
TEMPLATE_NOT_REGISTERED = Fault(Blame.PROVIDER, "服务商处没有该模板 / the provider does not have this template")
TEXT_TOO_LONG = Fault(Blame.MESSAGE, "短信超过 70 个字 / the text is longer than 70 characters")
BAD_NUMBER = Fault(Blame.MESSAGE, "号码不正确 / the provider knows no such number")
BUDGET = Fault(Blame.BUDGET, "该号码已达到服务商的发送上限 / the provider's limit for this number is reached")
REFUSED_TEXT = Fault(Blame.MESSAGE, "服务商不接受短信内容 / the provider refuses what the message says")
BAD_REQUEST = Fault(Blame.MESSAGE, "服务商认为参数有误 / the provider finds the request wrong")
BLOCKED_NUMBER = Fault(Blame.MESSAGE, "该号码拒收短信 / this number takes no messages")
NOT_APPROVED = Fault(Blame.PROVIDER, "签名或模板未获服务商批准 / signature or template is not approved by the provider")
NO_MONEY = Fault(Blame.PROVIDER, "服务商账户欠费或停用 / the account with the provider has no money or is closed")
NO_ACCESS = Fault(Blame.PROVIDER, "服务商不接受密钥或来源地址 / the provider refuses our key or our address")
ACCOUNT_LIMIT = Fault(Blame.PROVIDER, "账户已达到总发送上限 / the limit of the whole account is reached")
THROTTLED = Fault(Blame.MOMENT, "发送过快，稍后重试 / too fast for the provider, tried again later")
PROVIDER_FAILED = Fault(Blame.PROVIDER, "服务商内部错误 / the provider failed")
UNKNOWN = Fault(Blame.MOMENT, "服务商返回未知错误，稍后重试 / an unknown error, tried again later")
