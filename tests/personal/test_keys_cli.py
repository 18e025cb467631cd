"""``hulan keys`` as its user meets it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from api.cli.whole import app
from api.logins import Login
from api.personal.keyring import Keyring
from tests.api.live_server import url_as
from tests.golden_files import assert_golden
from tests.personal.scene import a_case, contacts, phone_of, rows_by_key


class Office:
    """A server's installation with a keyring of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.keyring_path = folder, folder / "keyring.json"
        self._environment = {
            "HULAN_DATA_DIR": str(folder), "HULAN_DATABASE_URL": database_url, "HULAN_KEYRING": str(self.keyring_path),
            "HULAN_SECRET_KEY": "a secret only of this test",
        }  # fmt: skip

    def run_apart(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """In a process of its own: a worker sets up the logs of its whole process."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")}
        return subprocess.run(
            [sys.executable, "-m", "api.cli.main", *arguments],
            env={**environment, **self._environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *arguments: str, **more: str) -> Any:
        return CliRunner().invoke(app, list(arguments), env={**self._environment, **more})


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Office:
    return Office(tmp_path, database_url)


def shown(output: str, folder: Path) -> str:
    """Without what differs from run to run."""
    output = re.sub(r"\b20\d{6}-[0-9a-f]{8}\b", "20260320-00000000", output.replace(str(folder), "/data"))
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-03-20 22:00", output)


def import_cases(office: Office, count: int) -> Any:
    cases = [a_case(number, name=f"合成{number}").model_dump(mode="json", exclude_none=True) for number in range(count)]
    file = office.folder / "cases.json"
    file.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return office.run("import", "cases", str(file), "--tokens", str(office.folder / "tokens.csv"))


@pytest.mark.golden
def test_keys_from_the_first_to_the_destruction_of_the_old_one(office: Office, engine: Engine) -> None:
    refused = import_cases(office, 3)
    assert refused.exit_code == 1
    assert "hulan keys new" in refused.stderr
    made = office.run("keys", "new")
    assert made.exit_code == 0, made.output
    (first,) = Keyring(office.keyring_path).keys
    assert office.run("keys", "new", "--once").exit_code == 0
    assert len(Keyring(office.keyring_path).keys) == 1
    assert import_cases(office, 3).exit_code == 0
    in_use = office.run("keys", "destroy", first.key_id, "--yes")
    assert in_use.exit_code == 1
    rotated = office.run("keys", "rotate", HULAN_CIPHER="sm4-gcm")
    assert rotated.exit_code == 0, rotated.output
    listed = office.run("keys", "list")
    assert office.run("keys", "destroy", first.key_id, "--yes").exit_code == 0
    keyring = Keyring(office.keyring_path)
    assert rows_by_key(engine) == {keyring.keys[0].key_id: 6}
    assert contacts(engine, keyring) == {(f"王监护{number}", phone_of(number)) for number in range(3)}
    words = [made.output, in_use.stderr, rotated.output, listed.output]
    assert not any(key.secret.hex()[:8] in text for key in [first, *keyring.keys] for text in words)
    assert_golden("keys.txt", shown("".join(words), office.folder))


def test_a_worker_without_the_right_keyring_says_which_key_is_missing(
    office: Office, database_url: str, tmp_path: Path
) -> None:
    office.run("keys", "new")
    import_cases(office, 1)
    (key,) = Keyring(office.keyring_path).keys
    other = Office(tmp_path / "other", "")
    other.folder.mkdir()
    office.run("keys", "new", HULAN_KEYRING=str(other.keyring_path))
    worker_url = url_as(database_url, Login.WORKER)
    done = office.run_apart("worker", HULAN_KEYRING=str(other.keyring_path), HULAN_WORKER_DATABASE_URL=worker_url)
    assert done.returncode == 1
    assert key.key_id in done.stderr
    assert key.secret.hex()[:8] not in done.stderr
    missing = office.run("keys", "list", HULAN_KEYRING=str(other.keyring_path))
    assert "MISSING" in missing.output
