"""Who is told next: no chain ends without somebody, none goes round, nobody is told who may not be."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import FAMILY_ROLES, Recipient, Role, TaskKind
from alerts.channel import Channel
from alerts.failover import WORDS, Obstacle, Step, Stopped, next_step, usable_providers


def someone(
    number: int,
    *,
    role: Role = Role.GUARDIAN,
    rank: int = 1,
    channels: tuple[Channel, ...] = (Channel.SMS,),
    is_blocked: bool = False,
) -> Recipient:
    return Recipient(
        recipient_id=UUID(int=number), subject_no=1, role=role, rank=rank, channels=channels, is_blocked=is_blocked
    )


def after(
    first: Recipient,
    reason: Obstacle,
    recipients: list[Recipient],
    *,
    is_minor: bool = True,
    told: tuple[Channel, ...] = (),
) -> Step:
    tried = {(first.recipient_id, channel) for channel in told} or {(first.recipient_id, first.channels[0])}
    stopped = Stopped(recipient_id=first.recipient_id, role=first.role, obstacle=reason, is_minor=is_minor)
    return next_step(stopped, recipients=recipients, tried=tried)


MOTHER = someone(1, channels=(Channel.SMS, Channel.EMAIL))
FATHER = someone(2, rank=2)
GRANDMOTHER = someone(3, rank=3, is_blocked=True)
OFFICER = someone(4, role=Role.PROSECUTOR)
ALL = [GRANDMOTHER, OFFICER, FATHER, MOTHER]


@pytest.mark.parametrize("reason", [Obstacle.BUDGET, Obstacle.REFUSED, Obstacle.NOT_DELIVERED, Obstacle.NO_PROVIDER])
def test_the_same_person_another_way_then_the_next_person_then_a_call(reason: Obstacle) -> None:
    assert after(MOTHER, reason, ALL) == Step(recipient_id=MOTHER.recipient_id, channel=Channel.EMAIL)
    assert after(MOTHER, reason, ALL, told=(Channel.SMS, Channel.EMAIL)) == Step(
        recipient_id=FATHER.recipient_id, channel=Channel.SMS
    )
    assert after(FATHER, reason, [FATHER]) == Step(
        recipient_id=FATHER.recipient_id, channel=Channel.VOICE_TASK, task=TaskKind.VOICE_CALL
    )


@pytest.mark.parametrize("reason", [Obstacle.TOO_OLD, Obstacle.LATE, Obstacle.ADULT])
def test_where_no_message_is_of_use_a_human_has_work(reason: Obstacle) -> None:
    kind = TaskKind.VOICE_CALL if reason is Obstacle.TOO_OLD else TaskKind.NOBODY_TO_TELL
    step = after(MOTHER, reason, ALL, is_minor=reason is not Obstacle.ADULT)
    assert step == Step(recipient_id=MOTHER.recipient_id, channel=Channel.VOICE_TASK, task=kind)


def test_a_blocked_guardian_is_neither_told_nor_telephoned() -> None:
    blocked = someone(1, channels=(Channel.SMS, Channel.EMAIL), is_blocked=True)
    assert after(blocked, Obstacle.BLOCKED, [blocked, FATHER]).recipient_id == FATHER.recipient_id
    assert after(blocked, Obstacle.BLOCKED, [blocked]).task is TaskKind.NOBODY_TO_TELL


def test_an_officers_message_goes_to_no_guardian_and_ends_on_the_offices_list() -> None:
    colleague = someone(5, role=Role.PROSECUTOR, rank=2)
    assert after(OFFICER, Obstacle.REFUSED, [*ALL, colleague]).recipient_id == colleague.recipient_id
    assert after(OFFICER, Obstacle.REFUSED, ALL).task is TaskKind.NOBODY_TO_TELL


def test_every_reason_is_told_in_both_languages() -> None:
    assert WORDS.keys() == set(Obstacle)
    assert all(zh and en for zh, en in WORDS.values())


def test_only_the_provider_that_may_have_it_is_asked_again() -> None:
    assert usable_providers(["a", "b"], unsure_of=None) == ["a", "b"]
    assert usable_providers(["a", "b"], unsure_of="b") == ["b"]
    assert usable_providers(["a"], unsure_of="b") == []


PEOPLE = st.lists(
    st.builds(
        lambda role, rank, channels, is_blocked: (role, rank, tuple(channels), is_blocked),
        st.sampled_from(Role),
        st.integers(1, 3),
        st.lists(st.sampled_from(Channel), min_size=1, max_size=4, unique=True),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(drawn=PEOPLE, is_minor=st.booleans(), reasons=st.lists(st.sampled_from(Obstacle), min_size=30, max_size=30))
def test_every_chain_ends_in_work_for_a_human_and_tells_nobody_twice_or_wrongly(
    drawn: list[tuple[Role, int, tuple[Channel, ...], bool]], is_minor: bool, reasons: list[Obstacle]
) -> None:
    people = [
        someone(number, role=role, rank=rank, channels=channels, is_blocked=is_blocked)
        for number, (role, rank, channels, is_blocked) in enumerate(drawn)
    ]
    by_id = {person.recipient_id: person for person in people}
    tried = {(people[0].recipient_id, people[0].channels[0])}
    step = Step(recipient_id=people[0].recipient_id, channel=people[0].channels[0])
    steps = [step]
    for reason in reasons:
        stopped = Stopped(recipient_id=step.recipient_id, role=people[0].role, obstacle=reason, is_minor=is_minor)
        step = next_step(stopped, recipients=people, tried=tried)
        steps.append(step)
        told = by_id[step.recipient_id]
        assert told.role is people[0].role
        if step.task is not TaskKind.NOBODY_TO_TELL:
            assert not told.is_blocked
            assert is_minor or told.role is not Role.GUARDIAN
        if step.task is not None:
            assert step.channel is Channel.VOICE_TASK
            assert step.task is TaskKind.NOBODY_TO_TELL or step.channel in told.channels or told.role in FAMILY_ROLES
            break
        assert (step.recipient_id, step.channel) not in tried
        tried.add((step.recipient_id, step.channel))
    assert steps[-1].task is not None
    assert all(before != later for before, later in pairwise(steps[1:]))
