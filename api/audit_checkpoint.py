"""Signed checkpoints: the last entry of every chain, signed with a key that the database does not hold.

In the data folder, ``audit/``: the private key (Ed25519, mode 0600), public keys by their id, and ``checkpoints.txt``,
one line for each checkpoint made here, so that checkpoints cut off the database are noticed too.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, Engine, text

from api.audit_chain import ORIGIN, Algorithm, Fault, FaultKind, digest, field, microseconds

_LOCK = 0x41554449  # one checkpoint at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One signed checkpoint. ``heads``: chain → seq and hash of its last entry."""

    number: int
    made_at: datetime
    algorithm: Algorithm
    heads: Mapping[int, tuple[int, bytes]]
    previous_digest: bytes
    digest: bytes
    key_id: str
    signature: bytes

    @property
    def payload(self) -> bytes:
        """What is hashed and signed."""
        values = ("hulan-checkpoint-1", str(self.number), str(microseconds(self.made_at)), str(self.algorithm),
                  _heads_text(self.heads), self.previous_digest.hex(), self.key_id)  # fmt: skip
        return b"".join(field(value) for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditKeys:
    """The keys of an installation. Raises ``OSError`` when the folder cannot be written."""

    folder: Path
    private: Ed25519PrivateKey
    key_id: str

    @classmethod
    def open(cls, data_dir: Path) -> "AuditKeys":
        """The keys in the data folder, made on first use."""
        folder = data_dir / "audit"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "private.pem"
        if not path.exists():
            _make_key(path)
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(f"{path} 不是 Ed25519 密钥 / is no Ed25519 key")
        key_id = key_id_of(private.public_key())
        public = folder / f"{key_id}.pub"
        if not public.exists():
            public.write_bytes(
                private.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return cls(folder=folder, private=private, key_id=key_id)


def key_id_of(key: Ed25519PublicKey) -> str:
    """Sixteen hex digits that name a public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return digest(Algorithm.SHA256, raw).hex()[:16]


def public_keys(data_dir: Path) -> dict[str, Ed25519PublicKey]:
    """Every public key in the folder: this installation's, and those of others that were copied there."""
    found = {}
    for path in sorted((data_dir / "audit").glob("*.pub")):
        key = serialization.load_pem_public_key(path.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            found[key_id_of(key)] = key
    return found


def make_checkpoint(
    engine: Engine, keys: AuditKeys, *, at: datetime, algorithm: Algorithm, unless_since: timedelta = timedelta(0)
) -> Checkpoint | None:
    """Sign where every chain ends. ``None`` when nothing happened since the last one, when that is younger than
    ``unless_since``, or when another process is at it."""
    with engine.begin() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one():
            return None
        last = _last(connection)
        heads = {
            row.chain: (row.seq, bytes(row.hash)) for row in connection.execute(text("SELECT * FROM audit_heads()"))
        }
        if last is not None and (last.heads == heads or at - last.made_at < unless_since):
            return None
        checkpoint = sign(keys, heads=heads, after=last, at=at, algorithm=algorithm)
        _save(connection, checkpoint)
    _note(keys.folder, checkpoint)  # after the commit: a line without its checkpoint would be a false alarm
    return checkpoint


def sign(
    keys: AuditKeys,
    *,
    heads: Mapping[int, tuple[int, bytes]],
    after: Checkpoint | None,
    at: datetime,
    algorithm: Algorithm,
) -> Checkpoint:
    """The checkpoint that follows ``after``."""
    draft = Checkpoint(
        number=1 if after is None else after.number + 1,
        made_at=at,
        algorithm=algorithm,
        heads=heads,
        previous_digest=ORIGIN if after is None else after.digest,
        digest=b"",
        key_id=keys.key_id,
        signature=b"",
    )
    return Checkpoint(
        **{name: getattr(draft, name) for name in Checkpoint.__slots__}
        | {"digest": digest(algorithm, draft.payload), "signature": keys.private.sign(draft.payload)}
    )


def load_checkpoints(connection: Connection) -> list[Checkpoint]:
    """All of them, in order. Needs the right to read the table."""
    return [_from_row(row) for row in connection.execute(text("SELECT * FROM audit_checkpoint ORDER BY number"))]


def find_checkpoint_faults(
    checkpoints: list[Checkpoint], keys: Mapping[str, Ed25519PublicKey], noted: Mapping[int, str]
) -> Iterator[Fault]:
    """Checkpoints that are missing, altered or signed by nobody known. ``noted``: number → digest in hex."""
    number, previous = 0, ORIGIN
    for item in checkpoints:
        if item.number != number + 1:
            yield _fault(FaultKind.MISSING, number + 1, f"before checkpoint {item.number}", item)
        elif item.previous_digest != previous or digest(item.algorithm, item.payload) != item.digest:
            yield _fault(FaultKind.ALTERED, item.number, "its content does not match its digest", item)
        if item.key_id not in keys:
            yield _fault(FaultKind.SIGNATURE, item.number, f"key {item.key_id} is not in the data folder", item)
        elif not _is_signed(item, keys[item.key_id]):
            yield _fault(FaultKind.SIGNATURE, item.number, f"not signed by key {item.key_id}", item)
        number, previous = item.number, item.digest
    stored = {item.number: item.digest.hex() for item in checkpoints}
    for noted_number, noted_digest in sorted(noted.items()):
        if noted_number not in stored:
            yield _fault(FaultKind.MISSING, noted_number, "noted in checkpoints.txt, not in the database", None)
        elif stored[noted_number] != noted_digest:
            yield _fault(FaultKind.ALTERED, noted_number, "checkpoints.txt has another digest", None)


def noted_checkpoints(data_dir: Path) -> dict[int, str]:
    """Number → digest in hex of the checkpoints made in this data folder."""
    path = data_dir / "audit" / "checkpoints.txt"
    if not path.exists():
        return {}
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {int(number): found for number, found in lines}


def _is_signed(item: Checkpoint, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(item.signature, item.payload)
    except InvalidSignature:
        return False
    return True


def _fault(kind: FaultKind, number: int, detail: str, item: Checkpoint | None) -> Fault:
    return Fault(
        kind=kind, where=f"checkpoint {number}", detail=detail, order=0, at=None if item is None else item.made_at
    )


def _heads_text(heads: Mapping[int, tuple[int, bytes]]) -> str:
    return " ".join(f"{chain}:{seq}:{found.hex()}" for chain, (seq, found) in sorted(heads.items()))


def _from_row(row: object) -> Checkpoint:
    parts = [part.split(":") for part in row.heads.split()]  # type: ignore[attr-defined] # a row of audit_checkpoint
    values = {name: getattr(row, name) for name in Checkpoint.__slots__}
    for name in ("previous_digest", "digest", "signature"):
        values[name] = bytes(values[name])
    return Checkpoint(
        **values
        | {
            "algorithm": Algorithm(values["algorithm"]),
            "heads": {int(chain): (int(seq), bytes.fromhex(found)) for chain, seq, found in parts},
        }
    )


def _last(connection: Connection) -> Checkpoint | None:
    row = connection.execute(text("SELECT * FROM audit_last_checkpoint()")).one_or_none()
    return None if row is None or row.number is None else _from_row(row)


def _save(connection: Connection, item: Checkpoint) -> None:
    connection.execute(
        text(
            "SELECT audit_save_checkpoint(CAST(ROW(:number, :made_at, :algorithm, :heads, :previous_digest, :digest,"
            " :key_id, :signature) AS audit_checkpoint))"
        ),
        {name: getattr(item, name) for name in Checkpoint.__slots__}
        | {"heads": _heads_text(item.heads), "algorithm": str(item.algorithm)},
    )


def _note(folder: Path, item: Checkpoint) -> None:
    path = folder / "checkpoints.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
        file.write(f"{item.number} {item.digest.hex()}\n")
        file.flush()
        os.fsync(file.fileno())


def _make_key(path: Path) -> None:
    """Written aside and linked into place: processes that start together agree on one key."""
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
