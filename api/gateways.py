"""The gateways that the settings name. Their libraries are loaded when a gateway is opened, and no earlier."""

import ssl
from collections.abc import Callable, Mapping
from functools import partial

from pydantic import SecretStr

from alerts.channel import Channel
from alerts.gateway import Gateway, Message
from alerts.gateway_console import ConsoleGateway
from alerts.templates import BUILT_IN, Catalogue
from api.settings import Settings

MESSAGES_FILE = "messages.jsonl"
"""In the data folder: what the console gateway handed over."""


def open_gateways(
    settings: Settings, show: Callable[[Message], None], catalogue: Catalogue = BUILT_IN
) -> dict[Channel, tuple[Gateway, ...]]:
    """By channel, in the order in which they are tried. A channel without a gateway is not there."""
    opened = {name: _open(name, settings, show, catalogue) for name in settings.sms_gateway_names}
    gateways: dict[Channel, tuple[Gateway, ...]] = {Channel.SMS: tuple(opened.values())}
    if settings.smtp_host:
        gateways[Channel.EMAIL] = (_open("smtp", settings, show, catalogue),)
    if settings.webhook_url:
        gateways[Channel.WEBHOOK] = (opened.get("webhook") or _open("webhook", settings, show, catalogue),)
    return gateways


def _open(name: str, settings: Settings, show: Callable[[Message], None], catalogue: Catalogue) -> Gateway:
    if name == "console":
        return ConsoleGateway(settings.data_dir / MESSAGES_FILE, show)
    openers: dict[str, Callable[[Settings], Gateway]] = {
        "aliyun": partial(_aliyun, codes=_codes(catalogue, "aliyun")),
        "tencent": partial(_tencent, codes=_codes(catalogue, "tencent")),
        "smpp": _smpp,
        "webhook": _webhook,
        "smtp": _smtp,
    }
    return openers[name](settings)


def _codes(catalogue: Catalogue, provider: str) -> dict[str, str]:
    """Our templates, ``name`` or ``name.en``, to the codes in the office's file of wordings."""
    return {name.removesuffix(".zh"): code for name, code in catalogue.codes_of(provider).items()}


def _aliyun(settings: Settings, codes: Mapping[str, str]) -> Gateway:
    from alerts.gateway_aliyun import AliyunAccount, AliyunGateway  # noqa: PLC0415 # only where it is used

    account = AliyunAccount(
        access_key_id=_given(settings.aliyun_access_key_id),
        access_key_secret=_given(settings.aliyun_access_key_secret),
        signature=settings.sms_signature,
        templates={**codes, **settings.aliyun_templates},
        endpoint=settings.aliyun_endpoint,
        ca_file=_ca_file(settings),
    )
    return AliyunGateway(account)


def _tencent(settings: Settings, codes: Mapping[str, str]) -> Gateway:
    from alerts.gateway_tencent import TencentAccount, TencentGateway  # noqa: PLC0415 # only where it is used

    account = TencentAccount(
        secret_id=_given(settings.tencent_secret_id),
        secret_key=_given(settings.tencent_secret_key),
        app_id=_given(settings.tencent_app_id),
        signature=settings.sms_signature,
        templates={**codes, **settings.tencent_templates},
        endpoint=settings.tencent_endpoint,
        region=settings.tencent_region,
        ca_file=_ca_file(settings),
    )
    return TencentGateway(account)


def _smpp(settings: Settings) -> Gateway:
    from alerts.gateway_smpp import SmppAccount, SmppGateway  # noqa: PLC0415 # only where it is used

    account = SmppAccount(
        host=_given(settings.smpp_host),
        port=settings.smpp_port,
        system_id=_given(settings.smpp_system_id),
        password=_given(settings.smpp_password),
        sender=_given(settings.smpp_sender),
        signature=settings.sms_signature,
        tls=_trust(settings) if settings.smpp_tls else None,
    )
    return SmppGateway(account)


def _webhook(settings: Settings) -> Gateway:
    from alerts.gateway_webhook import WebhookGateway  # noqa: PLC0415 # only where it is used

    return WebhookGateway(_given(settings.webhook_url), _given(settings.webhook_secret).encode(), tls=_trust(settings))


def _smtp(settings: Settings) -> Gateway:
    from alerts.gateway_smtp import SmtpAccount, SmtpGateway  # noqa: PLC0415 # only where it is used

    account = SmtpAccount(
        host=_given(settings.smtp_host),
        port=settings.smtp_port,
        user=_given(settings.smtp_user),
        password=_given(settings.smtp_password),
        sender=_given(settings.smtp_sender),
        tls=_trust(settings),
    )
    return SmtpGateway(account)


def _given(value: str | SecretStr | None) -> str:
    """A setting that `GatewaySettings` has made sure of."""
    assert value is not None
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _ca_file(settings: Settings) -> str | None:
    return None if settings.gateway_ca is None else str(settings.gateway_ca)


def _trust(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=_ca_file(settings))
