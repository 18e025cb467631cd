"""The keyring that the settings name."""

from pathlib import Path

from sqlalchemy import Engine

from api.clock import SystemClock
from api.personal.fields import check_keys
from api.personal.keyring import Keyring, make_keyring
from api.settings import Settings

KEYRING_FILE = "keyring.json"
"""In the data folder, unless the settings name another file."""


def keyring_path(settings: Settings) -> Path:
    """Where the keyring is, or would be."""
    return settings.keyring or settings.data_dir / KEYRING_FILE


def open_keyring(settings: Settings) -> Keyring:
    """The keyring; the embedded database and the demo make one at first use.

    On a server it is made by hand, once (``hulan keys new``): two machines must not make one each. Raises
    ``KeyringError``.
    """
    path = keyring_path(settings)
    if settings.is_embedded or settings.demo:
        return make_keyring(path, settings.cipher, at=SystemClock().now())
    return Keyring(path)


def open_checked_keyring(settings: Settings, engine: Engine) -> Keyring:
    """The same, once it is known to hold every key that rows are sealed with. Raises ``KeyringError``."""
    keyring = open_keyring(settings)
    with engine.connect() as connection:
        check_keys(connection, keyring)
    return keyring
