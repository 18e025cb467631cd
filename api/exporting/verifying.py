"""Whether a pack is as it left: no file altered, missing or added, signed by a known key, no row lost. Pure.

Needs no database. The order of faults: the container, the manifest and its signature, the files as the manifest lists
them, files that it does not list, counts of rows, bytes beside the members.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, Field, ValidationError

from api.audit_chain import Algorithm, digest
from api.exporting.manifest import FORMAT, MANIFEST, PUBLIC_KEY, SIGNATURE, fingerprint_of
from api.exporting.pack import pack_of


class PackFaultKind(StrEnum):
    """What is wrong with a file of the pack."""

    ALTERED = "altered"
    MISSING = "missing"
    ADDED = "added"
    SWAPPED = "swapped"
    SIGNATURE = "signature"
    COUNT = "count"
    CONTAINER = "container"  # the ZIP itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFault:
    """One finding; ``where`` is the name of a file in the pack, or ``ZIP``."""

    kind: PackFaultKind
    where: str
    detail: str


class ListedFile(BaseModel):
    """A line of the manifest's list."""

    name: str
    size: int
    rows: int | None
    sha256: str
    sm3: str | None = None


class ListedSignature(BaseModel):
    """Which key the manifest says that it is signed with."""

    fingerprint: str


