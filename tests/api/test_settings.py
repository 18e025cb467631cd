"""Settings: what is refused, in words that name the variable; and the secret that is made on first use."""

import os
import stat
import threading
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError

from api.cli.screen import plain_errors
from api.settings import DEMO_SECRET, Settings, read_settings, secret_of

GOOD_SECRET = "0123456789abcdef"
SERVER = "postgresql+psycopg://hulan@db/hulan"
OIDC = {
    "OIDC_ISSUER": "https://id.example/realms/office",
    "OIDC_CLIENT_ID": "hulan",
    "OIDC_CLIENT_SECRET": "a secret",
    "PUBLIC_URL": "https://hulan.example",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own HULAN_* variables."""
    for name in [name for name in os.environ if name.startswith("HULAN_")]:
        monkeypatch.delenv(name)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"HULAN_{name}", value)
    return read_settings()


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **variables: str) -> str:
    """What a person at the terminal is told."""
    with pytest.raises(typer.Exit), plain_errors(ValidationError):
        given(monkeypatch, **variables)
    return capsys.readouterr().err


def test_nothing_needs_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch)
    assert (settings.database_url, settings.secret_key, settings.demo, settings.clock) == (None, None, False, "system")
    assert settings.host == "127.0.0.1", "open to the network without being asked"


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"SECRET_KEY": DEMO_SECRET}, ["HULAN_SECRET_KEY"]),
        ({"SECRET_KEY": DEMO_SECRET, "DATABASE_URL": SERVER}, ["HULAN_SECRET_KEY"]),
        ({"SECRET_KEY": GOOD_SECRET[:-1]}, ["HULAN_SECRET_KEY", "16"]),
        ({"SECRET_KEY": ""}, ["HULAN_SECRET_KEY"]),
        ({"DATABASE_URL": SERVER}, ["HULAN_SECRET_KEY", "HULAN_DATABASE_URL"]),
        ({"WEB_DATABASE_URL": SERVER}, ["HULAN_SECRET_KEY"]),
        ({"WORKER_DATABASE_URL": " ", "SECRET_KEY": GOOD_SECRET}, ["HULAN_WORKER_DATABASE_URL"]),
        ({"CLOCK": "event"}, ["HULAN_CLOCK"]),
        ({"CLOCK": "event", "SECRET_KEY": GOOD_SECRET, "DATABASE_URL": SERVER}, ["HULAN_CLOCK"]),
        (
            {"OIDC_ISSUER": "https://id.example"},
            ["HULAN_OIDC_CLIENT_ID", "HULAN_OIDC_CLIENT_SECRET", "HULAN_PUBLIC_URL"],
        ),
        (OIDC | {"OIDC_CLIENT_SECRET": ""}, ["HULAN_OIDC_CLIENT_SECRET"]),
        (OIDC | {"OIDC_ISSUER": "http://id.example"}, ["HULAN_OIDC_ISSUER", "https"]),
        (OIDC | {"OIDC_ISSUER": "javascript:alert(1)"}, ["HULAN_OIDC_ISSUER", "https"]),
        (OIDC | {"PUBLIC_URL": "http://hulan.example"}, ["HULAN_PUBLIC_URL", "https"]),
        (OIDC | {"PUBLIC_URL": "https://hulan.example/app"}, ["HULAN_PUBLIC_URL"]),
        ({"TRUSTED_PROXIES": "*"}, ["HULAN_TRUSTED_PROXIES"]),
        ({"PORT": "80800"}, ["HULAN_PORT"]),
        ({"THIN_AFTER_DAYS": "29"}, ["HULAN_THIN_AFTER_DAYS", "30"]),
        ({"THIN_MINUTES": "16"}, ["HULAN_THIN_MINUTES", "15"]),
        ({"THIN_AFTER_DAYS": "90", "KEEP_DAYS": "90"}, ["HULAN_THIN_AFTER_DAYS=90", "HULAN_KEEP_DAYS=90"]),
        ({"PORT": "http"}, ["HULAN_PORT"]),
        ({"LEASE_SECONDS": "0"}, ["HULAN_LEASE_SECONDS"]),
        ({"LOG_LEVEL": "loud"}, ["HULAN_LOG_LEVEL", "'debug'"]),
        ({"AUDIT_HASH": "md5"}, ["HULAN_AUDIT_HASH", "sm3"]),
        ({"AUDIT_CHECKPOINT_MINUTES": "0"}, ["HULAN_AUDIT_CHECKPOINT_MINUTES"]),
        ({"BATCH_SIZE": "0", "CLOCK": "sundial"}, ["HULAN_BATCH_SIZE", "HULAN_CLOCK"]),
    ],
)
def test_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], names: list[str]
) -> None:
    told = refusal(monkeypatch, capsys, **variables)
    for name in names:
        assert name in told
    assert "Traceback" not in told


def test_refusal_does_not_repeat_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "hunter2" not in refusal(monkeypatch, capsys, SECRET_KEY="hunter2")
    assert "hunter2" not in repr(given(monkeypatch, SECRET_KEY="hunter2" + GOOD_SECRET))


@pytest.mark.parametrize(
    "variables",
    [
        {"SECRET_KEY": GOOD_SECRET},
        {"SECRET_KEY": GOOD_SECRET, "DATABASE_URL": SERVER},
        {"GATEWAY": "http", "GATEWAY_URL": "https://sms.example/send"},
        OIDC,
        OIDC | {"OIDC_ISSUER": "http://127.0.0.1:9000", "PUBLIC_URL": "http://localhost:8080/"},
        {"THIN_AFTER_DAYS": "60", "THIN_MINUTES": "15", "KEEP_DAYS": "365"},
        {"DEMO": "true"},
        {"DEMO": "true", "CLOCK": "event"},
        {"DEMO": "true", "SECRET_KEY": DEMO_SECRET},
    ],
)
def test_sound_settings_are_taken(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    given(monkeypatch, **variables)


def test_demo_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert secret_of(given(monkeypatch, DEMO="true", DATA_DIR=str(tmp_path))) == DEMO_SECRET.encode()
    assert list(tmp_path.iterdir()) == []


def test_secret_that_is_set_is_used_and_not_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert secret_of(given(monkeypatch, SECRET_KEY=GOOD_SECRET, DATA_DIR=str(tmp_path))) == GOOD_SECRET.encode()
    assert list(tmp_path.iterdir()) == []


def test_secret_is_made_once_and_only_its_owner_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = given(monkeypatch, DATA_DIR=str(tmp_path))
    before = os.umask(0)
    try:
        first = secret_of(settings)
    finally:
        os.umask(before)
    assert len(first) >= 32
    assert secret_of(settings) == first
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == first


def test_secrets_of_two_installations_differ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.add(secret_of(given(monkeypatch, DATA_DIR=str(tmp_path / name))))
    assert len(made) == 2


def test_processes_that_start_at_once_agree_on_the_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`hulan serve` and `hulan worker` start together; one that read a half-made file would hash with nothing."""
    for attempt in range(50):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        settings = given(monkeypatch, DATA_DIR=str(folder))
        start, found = threading.Barrier(4), list[bytes]()

        def read(settings: Settings = settings, start: threading.Barrier = start, found: list[bytes] = found) -> None:
            start.wait()
            found.append(secret_of(settings))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len(set(found)) == 1, found
        assert len(found[0]) >= 32


def test_secret_left_empty_by_a_killed_process_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = given(monkeypatch, DATA_DIR=str(tmp_path))
    secret_of(settings)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"")
    try:
        found = secret_of(settings)
    except ValueError:  # refusing is as good as making a new one
        return
    assert len(found) >= 32
