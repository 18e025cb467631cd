"""Officers' decisions on the register: what is one place, what is two, and what one is seen to be.

The connection is one of ``as_account``.
PostgreSQL decides who may, and that what is decided on still is as it was seen (``decide_link``). Decisions wait for an
import that runs, and raise ``RegisterBusyError`` if it takes too long.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import FutureDayError, NotThereError, RefusedInputError
from api.ids import new_id
from api.venue_listing import top_of
from venues.category import VenueCategory
from venues.link_store import OPEN_REVIEWS, decide, load_links, load_merge, load_undone
from venues.links import Confirmed, Merged, Refused, Split, merge_events, take_apart
from venues.observation_store import add_observation
from venues.register_facts import SeenOnSite
from venues.register_store import lock_register


def confirm_review(connection: Connection, review_id: UUID, *, by: UUID) -> UUID:
    """The two are one place: merged; returns the decision's id. Raises ``NotThereError`` if it is no open question."""
    lock_register(connection)
    row = _open_review(connection, review_id)
    links = load_links(connection, around=[row.left_id, row.right_id])
    pair = (row.left_id, row.right_id, row.probability)
    who = f"account:{by}"
    (merge,) = merge_events([pair], links=links, new_id=new_id, decided_by=who, at=_NOT_SAID)
    _decide(connection, merge)
    _decide(connection, Confirmed(records=merge.records, decided_by=who, at=_NOT_SAID))
    return merge.merge_id


def refuse_review(connection: Connection, review_id: UUID, *, by: UUID, reason: str) -> None:
    """The two are two places, and are not asked about again. Raises ``NotThereError`` if it is no open question."""
    lock_register(connection)
    row = _open_review(connection, review_id)
    records = (row.left_id, row.right_id)
    _decide(connection, Refused(records=records, decided_by=f"account:{by}", at=_NOT_SAID, reason=reason))


def merge_venues(connection: Connection, venue_id: UUID, other_id: UUID, *, by: UUID, reason: str) -> UUID:
    """Two places that nobody asked about are one; returns the decision's id.

    Raises ``NotThereError`` for an id that no place ever had, ``RefusedInputError`` if they are one already.
    """
    lock_register(connection)
    (number, one), (other_number, other) = top_of(connection, venue_id), top_of(connection, other_id)
    if number == other_number:
        raise RefusedInputError(f"已是同一场所 / they are one venue already: {one}")
    ids = connection.execute(
        text("SELECT venue_id, record_id FROM venue JOIN venue_source_record USING (record_no)"
             " WHERE venue_no IN (:one, :other)"),
        {"one": number, "other": other_number},
    )  # fmt: skip
    record_of: dict[UUID, UUID] = {row.venue_id: row.record_id for row in ids}
    links = load_links(connection, around=record_of.values())
    pair = (record_of[one], record_of[other], 1.0)
    who = f"account:{by}"
    (merge,) = merge_events([pair], links=links, new_id=new_id, decided_by=who, at=_NOT_SAID, reason=reason)
    _decide(connection, merge)
    return merge.merge_id


def split_venue(connection: Connection, venue_id: UUID, *, merge_id: UUID, by: UUID, reason: str) -> UUID:
    """A merge of this place was wrong: undone, with what came of it, and not made again (``venues.links.take_apart``).

    Returns the id of the venue that is one again.
    """
    lock_register(connection)
    merge = load_merge(connection, merge_id)
    if merge is None or top_of(connection, merge.absorbed) != top_of(connection, venue_id):
        raise NotThereError
    _take_apart(connection, merge, by=by, reason=reason, is_refused=True)
    return merge.absorbed


def undo_link(connection: Connection, link_id: UUID, *, by: UUID) -> bool:
    """A merge undone; or the merge that a split undid once more, by who says so now.

    A person's merge is as if it had never been, and may be asked about again. The machine would make its own again in
    the next run: that the two are two places is held against it. Returns whether that was so. Merges of the machine
    that a split had undone along with its own come again with the next run.
    """
    lock_register(connection)
    merge, undone = load_merge(connection, link_id), load_undone(connection, link_id)
    who = f"account:{by}"
    if merge is not None:
        _take_apart(connection, merge, by=by, reason="撤销 undone", is_refused=merge.is_by_machine)
        return merge.is_by_machine
    if undone is None:
        raise NotThereError
    links = load_links(connection, around=undone.records)
    pair = (*undone.records, undone.probability)
    for again in merge_events([pair], links=links, new_id=new_id, decided_by=who, at=_NOT_SAID):
        _decide(connection, again)
    _decide(connection, Confirmed(records=undone.records, decided_by=who, at=_NOT_SAID))
    return False


def observe_venue(
    connection: Connection,
    venue_id: UUID,
    *,
    category: VenueCategory | None,
    remark: str,
    observed_on: date | None,
    today: date,
) -> UUID:
    """What the account saw the place to be; ``None``: nothing else than it is registered as. Counts until the next one.

    Days are of Asia/Shanghai; ``observed_on`` is ``today`` unless given. Raises ``NotThereError`` for no such place
    and where the account may not say, ``FutureDayError``.
    """
    if observed_on is not None and observed_on > today:
        raise FutureDayError("日期不能晚于今天 / that day is still to come")
    row = connection.execute(text("SELECT venue_no FROM venue WHERE venue_id = :id"), {"id": venue_id}).one_or_none()
    observation_id = new_id()
    seen = SeenOnSite(category=category, on=observed_on or today)
    if row is None or not add_observation(
        connection, observation_id=observation_id, venue_no=row.venue_no, seen=seen, remark=remark
    ):
        raise NotThereError
    return observation_id


_NOT_SAID = datetime.fromtimestamp(0, tz=UTC)
"""The database says when a decision is taken."""


def _decide(connection: Connection, event: Merged | Split | Confirmed | Refused) -> None:
    if not decide(connection, event, new_id=new_id):
        raise NotThereError


def _take_apart(connection: Connection, merge: Merged, *, by: UUID, reason: str, is_refused: bool) -> None:
    decided = take_apart(
        merge,
        links=load_links(connection, around=merge.records),
        new_id=new_id,
        decided_by=f"account:{by}",
        at=_NOT_SAID,
        reason=reason,
        is_refused=is_refused,
    )
    for event in decided:
        _decide(connection, event)


def _open_review(connection: Connection, review_id: UUID) -> Any:
    row = connection.execute(
        text(f"SELECT * FROM ({OPEN_REVIEWS}) AS q WHERE review_id = :id"), {"id": review_id}
    ).one_or_none()
    if row is None:
        raise NotThereError
    return row
