"""What making a pack needs beside the data: the key that signs, the keyring, the fonts."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.audit_chain import Algorithm
from api.audit_checkpoint import AuditKeys
from api.exporting.manifest import hashes_by
from api.personal.keyring import Keyring
from api.personal.opening import open_keyring
from api.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """One per process. ``key``: the audit's key of this installation, whose public half others have been given."""

    key: Ed25519PrivateKey
    keyring: Keyring
    algorithms: tuple[Algorithm, ...]
    assets_dir: Path | None = None
    is_synthetic: bool = False


def open_packing(settings: Settings) -> Packing:
    """As the settings say. Raises ``OSError`` and ``KeyringError``."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Packing(
        key=AuditKeys.open(settings.data_dir).private,
        keyring=open_keyring(settings),
        algorithms=hashes_by(settings.audit_hash),
        assets_dir=settings.assets_dir,
        is_synthetic=settings.demo,
    )