class ReadManifest(BaseModel):
    """What verifying needs of a manifest."""

    format: str = Field(pattern=f"^{re.escape(FORMAT)}$")
    kind: str
    export_id: str
    made_by: str
    made_at: str
    purpose: str
    track_rows: int
    lodging_rows: int
    signature: ListedSignature
    files: list[ListedFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What was found. ``manifest``: ``None`` when it cannot be read; ``fingerprint``: when no key at hand signed it."""

    faults: tuple[PackFault, ...]
    file_count: int
    manifest: ReadManifest | None
    fingerprint: str | None


def verify_pack(
    content: bytes, *, trusted: Mapping[str, Ed25519PublicKey], progress: Callable[[int], None] = lambda _: None
) -> PackReport:
    """Check all of a pack. ``trusted``: public keys by any name; a pack that none of them signed is not whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members, faults = _read(archive, progress)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        broken = PackFault(kind=PackFaultKind.CONTAINER, where="ZIP", detail=f"cannot be read: {error}")
        return PackReport(faults=(broken,), file_count=0, manifest=None, fingerprint=None)
    fingerprint, signature_faults = _check_signature(members, faults, trusted)
    manifest = _manifest(members)
    if manifest is None:
        if not faults and not signature_faults:
            signature_faults = [_altered(MANIFEST, "is no manifest that this program knows")]
        return PackReport(
            faults=(*signature_faults, *faults), file_count=len(members), manifest=None, fingerprint=fingerprint
        )
    if fingerprint is not None and manifest.signature.fingerprint != fingerprint:
        detail = f"names key {manifest.signature.fingerprint}, signed by {fingerprint}"
        signature_faults.append(PackFault(kind=PackFaultKind.SIGNATURE, where=MANIFEST, detail=detail))
    found = [*signature_faults, *faults, *_check_files(manifest, members, damaged={item.where for item in faults})]
    found += _check_counts(manifest, members, wrong={item.where for item in found})
    if not found and pack_of(_in_order(manifest, members)) != content:
        detail = "holds bytes that belong to none of its files, or was packed anew"
        found.append(PackFault(kind=PackFaultKind.CONTAINER, where="ZIP", detail=detail))
    return PackReport(
        faults=tuple(dict.fromkeys(found)), file_count=len(members), manifest=manifest, fingerprint=fingerprint
    )


def _read(archive: zipfile.ZipFile, progress: Callable[[int], None]) -> tuple[dict[str, bytes], list[PackFault]]:
    """Every member that can be read. Compressed ones are not: no pack of ours has any, and they may be bombs."""
    members: dict[str, bytes] = {}
    faults = []
    for entry in archive.infolist():
        name = entry.filename
        if name in members:
            faults.append(PackFault(kind=PackFaultKind.ADDED, where=name, detail="is there twice"))
            continue
        if entry.compress_type != zipfile.ZIP_STORED:
            detail = "is stored in another way than packs are"
            faults.append(PackFault(kind=PackFaultKind.CONTAINER, where=name, detail=detail))
            continue
        try:
            members[name] = archive.read(entry)
        except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
            faults.append(_altered(name, f"is damaged: {error}"))
            members[name] = b""
        progress(entry.file_size)
    return members, faults


def _check_signature(
    members: Mapping[str, bytes], damaged: list[PackFault], trusted: Mapping[str, Ed25519PublicKey]
) -> tuple[str | None, list[PackFault]]:
    """The fingerprint of the key that signed the manifest, if it is at hand, and what is wrong with the signature."""
    missing = [name for name in (MANIFEST, SIGNATURE) if name not in members]
    if missing:
        return None, [PackFault(kind=PackFaultKind.MISSING, where=name, detail="is not there") for name in missing]
    broken = [item for item in damaged if item.where in {MANIFEST, SIGNATURE}]
    if broken:
        return None, broken
    for key in trusted.values():
        if _is_signed(members, key):
            return fingerprint_of(key), []
    own = _own_key(members)
    if own is not None and _is_signed(members, own):
        detail = f"signed by key {fingerprint_of(own)}, which is not a known one (--public-key)"
        return fingerprint_of(own), [PackFault(kind=PackFaultKind.SIGNATURE, where=SIGNATURE, detail=detail)]
    detail = f"does not match {SIGNATURE}: one of the two was altered, or signed with a key that is not at hand"
    return None, [PackFault(kind=PackFaultKind.SIGNATURE, where=MANIFEST, detail=detail)]


def _is_signed(members: Mapping[str, bytes], key: Ed25519PublicKey) -> bool:
    try:
        key.verify(members[SIGNATURE], members[MANIFEST])
    except InvalidSignature:
        return False
    return True


def _own_key(members: Mapping[str, bytes]) -> Ed25519PublicKey | None:
    """The key that came along. It shows which key it was, and not whose."""
    try:
        key = serialization.load_pem_public_key(members.get(PUBLIC_KEY, b""))
    except ValueError:
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _manifest(members: Mapping[str, bytes]) -> ReadManifest | None:
    try:
        return ReadManifest.model_validate_json(members[MANIFEST])
    except (KeyError, ValidationError):
        return None


def _check_files(manifest: ReadManifest, members: Mapping[str, bytes], *, damaged: set[str]) -> Iterator[PackFault]:
    listed = {item.name: item for item in manifest.files}
    hashes = {name: digest(Algorithm.SHA256, content).hex() for name, content in members.items()}
    told: set[str] = set()
    for name, item in listed.items():
        if name in damaged or name in told:
            continue
        if name not in members:
            yield PackFault(kind=PackFaultKind.MISSING, where=name, detail="is listed and not there")
            continue
        if hashes[name] != item.sha256:
            other = _swapped_with(name, listed, hashes)
            if other is None:
                size = len(members[name])
                yield _altered(name, f"has another SHA-256 than listed ({size} bytes, listed {item.size})")
            else:
                told.add(other)
                yield PackFault(kind=PackFaultKind.SWAPPED, where=name, detail=f"and {other} hold each other's content")
        elif item.sm3 is not None and digest(Algorithm.SM3, members[name]).hex() != item.sm3:
            yield _altered(name, "has another SM3 than listed")
        elif len(members[name]) != item.size:
            yield _altered(name, f"has {len(members[name])} bytes, listed {item.size}")
    for name in members:
        if name not in listed and name not in {MANIFEST, SIGNATURE}:
            yield PackFault(kind=PackFaultKind.ADDED, where=name, detail="is not listed")


def _swapped_with(name: str, listed: Mapping[str, ListedFile], hashes: Mapping[str, str]) -> str | None:
    for other, item in listed.items():
        if other != name and hashes.get(other) == listed[name].sha256 and hashes[name] == item.sha256:
            return other
    return None


def _check_counts(manifest: ReadManifest, members: Mapping[str, bytes], *, wrong: set[str]) -> Iterator[PackFault]:
    for item in manifest.files:
        if item.rows is None or item.name in wrong or item.name not in members:
            continue
        counted = count_rows(item.name, members[item.name])
        if counted != item.rows or counted != manifest.track_rows:
            detail = f"holds {counted} fixes, listed {item.rows}, in all {manifest.track_rows}"
            yield PackFault(kind=PackFaultKind.COUNT, where=item.name, detail=detail)


def count_rows(name: str, content: bytes) -> int:
    """How many fixes a file of a pack holds; -1 if it cannot be read."""
    try:
        text = content.decode("utf-8-sig")
        if name.endswith(".csv"):
            return sum(1 for row in csv.reader(io.StringIO(text)) if row) - 1
        if name.endswith(".geojson"):
            return sum(feature["properties"].get("feature") == "fix" for feature in json.loads(text)["features"])
        return len(re.findall(r"<trkpt\b", text))
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, csv.Error):
        return -1


def _in_order(manifest: ReadManifest, members: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: members[name] for name in (*(item.name for item in manifest.files), MANIFEST, SIGNATURE)}


def _altered(name: str, detail: str) -> PackFault:
    return PackFault(kind=PackFaultKind.ALTERED, where=name, detail=detail)
