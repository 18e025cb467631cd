"""The keyring: sealing keys and the key of the blind index, in a file outside the database (mode 0600).

Beside the keys for everybody it holds one key for each person whose record is sealed, to be destroyed with the record.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from api.personal.blind_index import HashName, IndexKey
from api.personal.sealing import CipherName, Key

_VERSION = 1
_VERSION_WITH_PERSONS = 2
"""A program that knows no keys of persons would drop them when it writes the file: it refuses this version instead."""
_INDEX_BYTES = 32


class KeyringError(RuntimeError):
    """A key or the whole keyring is missing; the message names the key by its id, and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonKey:
    """The key of one sealed record. Nothing else is sealed with it, and it is never the current key."""

    key: Key
    subject_id: UUID
    keep_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """What the file holds: keys in the order in which they were made, and the index key."""

    keys: tuple[Key, ...]
    index_key: IndexKey = field(repr=False)
    person_keys: tuple[PersonKey, ...] = ()

    @property
    def all_keys(self) -> Iterator[Key]:
        """Those for everybody and those of one person each."""
        yield from self.keys
        yield from (item.key for item in self.person_keys)


class Keyring:
    """The keys as this process knows them. A key that it does not know is looked for in the file once more."""

    def __init__(self, path: Path) -> None:
        """Raises ``KeyringError`` if the file is missing, unreadable, damaged, or open to everyone."""
        self._path = path
        self._ring = _read(path)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self._path

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key that may seal anybody's fields, the newest last, as the file says now."""
        self._ring = _read(self._path)
        return self._ring.keys

    @property
    def person_keys(self) -> tuple[PersonKey, ...]:
        """The keys of sealed records, as the file says now."""
        self._ring = _read(self._path)
        return self._ring.person_keys

    @property
    def index_key(self) -> IndexKey:
        """The key of the blind index."""
        return self._ring.index_key

    def key(self, key_id: str) -> Key:
        """The key of this id. Raises ``KeyringError`` if the file does not hold it."""
        for key in self._ring.all_keys:
            if key.key_id == key_id:
                return key
        self._ring = _read(self._path)
        for key in self._ring.all_keys:
            if key.key_id == key_id:
                return key
        raise KeyringError(
            f"密钥环 {self._path} 中没有密钥 {key_id}：请从备份或另一台机器恢复含有它的密钥环"
            f" / the keyring {self._path} does not hold key {key_id}: restore the keyring that does, from a backup or"
            " from the machine where the key was made"
        )

    def add(self, cipher: CipherName, *, at: datetime) -> Key:
        """Make a key and keep it; it is on disk when this returns. Nothing is sealed with it yet."""
        key = _new_key(cipher, at)
        self._change(lambda ring: replace(ring, keys=(*ring.keys, key)))
        return key

    def add_for(self, subject_id: UUID, cipher: CipherName, *, keep_until: datetime, at: datetime) -> Key:
        """Make the key of one sealed record and keep it; it is on disk when this returns."""
        made = PersonKey(key=_new_key(cipher, at), subject_id=subject_id, keep_until=keep_until)
        self._change(lambda ring: replace(ring, person_keys=(*ring.person_keys, made)))
        return made.key

    def destroy(self, key_id: str) -> None:
        """Remove a key for good: what is still sealed with it, in backups too, can never be opened again."""
        self._change(
            lambda ring: replace(
                ring,
                keys=tuple(key for key in ring.keys if key.key_id != key_id),
                person_keys=tuple(item for item in ring.person_keys if item.key.key_id != key_id),
            )
        )

    def _change(self, change: Callable[[Ring], Ring]) -> None:
        with _locked(self._path):
            ring = change(_read(self._path))
            aside = _write_aside(self._path, ring)
            aside.replace(self._path)
            _sync_folder(self._path)
        self._ring = ring


def make_keyring(path: Path, cipher: CipherName, *, at: datetime) -> Keyring:
    """Make the file with a first key if there is none. The index hashes with SM3 beside SM4, else with SHA-256."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        name = HashName.SM3 if cipher is CipherName.SM4_GCM else HashName.SHA256
        index_key = IndexKey(hash_name=name, secret=os.urandom(_INDEX_BYTES))
        aside = _write_aside(path, Ring(keys=(_new_key(cipher, at),), index_key=index_key))
        try:
            os.link(aside, path)  # all of it or nothing, also for a process that starts at the same moment
        except FileExistsError:
            pass
        finally:
            aside.unlink()
        _sync_folder(path)
    return Keyring(path)


def _new_key(cipher: CipherName, at: datetime) -> Key:
    key_id = f"{at:%Y%m%d}-{os.urandom(4).hex()}"
    return Key(key_id=key_id, cipher=cipher, made_at=at, secret=os.urandom(cipher.key_bytes))


def _read(path: Path) -> Ring:
    try:
        mode = path.stat().st_mode
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyringError(
            f"找不到密钥环 {path}：首次使用请运行 hulan keys new；已有数据请恢复备份"
            f" / there is no keyring at {path}: run `hulan keys new` for a new installation, else restore its backup"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(f"读不了密钥环 {path} / cannot read the keyring {path}: {type(error).__name__}") from error
    if mode & 0o007:
        raise KeyringError(
            f"密钥环 {path} 对所有人开放，请运行 chmod 600 / the keyring {path} is open to everyone: chmod 600 it"
        )
    try:
        return _ring_of(json.loads(content))
    except (ValueError, KeyError, TypeError):  # its words would quote a key
        raise KeyringError(
            f"密钥环 {path} 已损坏，请恢复备份 / the keyring {path} is damaged: restore its backup"
        ) from None


def _ring_of(content: dict[str, Any]) -> Ring:
    if content["version"] not in {_VERSION, _VERSION_WITH_PERSONS}:
        raise ValueError("unknown version")
    keys = tuple(map(_key_of, content["keys"]))
    person_keys = tuple(
        PersonKey(
            key=_key_of(item),
            subject_id=UUID(item["subject_id"]),
            keep_until=datetime.fromisoformat(item["keep_until"]),
        )
        for item in content.get("sealed_records", ())
    )
    index_key = IndexKey(hash_name=HashName(content["index"]["hash"]), secret=bytes.fromhex(content["index"]["secret"]))
    ring = Ring(keys=keys, index_key=index_key, person_keys=person_keys)
    if not keys or any(len(key.secret) != key.cipher.key_bytes for key in ring.all_keys) or len(index_key.secret) < 32:
        raise ValueError("cut off")
    return ring


def _key_of(item: dict[str, Any]) -> Key:
    return Key(
        key_id=str(item["key_id"]),
        cipher=CipherName(item["cipher"]),
        made_at=datetime.fromisoformat(item["made_at"]),
        secret=bytes.fromhex(item["secret"]),
    )


def _item_of(key: Key) -> dict[str, str]:
    return {
        "key_id": key.key_id,
        "cipher": str(key.cipher),
        "made_at": key.made_at.isoformat(),
        "secret": key.secret.hex(),
    }


def _write_aside(path: Path, ring: Ring) -> Path:
    content: dict[str, Any] = {
        "version": _VERSION_WITH_PERSONS if ring.person_keys else _VERSION,
        "index": {"hash": str(ring.index_key.hash_name), "secret": ring.index_key.secret.hex()},
        "keys": list(map(_item_of, ring.keys)),
    }
    if ring.person_keys:
        content["sealed_records"] = [
            _item_of(item.key) | {"subject_id": str(item.subject_id), "keep_until": item.keep_until.isoformat()}
            for item in ring.person_keys
        ]
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return aside


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
