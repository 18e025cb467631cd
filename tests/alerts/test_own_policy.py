"""An office's own numbers: within bounds, told apart by their version, refused with every fault named."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.own_policy import (
    IN_ORDER,
    NUMBERS,
    SENDING,
    OwnPolicyError,
    as_written,
    last_message_after,
    read_own_policy,
)
from alerts.policy import AlertPolicy
from api.own_policy import load_policy
from api.settings import read_settings

times = st.one_of(
    st.integers(1, 600).map(lambda count: timedelta(seconds=count)),
    st.integers(1, 600).map(lambda count: timedelta(minutes=count)),
    st.integers(1, 100).map(lambda count: timedelta(days=count)),
)


def as_written_plain(value: int | timedelta) -> str | int:
    return value if isinstance(value, int) else as_written(value)


def a_file(**numbers: str | int) -> str:
    said = [f"{name} = {value if isinstance(value, int) else repr(value)}" for name, value in numbers.items()]
    return "\n".join(['version = "合成-1"', *said])


def test_what_hulan_ships_is_within_its_own_bounds() -> None:
    shipped = AlertPolicy()
    assert set(NUMBERS) <= {item.name for item in fields(AlertPolicy)}
    whole = a_file(**{name: as_written_plain(getattr(shipped, name)) for name in NUMBERS})
    assert read_own_policy(whole) == AlertPolicy(version="合成-1")


def test_what_is_left_out_stays_as_shipped() -> None:
    own = read_own_policy(a_file(budget_per_day=6, acknowledge_within="5 min"))
    assert own == AlertPolicy(version="合成-1", budget_per_day=6, acknowledge_within=timedelta(minutes=5))


@given(st.sampled_from([name for name in NUMBERS if name not in IN_ORDER]), st.one_of(st.integers(0, 1000), times))
def test_a_number_is_taken_as_it_is_written_or_refused_by_name(name: str, value: int | timedelta) -> None:
    number, text = NUMBERS[name], a_file(**{name: as_written_plain(value)})
    same_kind = isinstance(value, type(number.least))
    least = last_message_after(AlertPolicy()) + SENDING if name == "officer_maximum_age" else number.least
    if same_kind and least <= value <= number.most:  # type: ignore[operator] # of one kind
        assert getattr(read_own_policy(text), name) == value
    else:
        with pytest.raises(OwnPolicyError, match=name):
            read_own_policy(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("budget_per_day = 4", ["version"]),
        ("version = 'x'\nbudget = 4", ["budget：没有这一项"]),
        ("version = 'x'\nbudget_per_day = true\ncool_down = 6", ["budget_per_day = True", "cool_down = 6"]),
        ("version = 'x'\nbudget_per_day = '2'", ["budget_per_day = '2'"]),
        ("version = 'x'\nleader_after = '5 min'", ["须依次不减"]),
        ("version = 'x'\nleader_after = '9999999 s'", ["leader_after"]),
        ("version =", ["不是 TOML 文件"]),
    ],
)
def test_every_fault_is_named(text: str, named: list[str]) -> None:
    with pytest.raises(OwnPolicyError) as caught:
        read_own_policy(text)
    assert all(word in str(caught.value) for word in named)


@pytest.mark.parametrize(
    ("numbers", "least"),
    [
        ({"officer_maximum_age": "149 min"}, "150 min"),
        ({"leader_after": "23 h"}, "1470 min"),
        ({"officer_maximum_age": "2 h", "leader_after": "30 min"}, None),
        ({"officer_maximum_age": "2 h", "leader_after": "30 min", "on_the_way_for": "31 min"}, "121 min"),
        ({"officer_maximum_age": "1 h", "leader_after": "30 min", "quiet_after": "5 min"}, "95 min"),
    ],
)
def test_the_leader_is_told_before_a_message_is_too_old(numbers: dict[str, str], least: str | None) -> None:
    if least is None:
        policy = read_own_policy(a_file(**numbers))
        assert policy.officer_maximum_age > last_message_after(policy)
        return
    with pytest.raises(OwnPolicyError, match=f"至少应为 {least} / too short for the last message, to the leader"):
        read_own_policy(a_file(**numbers))


def test_the_file_of_the_settings_is_the_one_in_force(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    settings = read_settings(alert_policy_file=path)
    with pytest.raises(OwnPolicyError, match=r"policy\.toml"):
        load_policy(settings)
    path.write_text("version = 'x'\nbudget_per_day = 99", encoding="utf-8")
    with pytest.raises(OwnPolicyError, match=r"policy\.toml: budget_per_day = 99"):
        load_policy(settings)
    path.write_text(a_file(budget_per_day=9), encoding="utf-8")
    assert load_policy(settings).budget_per_day == 9
    assert load_policy(read_settings()) == AlertPolicy()
