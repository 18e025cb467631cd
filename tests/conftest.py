"""One throw-away PostGIS cluster for the session; every test that asks gets a database of its own, migrated."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, make_url, text

from api.cluster import running_cluster
from api.database import migrate, open_engine
from tests.databases import drop_database
from tests.make import KEYRING

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real data beside the project; tests that need it skip where it is absent."""


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """The URL of a migrated template database in a cluster that dies with the session."""
    # Not pytest's tmp_path: that is closed to the account PostgreSQL runs under.
    folder = Path(tempfile.mkdtemp(prefix="hulan-tests-"))
    folder.chmod(0o755)
    try:
        with running_cluster(folder / "data", durable=False, say=lambda _: None) as url:
            engine = open_engine(url)
            migrate(engine, keyring=KEYRING)
            engine.dispose()
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(cluster_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh migrated database."""
    name = f"t{abs(hash(request.node.nodeid)):x}"
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE hulan"))
    yield make_url(cluster_url).set(database=name).render_as_string(False)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, name)
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh migrated database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command that a test ran configured the log for a stream that is closed by now: the next test has its own."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Gives the path of a file under ``../shared/data``, or skips the test with the reason."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"real data absent: {name} is not in ../shared/data")
        return path

    return find
