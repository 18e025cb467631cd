"""The gateway that the settings name."""

from collections.abc import Callable

from alerts.gateway import Gateway, Message
from alerts.gateway_console import ConsoleGateway
from alerts.gateway_http import HttpGateway
from api.settings import Settings, secret_of

MESSAGES_FILE = "messages.jsonl"
"""In the data folder: what the console gateway handed over."""


def open_gateway(settings: Settings, show: Callable[[Message], None]) -> Gateway:
    """Console and file by default, HTTP if so set."""
    if settings.gateway == "http":
        assert settings.gateway_url is not None
        return HttpGateway(settings.gateway_url, secret_of(settings))
    return ConsoleGateway(settings.data_dir / MESSAGES_FILE, show)
