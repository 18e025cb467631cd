"""Why a verdict changed, in words: both values of what differs, and what stayed the same."""

from dataclasses import replace
from datetime import date

import pytest

from tests.venues.distance_scene import ON_FOOT, RULE
from venues.category import VenueCategory
from venues.distance_change import Said, why_changed
from venues.distance_history import Cause
from venues.distance_verdict import Reason

BEFORE = Said(
    rule=RULE, reason=Reason.LICENCE_RUNS, division="320312", straight_m=43.0, walking_m=110.0, walk_status=0,
    gate_id="survey/north", is_disputed=False, categories=frozenset({VenueCategory.TOBACCO}),
)  # fmt: skip
SAME = "直线未变（43.0 米）；步行未变（110.0 米）"


@pytest.mark.parametrize(
    ("cause", "after", "is_gate_closed", "expected"),
    [
        (Cause.PAPERS, {"reason": Reason.DISTANCE}, False,
         f"许可或日期变了：原为“规则施行前的许可尚未到期”，现为“计入误差后结论不变”；{SAME}"),
        (Cause.DIVISION, {"division": "320303"}, False, f"所在区划由 320312 改为 320303；{SAME}"),
        (Cause.CATEGORY, {"categories": frozenset({VenueCategory.KTV, VenueCategory.TOBACCO})}, False,
         f"登记或查见的场所类别变了：原按烟草零售，现按KTV、烟草零售；{SAME}"),
        (Cause.DISTANCE, {"reason": Reason.GATES_INCOMPLETE}, False,
         f"原为“规则施行前的许可尚未到期”，现为“校门是否已登记齐全未经确认，未登记的可能更近”；{SAME}"),
        (Cause.RULE, {}, False, f"适用于场所其他类别的规则变了；{SAME}"),
        (Cause.PAPERS, {}, False, f"对场所其他类别的结论变了；{SAME}"),
        (Cause.RULE, {"is_disputed": True}, False, f"另有规则结论不同，须明确适用哪一条；{SAME}"),
        (Cause.DISTANCE, {"walking_m": None, "walk_status": -1, "gate_id": None}, True,
         "校门 survey/north 已登记为关闭；直线未变（43.0 米）；步行由 110.0 米 变为 没有开放的校门，未测"),
        (Cause.DISTANCE, {"walking_m": 151.0, "gate_id": "survey/south"}, True,
         "校门 survey/north 已登记为关闭，改自校门 survey/south 步行；直线未变（43.0 米）；"
         "步行由 110.0 米 变为 151.0 米"),
        (Cause.DISTANCE, {"walking_m": 90.0, "gate_id": "survey/south"}, False,
         "步行起点由校门 survey/north 改为 survey/south；直线未变（43.0 米）；步行由 110.0 米 变为 90.0 米"),
        (Cause.DISTANCE, {"walking_m": None, "walk_status": 2}, False,
         "直线未变（43.0 米）；步行由 110.0 米 变为 路网上不可达"),
        (Cause.DISTANCE, {"straight_m": 44.0}, None, "直线由 43.0 米变为 44.0 米；步行未变（110.0 米）"),
    ],
)  # fmt: skip
def test_what_differs_is_told_and_what_does_not(
    cause: Cause, after: dict[str, object], is_gate_closed: bool | None, expected: str
) -> None:
    why = why_changed(cause, BEFORE, replace(BEFORE, **after), is_known=True, is_gate_closed=is_gate_closed)  # type: ignore[arg-type] # fields by name
    assert why.zh == expected
    assert why.en
    assert why.en.isascii()


def test_another_rule_is_told_with_both_texts_and_versions() -> None:
    why = why_changed(Cause.RULE, BEFORE, replace(BEFORE, rule=ON_FOOT), is_known=True)
    assert f"（限 100 米（含本数），直线，从围墙或校园边界到任一出入口，版本 {RULE.rule_version}）改为" in why.zh
    assert f"（限 100 米（含本数），步行，从所有出入口到任一出入口，版本 {ON_FOOT.rule_version}）" in why.zh
    newer = replace(RULE, effective_to=date(2027, 1, 1))
    assert newer.rule_version in why_changed(Cause.RULE, BEFORE, replace(BEFORE, rule=newer), is_known=True).zh


def test_the_first_the_last_and_the_returned_are_told_as_such() -> None:
    assert why_changed(Cause.FIRST, None, BEFORE, is_known=False).zh == "首次测量"
    assert "其他区划" in why_changed(Cause.RULE, None, BEFORE, is_known=False).zh
    assert "now in another division" in why_changed(Cause.MOVED, BEFORE, None, is_known=True).en
    assert "再次受规则约束" in why_changed(Cause.FIRST, None, BEFORE, is_known=True).zh
    assert "不再受任何规则约束" in why_changed(Cause.GONE, BEFORE, None, is_known=True).zh
