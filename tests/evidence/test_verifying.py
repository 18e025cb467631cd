"""Whatever is done to a pack is found, and named."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api.evidence.making import make_evidence
from api.exporting.manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, SignedPack, pem_of
from api.exporting.pack import FIXED_TIME, pack_of
from api.exporting.verifying import PackFault, PackFaultKind, verify_pack
from tests.evidence.scene import BOTH, KEY, PLACE, STAMP, a_case, changed, members_of

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = {"office": KEY.public_key()}
NAMES = ("report.pdf", "fixes.geojson", "fixes.csv", "alert.json", PUBLIC_KEY)


def made(key: Ed25519PrivateKey = KEY) -> SignedPack:
    return make_evidence(a_case(), STAMP, audit=PLACE, key=key, algorithms=BOTH)


PACK = made().content


def faults(content: bytes) -> tuple[PackFault, ...]:
    return verify_pack(content, trusted=TRUSTED).faults


def first(content: bytes) -> tuple[PackFaultKind, str]:
    found = faults(content)[0]
    return found.kind, found.where


def resigned(change: Callable[[dict[str, Any]], None], key: Ed25519PrivateKey = KEY) -> bytes:
    """The pack with another manifest, rightly signed."""
    members = members_of(PACK)
    manifest = json.loads(members[MANIFEST])
    change(manifest)
    members[MANIFEST] = json.dumps(manifest, ensure_ascii=False).encode()
    members[SIGNATURE] = key.sign(members[MANIFEST])
    return pack_of(members)


def test_a_pack_as_it_left_is_whole_and_the_same_input_gives_the_same_bytes() -> None:
    report = verify_pack(PACK, trusted=TRUSTED)
    assert report.faults == ()
    assert report.file_count == 7
    assert report.manifest is not None
    assert (report.manifest.track_rows, report.manifest.lodging_rows) == (len(a_case().fixes), 0)
    assert made().content == PACK


@pytest.mark.parametrize("name", NAMES)
def test_one_byte_flipped_in_any_file_is_named(name: str) -> None:
    size = len(members_of(PACK)[name])
    for position in (0, size // 2, size - 1):

        def flip(members: dict[str, bytes], position: int = position) -> dict[str, bytes]:
            content = bytearray(members[name])
            content[position] ^= 1
            return members | {name: bytes(content)}

        assert first(changed(PACK, flip)) == (PackFaultKind.ALTERED, name)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_one_byte_flipped_in_manifest_or_signature_is_found(name: str) -> None:
    size = len(members_of(PACK)[name])
    for position in (0, size // 2, size - 1):

        def flip(members: dict[str, bytes], position: int = position) -> dict[str, bytes]:
            content = bytearray(members[name])
            content[position] ^= 1
            return members | {name: bytes(content)}

        kind, where = first(changed(PACK, flip))
        assert (kind, where) == (PackFaultKind.SIGNATURE, MANIFEST)


@pytest.mark.parametrize("name", [*NAMES, MANIFEST, SIGNATURE])
def test_a_file_taken_out_is_named(name: str) -> None:
    content = changed(PACK, lambda members: {key: value for key, value in members.items() if key != name})
    assert first(content) == (PackFaultKind.MISSING, name)


def test_a_file_put_in_is_named() -> None:
    assert first(changed(PACK, lambda members: members | {"more.txt": b"x"})) == (PackFaultKind.ADDED, "more.txt")


def test_two_files_that_hold_each_others_content_are_named_once() -> None:
    content = changed(PACK, lambda m: m | {"fixes.csv": m["alert.json"], "alert.json": m["fixes.csv"]})
    (found,) = faults(content)
    assert (found.kind, found.where) == (PackFaultKind.SWAPPED, "fixes.csv")
    assert "alert.json" in found.detail


def test_another_key_is_named_even_if_everything_fits_together() -> None:
    (found,) = faults(made(OTHER_KEY).content)
    assert (found.kind, found.where) == (PackFaultKind.SIGNATURE, SIGNATURE)
    assert "not a known one" in found.detail
    (same,) = verify_pack(PACK, trusted={}).faults
    assert "--public-key" in same.detail


def test_signed_anew_with_another_key_under_the_old_public_key_is_found() -> None:
    assert first(resigned(lambda _: None, OTHER_KEY))[0] is PackFaultKind.SIGNATURE


def test_a_key_put_in_place_of_the_offices_is_named() -> None:
    content = changed(PACK, lambda members: members | {PUBLIC_KEY: pem_of(OTHER_KEY.public_key())})
    assert first(content) == (PackFaultKind.ALTERED, PUBLIC_KEY)


@pytest.mark.parametrize("name", ["fixes.csv", "fixes.geojson"])
def test_a_wrong_count_of_rows_is_named_though_rightly_signed(name: str) -> None:
    def miscount(manifest: dict[str, Any]) -> None:
        for item in manifest["files"]:
            if item["name"] == name:
                item["rows"] -= 1

    assert first(resigned(miscount)) == (PackFaultKind.COUNT, name)


def test_a_wrong_sum_of_rows_is_found() -> None:
    assert first(resigned(lambda manifest: manifest.update(track_rows=3)))[0] is PackFaultKind.COUNT


def test_another_sm3_is_found() -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][0]["sm3"] = "0" * 64

    assert first(resigned(change)) == (PackFaultKind.ALTERED, "report.pdf")


def test_bytes_before_after_or_between_the_files_are_found() -> None:
    for content in (b"x" + PACK, PACK + b"x", PACK.replace(b"PK\x05\x06", b"hidPK\x05\x06")):
        assert faults(content), content[:4]


def test_a_comment_another_time_or_compression_is_found() -> None:
    for compression, time in ((zipfile.ZIP_DEFLATED, FIXED_TIME), (zipfile.ZIP_STORED, (2026, 1, 1, 0, 0, 0))):
        assert any(item.kind is PackFaultKind.CONTAINER for item in faults(packed_anew(compression, time)))


def packed_anew(compression: int, time: tuple[int, int, int, int, int, int]) -> bytes:
    import io

    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members_of(PACK).items():
            archive.writestr(zipfile.ZipInfo(name, time), content, compress_type=compression)
    return written.getvalue()


def test_what_is_no_pack_is_told_without_a_traceback() -> None:
    for content in (b"", b"no ZIP", PACK[: len(PACK) // 2], pack_of({}), pack_of({"a": b"b"})):
        assert faults(content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_byte_of_the_file_altered_is_found(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(PACK) - 1))
    value = data.draw(st.integers(1, 255))
    content = bytearray(PACK)
    content[position] ^= value
    assert faults(bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.permutations([*NAMES, MANIFEST, SIGNATURE]))
def test_files_in_another_order_are_found(names: list[str]) -> None:
    members = members_of(PACK)
    content = pack_of({name: members[name] for name in names})
    assert bool(faults(content)) == (names != list(members))


def test_another_stamp_is_another_pack() -> None:
    other = make_evidence(a_case(), replace(STAMP, purpose="其他"), audit=PLACE, key=KEY, algorithms=BOTH)
    assert other.manifest_hash != made().manifest_hash
