"""New ids and shards."""

from uuid import UUID

import uuid_utils

from tracking.episode import derived_id

SHARD_COUNT = 64
"""A subject belongs to one of these for good (design.md, section 4)."""


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return UUID(int=uuid_utils.uuid7().int)


def shard_of(subject_id: UUID) -> int:
    """The shard of a subject: its id's random bits, so that shards are even."""
    return subject_id.int % SHARD_COUNT


def subject_id_for(reference: str) -> UUID:
    """The subject's id for a reference; the same on every import. A reference that is a UUID is the id itself."""
    try:
        return UUID(reference)
    except ValueError:
        return derived_id("subject", 0, reference)
