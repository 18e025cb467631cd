"""The list of what leaves, with a hash of every file, and its signature. Pure.

``manifest.sig`` is the 64 bytes of Ed25519 over ``manifest.json`` as it is, so that other tools can check it too::

    openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from api.audit_chain import Algorithm, digest
from api.exporting.pack import pack_of
from api.exporting.stamp import Stamp

FORMAT = "hulan-pack-1"

MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public-key.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlace:
    """The audit's entry of this export: its number, and its hash in hex."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a pack holds. ``members``: name → bytes. ``row_counts``: member → rows, for those that have rows.

    ``track_rows`` are positions of a person that leave, each counted once however many files tell it.
    """

    kind: str
    subject_id: UUID
    alert_id: UUID | None
    members: Mapping[str, bytes]
    row_counts: Mapping[str, int]
    track_rows: int
    lodging_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPack:
    """A finished pack. ``manifest_hash``: SHA-256 of the manifest, which is what is signed."""

    content: bytes
    manifest_hash: bytes


def sign_pack(
    contents: Contents,
    stamp: Stamp,
    *,
    audit: AuditPlace,
    versions: Mapping[str, str],
    algorithms: tuple[Algorithm, ...],
    key: Ed25519PrivateKey,
) -> SignedPack:
    """Manifest, signature and public key added to the members, as one ZIP. The same input gives the same bytes."""
    public = key.public_key()
    members = {**contents.members, PUBLIC_KEY: pem_of(public)}
    manifest = _as_json(
        {
            "format": FORMAT,
            "kind": contents.kind,
            "export_id": str(stamp.export_id),
            "subject_id": str(contents.subject_id),
            "alert_id": None if contents.alert_id is None else str(contents.alert_id),
            "made_by": stamp.made_by,
            "made_at": stamp.made_at.isoformat(),
            "purpose_code": stamp.purpose_code,
            "purpose": stamp.purpose,
            "request_id": stamp.request_id,
            "audit": {"position": audit.position, "hash": audit.hash},
            "track_rows": contents.track_rows,
            "lodging_rows": contents.lodging_rows,
            "versions": dict(versions),
            "signature": {"algorithm": "Ed25519", "file": SIGNATURE, "fingerprint": fingerprint_of(public)},
            "files": [
                {"name": name, "size": len(content), "rows": contents.row_counts.get(name)}
                | {str(algorithm): digest(algorithm, content).hex() for algorithm in algorithms}
                for name, content in members.items()
            ],
        }
    )
    return SignedPack(
        content=pack_of({**members, MANIFEST: manifest, SIGNATURE: key.sign(manifest)}),
        manifest_hash=digest(Algorithm.SHA256, manifest),
    )


def hashes_by(setting: str) -> tuple[Algorithm, ...]:
    """The hash functions of a manifest: always SHA-256, and SM3 where ``HULAN_AUDIT_HASH`` asks for it."""
    return (Algorithm.SHA256, Algorithm.SM3) if setting == Algorithm.SM3 else (Algorithm.SHA256,)


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """What people compare: the SHA-256 of the 32 bytes of a public key, in hex."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return digest(Algorithm.SHA256, raw).hex()


def pem_of(key: Ed25519PublicKey) -> bytes:
    """A public key as a file."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _as_json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
