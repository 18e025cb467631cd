"""What the forms of the providers have in common: numbers, template codes, times, JSON of callbacks. Pure."""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from alerts.fault import BAD_NUMBER, TEMPLATE_NOT_REGISTERED, error_of
from alerts.gateway import BadCallbackError, BadSignatureError, Message
from tracking.local_time import LOCAL_TIME


def e164(address: str) -> str:
    """``13800000101``, ``8613800000101`` and ``+8613800000101`` alike as the last. Raises a final `GatewayError`."""
    plain = re.sub(r"[\s-]", "", address)
    found = re.fullmatch(r"(?:(?:\+|00)?86)?(1\d{10})", plain, re.ASCII)
    if found:
        return f"+86{found[1]}"
    if re.fullmatch(r"\+(?!86)[1-9]\d{6,14}", plain, re.ASCII):
        return plain
    raise error_of(BAD_NUMBER)


def plain_reference(reference: object) -> str:
    """A provider's reference as it may be stored and shown; empty if it is none."""
    text = str(reference or "")
    return text if re.fullmatch(r"[\x21-\x7e]{1,200}", text) else ""


def template_code(templates: Mapping[str, str], message: Message) -> str:
    """The provider's name of our template in a language: the entry ``template.language``, else ``template``.

    The entry without a language is Chinese. Raises `GatewayError`, not final: another provider may have it.
    """
    code = templates.get(f"{message.template}.{message.language}")
    if code is None and message.language == "zh":
        code = templates.get(message.template)
    if code is None:
        raise error_of(TEMPLATE_NOT_REGISTERED)
    return code


def check_callback_token(given: str, expected: str) -> None:
    """The secret in the path of a callback whose provider signs nothing. Raises :class:`BadSignatureError`."""
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise BadSignatureError("回调地址的口令不正确 / wrong token in the address of the callback")


def beijing_time(text: object) -> datetime:
    """``2017-01-01 00:00:00`` as the providers write it, aware. Raises :class:`BadCallbackError`."""
    try:
        return plausible(datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=LOCAL_TIME))
    except ValueError:
        raise BadCallbackError("时间格式不正确 / a time that is none") from None


def unix_time(seconds: object) -> datetime:
    """Aware, UTC. Raises :class:`BadCallbackError`."""
    try:
        return plausible(datetime.fromtimestamp(int(str(seconds)), UTC))
    except (ValueError, OverflowError, OSError):
        raise BadCallbackError("时间格式不正确 / a time that is none") from None


def plausible(at: datetime) -> datetime:
    """The aware instant itself. Raises `ValueError` for one that no provider means and no driver can read."""
    if not 2000 <= at.year < 2100:
        raise ValueError("not of this century")
    return at


def key_of(text: object) -> UUID | None:
    """Our key as a provider hands it back, if it is one."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


def read_json(body: bytes) -> Any:
    """The content of a callback. Raises :class:`BadCallbackError`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadCallbackError("回调内容不是 JSON / not JSON") from None


def read_list(content: object, needed: Sequence[str]) -> list[dict[str, Any]]:
    """A list of objects that have the fields needed. Raises :class:`BadCallbackError`."""
    if not isinstance(content, list) or not all(isinstance(item, dict) and {*needed} <= {*item} for item in content):
        raise BadCallbackError(f"回调内容应为含 {'、'.join(needed)} 的列表 / not a list of objects with these fields")
    return content
