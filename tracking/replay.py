"""What would have been seen: hop 4 on any fixes and zones, with no order and no database (design.md, section 9)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from geo.probability import ShapeProbability
from tracking.allowances import Exemptions
from tracking.episode import Episode
from tracking.evaluate import evaluate
from tracking.fix import FixBatch
from tracking.order import Condition, ConditionKind, Measure, SupervisionOrder
from tracking.policy import PresencePolicy
from tracking.rules import EVERY_BIT, EXCLUSION, INCLUSION, RuleBook, ZoneBook
from tracking.states import PresenceStates
from tracking.versions import ALWAYS, NEVER, Ends, Spans
from tracking.zone import ZoneKind

_NOBODY = UUID(int=0)


def replay(fixes: FixBatch, zones: ZoneBook, *, policy: PresencePolicy) -> tuple[Episode, ...]:
    """Every episode of every subject at every zone: inside an exclusion zone, outside an inclusion zone.

    Sorted by subject, start and zone. ``condition_no`` of an episode is 0 for exclusion, else its zone's ``zone_no``.
    """
    rules = _rules_for_all(np.unique(fixes.subject_no), zones)
    found = evaluate(states=PresenceStates.empty(), fixes=fixes, rules=rules, zones=zones, policy=policy)
    return tuple(sorted(found.episodes, key=lambda item: (item.subject_no, item.started_at, item.zone_no)))


def _rules_for_all(subjects: NDArray[np.int64], zones: ZoneBook) -> RuleBook:
    """One rule per subject for all exclusion zones together, and one per inclusion zone."""
    areas = [row for row, zone in enumerate(zones.zones) if zone.kind is ZoneKind.INCLUSION]
    per_subject = [(0, EXCLUSION, -1, EVERY_BIT)]
    per_subject += [(zones.zones[row].zone_no, INCLUSION, row, 0) for row in areas]
    rules = per_subject * len(subjects)
    count = len(rules)
    masks = _column(rules, 3, np.int64)
    valid_from, valid_to = np.full(count, ALWAYS), np.full(count, NEVER)
    return RuleBook(
        orders=(_placeholder_order(),) * count,
        conditions=tuple(_placeholder_condition(number, breach) for number, breach, _, _ in rules),
        subject_no=np.repeat(subjects, len(per_subject)),
        condition_no=_column(rules, 0, np.int64),
        condition_key=_column(rules, 0, np.int64),
        valid_from=valid_from,
        valid_to=valid_to,
        breach=np.array([rule[1] for rule in rules], dtype=np.int8),
        zone_row=_column(rules, 2, np.int64),
        category_mask=masks,
        tolerance_m=np.zeros(count),
        wide_row=np.full(count, -1),
        wide=ShapeProbability.build([]),
        spans=Spans.build(
            key=_column(rules, 0, np.int64),
            start=valid_from,
            end=valid_to,
            known_at=np.full(count, ALWAYS),
            content=masks,
        ),
        ends=Ends.build(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)),
        yields_to_exemption=np.zeros(count, dtype=np.bool_),
        exemptions=Exemptions.build([]),
    )


def _column(rules: Sequence[tuple[int, ...]], position: int, kind: type[np.int64]) -> NDArray[np.int64]:
    return np.array([rule[position] for rule in rules], dtype=kind)


def _placeholder_condition(number: int, breach: int) -> Condition:
    kind = ConditionKind.STAY_WITHIN_AREA if breach == INCLUSION else ConditionKind.EXCLUSION_ZONE
    return Condition(condition_no=number, condition_id=_NOBODY, kind=kind)


def _placeholder_order() -> SupervisionOrder:
    return SupervisionOrder(
        order_no=0,
        order_id=_NOBODY,
        version=0,
        subject_no=0,
        measure=Measure.BAIL,
        document_number="",
        deciding_organ="",
        executing_organ="",
        valid_from=datetime.min.replace(tzinfo=UTC),
        valid_to=datetime.max.replace(tzinfo=UTC),
    )
