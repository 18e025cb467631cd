"""What commands open before they work: the settings with their folder, and a transaction with a bar."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from api.cli.screen import progress, say
from api.session import open_database
from api.settings import Settings, read_settings


def prepared_settings(**overrides: object) -> Settings:
    """The settings, with the data folder made."""
    settings = read_settings(**overrides)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return settings


@contextmanager
def saving() -> Iterator[Connection]:
    """A connection in one transaction, and a bar meanwhile: 77,000 records take half a minute to save."""
    with open_database(prepared_settings(), say=say) as engine, engine.begin() as connection, progress("写入 saving"):
        yield connection
