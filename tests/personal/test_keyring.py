"""The keyring: a private file, made once, read again when a key is unknown; its errors name ids and no keys."""

import json
import stat
import threading
from pathlib import Path

import pytest

from api.personal.keyring import Keyring, KeyringError, make_keyring
from api.personal.opening import open_keyring
from api.personal.sealing import CipherName
from api.settings import Settings, read_settings
from tests.golden_files import assert_golden
from tests.make import EVENING

AES = CipherName.AES_256_GCM


def test_it_is_made_once_private_and_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    first, second = make_keyring(path, AES, at=EVENING), make_keyring(path, AES, at=EVENING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.keys == second.keys
    assert first.index_key == second.index_key
    assert [len(key.secret) for key in first.keys] == [32]
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


def test_with_sm4_the_index_hashes_with_sm3(tmp_path: Path) -> None:
    keyring = make_keyring(tmp_path / "keyring.json", CipherName.SM4_GCM, at=EVENING)
    assert (keyring.keys[0].cipher, len(keyring.keys[0].secret)) == (CipherName.SM4_GCM, 16)
    assert keyring.index_key.hash_name == "hmac-sm3"


def test_an_added_key_is_found_by_processes_that_opened_it_before(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    mine, other = make_keyring(path, AES, at=EVENING), Keyring(path)
    key = mine.add(CipherName.SM4_GCM, at=EVENING)
    assert other.key(key.key_id) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    make_keyring(path, AES, at=EVENING)
    threads = [threading.Thread(target=lambda: Keyring(path).add(AES, at=EVENING)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.key_id for key in Keyring(path).keys}) == 13


def test_a_destroyed_key_is_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keyring = make_keyring(path, AES, at=EVENING)
    secret = keyring.keys[0].secret.hex()
    assert secret in path.read_text()
    keyring.add(AES, at=EVENING)
    keyring.destroy(keyring.keys[0].key_id)
    assert secret not in path.read_text()
    assert len(Keyring(path).keys) == 1


def errors(tmp_path: Path) -> dict[str, str]:
    """What is told of each kind of broken keyring, with the folder's name taken out."""
    found: dict[str, str] = {}

    def note(name: str, path: Path, key_id: str | None = None) -> None:
        with pytest.raises(KeyringError) as error:
            Keyring(path).key(key_id or "")
        found[name] = str(error.value).replace(str(tmp_path), "/data")

    note("missing", tmp_path / "none.json")
    whole = tmp_path / "keyring.json"
    make_keyring(whole, AES, at=EVENING)
    note("unknown key", whole, "20260320-0badc0de")
    content = json.loads(whole.read_text())
    for name, text in {
        "cut off": whole.read_text()[:-40],
        "short key": json.dumps({**content, "keys": [{**content["keys"][0], "secret": "00"}]}),
        "no key": json.dumps({**content, "keys": []}),
        "later version": json.dumps({**content, "version": 3}),
    }.items():
        broken = tmp_path / "keyring.json"
        broken.write_text(text)
        note(name, broken)
    whole.chmod(0o644)
    note("open to everyone", whole)
    assert all(content["keys"][0]["secret"][:8] not in text for text in found.values())
    return found


@pytest.mark.golden
def test_every_error_says_what_to_do_and_shows_no_key(tmp_path: Path) -> None:
    assert_golden("errors/keyring.txt", "".join(f"[{name}]\n{text}\n" for name, text in errors(tmp_path).items()))


def test_the_embedded_database_and_the_demo_make_one_and_a_server_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HULAN_KEYRING", raising=False)

    def settings(name: str, **changes: object) -> Settings:
        return read_settings(data_dir=tmp_path / name, secret_key="0123456789abcdef", **changes)

    server = "postgresql+psycopg://hulan@db/hulan"
    assert open_keyring(settings("embedded")).path == tmp_path / "embedded" / "keyring.json"
    assert open_keyring(settings("demo", demo=True, database_url=server)).keys
    with pytest.raises(KeyringError, match="hulan keys new"):
        open_keyring(settings("server", database_url=server))
    named = settings("server", database_url=server, keyring=tmp_path / "embedded" / "keyring.json")
    assert open_keyring(named).keys
