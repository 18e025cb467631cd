"""The chain by itself: a sound one has no fault, and any single fault is found and named."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.audit_chain import Algorithm, Entry, Fault, FaultKind, digest, field, find_faults, linked, record_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
words = st.text(st.characters(codec="utf-8"), max_size=12)
entries = st.builds(
    Entry,
    chain=st.just(3),
    seq=st.just(0),
    position=st.just(0),
    at=st.integers(0, 2**51).map(lambda number: EPOCH + timedelta(microseconds=number)),
    algorithm=st.sampled_from(Algorithm),
    kind=words,
    actor=words,
    login=words,
    purpose=words,
    request_id=words,
    subject_no=st.none() | st.integers(0, 2**63 - 1),
    table_name=st.none() | words,
    row_key=st.none() | words,
    columns=st.none() | words,
    row_hash=st.none() | st.binary(min_size=32, max_size=32),
    detail=words,
    previous_hash=st.just(b""),
    hash=st.just(b""),
)


@st.composite
def chains(draw: st.DrawFn, *, least: int = 1) -> list[Entry]:
    """A sound chain, as the database would have written it: positions ascend, with gaps."""
    chain: list[Entry] = []
    position = 0
    for entry in draw(st.lists(entries, min_size=least, max_size=12)):
        position += draw(st.integers(1, 5))
        chain.append(linked(replace(entry, position=position), chain[-1] if chain else None))
    return chain


def faults_of(chain: Sequence[Entry]) -> list[Fault]:
    return list(find_faults(chain))


@given(chains())
def test_a_sound_chain_has_no_fault_and_neither_has_any_later_part_of_it(chain: list[Entry]) -> None:
    assert faults_of(chain) == []
    for cut in range(1, len(chain)):
        trusted = chain[cut - 1]
        assert list(find_faults(chain[cut:], start_seq=trusted.seq, start_hash=trusted.hash)) == []


ALTERATIONS = {
    "position": lambda entry: replace(entry, position=entry.position + 1),
    "at": lambda entry: replace(entry, at=entry.at + timedelta(microseconds=1)),
    "algorithm": lambda entry: replace(
        entry, algorithm=Algorithm.SM3 if entry.algorithm is Algorithm.SHA256 else Algorithm.SHA256
    ),
    "kind": lambda entry: replace(entry, kind=entry.kind + "x"),
    "actor": lambda entry: replace(entry, actor=entry.actor + "\0"),
    "login": lambda entry: replace(entry, login=entry.login + "x"),
    "purpose": lambda entry: replace(entry, purpose=entry.purpose + " "),
    "request_id": lambda entry: replace(entry, request_id=entry.request_id + "x"),
    "subject_no": lambda entry: replace(entry, subject_no=None if entry.subject_no is not None else 0),
    "table_name": lambda entry: replace(entry, table_name=None if entry.table_name is not None else ""),
    "row_key": lambda entry: replace(entry, row_key=None if entry.row_key is not None else ""),
    "columns": lambda entry: replace(entry, columns=None if entry.columns is not None else ""),
    "row_hash": lambda entry: replace(entry, row_hash=None if entry.row_hash is not None else bytes(32)),
    "detail": lambda entry: replace(entry, detail=entry.detail + "x"),
    "previous_hash": lambda entry: replace(entry, previous_hash=bytes(31) + b"x"),
    "hash": lambda entry: replace(entry, hash=bytes(31) + b"x"),
}
"""One for every field but the two that say where the entry is."""


def test_every_field_is_altered_by_some_test() -> None:
    assert set(ALTERATIONS) == set(Entry.__slots__) - {"chain", "seq"}


@pytest.mark.parametrize("name", ALTERATIONS)
@given(chain=chains(), data=st.data())
def test_an_altered_field_is_named_once(name: str, chain: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(chain) - 1))
    altered = ALTERATIONS[name](chain[at])
    (fault,) = faults_of([*chain[:at], altered, *chain[at + 1 :]])
    assert (fault.kind, fault.where) == (FaultKind.ALTERED, f"entry {altered.position}")


@given(chain=chains(least=3), data=st.data())
def test_an_entry_altered_with_a_fitting_hash_is_named_by_the_one_after_it(
    chain: list[Entry], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(chain) - 2))
    forged = linked(replace(chain[at], actor=chain[at].actor + "x"), chain[at - 1] if at else None)
    (fault,) = faults_of([*chain[:at], forged, *chain[at + 1 :]])
    assert (fault.kind, fault.where) == (FaultKind.ALTERED, f"entry {forged.position}")


@given(chain=chains(least=2), data=st.data())
def test_missing_entries_are_named(chain: list[Entry], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(chain) - 2))
    last = data.draw(st.integers(first, len(chain) - 2))
    (fault,) = faults_of(chain[:first] + chain[last + 1 :])
    span = f"{first + 1}" if first == last else f"{first + 1}-{last + 1}"
    assert (fault.kind, fault.where) == (FaultKind.MISSING, f"chain 3 entry {span}")
    assert f"before entry {chain[last + 1].position} " in fault.detail


@given(chain=chains(), entry=entries, data=st.data())
def test_an_inserted_entry_is_named(chain: list[Entry], entry: Entry, data: st.DataObject) -> None:
    """Even one that is made to follow from the entry before it."""
    at = data.draw(st.integers(0, len(chain) - 1))
    stranger = linked(replace(entry, position=10_000), chain[at])
    assume(at < len(chain) - 1)  # at the end it would be an entry like any other
    (fault,) = faults_of([*chain[: at + 2], stranger, *chain[at + 2 :]])
    assert (fault.kind, fault.where) == (FaultKind.INSERTED, "entry 10000")


@pytest.mark.parametrize("moved", ["whole rows", "contents", "contents and numbers"])
@given(chain=chains(least=2), data=st.data())
def test_two_swapped_entries_are_named_as_swapped(moved: str, chain: list[Entry], data: st.DataObject) -> None:
    one, other = sorted(data.draw(st.lists(st.integers(0, len(chain) - 1), min_size=2, max_size=2, unique=True)))
    a, b = chain[one], chain[other]
    assume(
        replace(a, seq=0, position=0, previous_hash=b"", hash=b"")
        != replace(b, seq=0, position=0, previous_hash=b"", hash=b"")
    )
    changed = list(chain)
    if moved == "whole rows":
        changed[one], changed[other] = replace(b, seq=a.seq), replace(a, seq=b.seq)
    elif moved == "contents":
        changed[one] = replace(b, seq=a.seq, position=a.position, previous_hash=a.previous_hash, hash=a.hash)
        changed[other] = replace(a, seq=b.seq, position=b.position, previous_hash=b.previous_hash, hash=b.hash)
    else:
        changed[one] = replace(b, seq=a.seq, previous_hash=a.previous_hash, hash=a.hash)
        changed[other] = replace(a, seq=b.seq, previous_hash=b.previous_hash, hash=b.hash)
    (fault,) = faults_of(changed)
    assert fault.kind is FaultKind.SWAPPED
    assert {fault.where, fault.detail.split(" with ")[-1].split(" (")[0]} == {
        f"entry {changed[one].position}", f"entry {changed[other].position}",
    }  # fmt: skip


@given(entries, entries)
def test_two_different_records_are_different_bytes(one: Entry, other: Entry) -> None:
    assert (record_of(one) == record_of(other)) == (one == other)


def test_the_bytes_of_a_record_and_the_hashes_are_what_they_were() -> None:
    """Golden: a chain written today is checked in ten years. SM3 of abc is that of GB/T 32905-2016."""
    assert field(None) + field("") + field("护") == bytes.fromhex("ffffffff0000000000000003e68aa4")
    assert (
        digest(Algorithm.SM3, b"abc")
        .hex()
        .startswith("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
    )
    entry = Entry(
        chain=0, seq=0, position=7, at=datetime(2026, 3, 20, 14, tzinfo=UTC), algorithm=Algorithm.SHA256,
        kind="look_map", actor="王", login="hulan", purpose="核查", request_id="", subject_no=1, table_name=None,
        row_key=None, columns=None, row_hash=None, detail="alert 5F2C09AB", previous_hash=b"", hash=b"",
    )  # fmt: skip
    assert linked(entry, None).hash.hex() == "63b06f290c8194288165869d1b06a70022658c44e7722bad5f7f88ef83a825d4"
