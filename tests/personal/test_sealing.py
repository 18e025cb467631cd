"""A sealed text opens in its place with its key, unaltered, and never otherwise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.personal.sealing import NONCE_BYTES, CipherName, Key, Place, SealError, open_sealed, seal
from tests.golden_files import assert_golden
from tests.make import EVENING

CIPHERS = st.sampled_from(CipherName)
TEXTS = st.text(max_size=60)
PLACES = st.builds(
    Place, table=st.sampled_from(["recipient", "subject"]), column=st.sampled_from(["name", "phone"]), row_id=st.text()
)
NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


def a_key(cipher: CipherName, *, number: int = 1) -> Key:
    return Key(key_id=f"key-{number}", cipher=cipher, made_at=EVENING, secret=bytes([number]) * cipher.key_bytes)


@given(CIPHERS, TEXTS, PLACES, NONCES)
def test_what_was_sealed_comes_back(cipher: CipherName, plain: str, place: Place, nonce: bytes) -> None:
    key = a_key(cipher)
    sealed = seal(plain, key=key, place=place, nonce=nonce)
    assert open_sealed(sealed, key=key, place=place) == plain
    assert not plain.encode() or len(plain.encode()) < 6 or plain.encode() not in sealed


@given(CIPHERS, TEXTS, PLACES, NONCES, st.data())
def test_any_altered_byte_is_refused(
    cipher: CipherName, plain: str, place: Place, nonce: bytes, data: st.DataObject
) -> None:
    key = a_key(cipher)
    sealed = bytearray(seal(plain, key=key, place=place, nonce=nonce))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        open_sealed(bytes(sealed), key=key, place=place)


@given(CIPHERS, TEXTS, PLACES, NONCES, st.data())
def test_what_is_cut_off_is_refused(
    cipher: CipherName, plain: str, place: Place, nonce: bytes, data: st.DataObject
) -> None:
    key = a_key(cipher)
    sealed = seal(plain, key=key, place=place, nonce=nonce)
    with pytest.raises(SealError):
        open_sealed(sealed[: data.draw(st.integers(0, len(sealed) - 1))], key=key, place=place)


@given(CIPHERS, TEXTS, PLACES, PLACES, NONCES)
def test_a_text_moved_to_another_row_or_column_is_refused(
    cipher: CipherName, plain: str, place: Place, other: Place, nonce: bytes
) -> None:
    key = a_key(cipher)
    sealed = seal(plain, key=key, place=place, nonce=nonce)
    if other != place:
        with pytest.raises(SealError):
            open_sealed(sealed, key=key, place=other)


def test_places_that_join_to_the_same_letters_are_different() -> None:
    key = a_key(CipherName.AES_256_GCM)
    sealed = seal("x", key=key, place=Place(table="a", column="bc", row_id="d"), nonce=bytes(NONCE_BYTES))
    with pytest.raises(SealError):
        open_sealed(sealed, key=key, place=Place(table="ab", column="c", row_id="d"))


@pytest.mark.parametrize("cipher", CipherName)
def test_another_key_is_refused_even_under_the_same_id(cipher: CipherName) -> None:
    key, place = a_key(cipher), Place(table="subject", column="name", row_id="1")
    sealed = seal("合成王小丽", key=key, place=place, nonce=bytes(NONCE_BYTES))
    for other in (
        a_key(cipher, number=2),
        replace(key, secret=bytes(cipher.key_bytes)),
        replace(key, key_id="another"),
    ):
        with pytest.raises(SealError):
            open_sealed(sealed, key=other, place=place)


@pytest.mark.parametrize(
    ("cipher", "secret", "nonce", "plain", "bound", "content", "tag"),
    [
        # RFC 8998, appendix A.1.
        (
            CipherName.SM4_GCM,
            "0123456789abcdeffedcba9876543210",
            "00001234567800000000abcd",
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffff"
            "eeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
            "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
            "83de3541e4c2b58177e065a9bf7b62ec",
        )
    ],
)
def test_the_cipher_is_the_standards(
    cipher: CipherName, secret: str, nonce: str, plain: str, bound: str, content: str, tag: str
) -> None:
    """Of the library, as a published vector has it: the same call that seals."""
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    from api.personal.sealing import _algorithm

    key = Key(key_id="vector", cipher=cipher, made_at=EVENING, secret=bytes.fromhex(secret))
    encryptor = Cipher(_algorithm(key), modes.GCM(bytes.fromhex(nonce))).encryptor()
    encryptor.authenticate_additional_data(bytes.fromhex(bound))
    assert (encryptor.update(bytes.fromhex(plain)) + encryptor.finalize()).hex() == content
    assert encryptor.tag.hex() == tag


def test_a_nonce_of_another_length_is_refused() -> None:
    place = Place(table="subject", column="name", row_id="1")
    with pytest.raises(ValueError, match="12 bytes"):
        seal("x", key=a_key(CipherName.AES_256_GCM), place=place, nonce=b"short")


def test_a_key_never_shows_its_secret() -> None:
    key = a_key(CipherName.AES_256_GCM)
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


@pytest.mark.golden
def test_the_refusal_names_the_place_and_the_key_and_no_content() -> None:
    key = a_key(CipherName.AES_256_GCM)
    place = Place(table="recipient", column="phone", row_id="019ce000-0000-7000-8000-000000000001")
    sealed = seal("13800000101", key=key, place=replace(place, row_id="another"), nonce=bytes(NONCE_BYTES))
    with pytest.raises(SealError) as refused:
        open_sealed(sealed, key=key, place=place)
    assert_golden("errors/seal_refused.txt", f"{refused.value}\n")
