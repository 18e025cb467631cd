"""The term of an order in its case: measured with the other decisions on the same person (``tracking.terms``)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.case_file import CaseIn, stage_of
from tracking.calendar import local_day
from tracking.order import Measure, Organ
from tracking.terms import MeasureTerm, TermFinding, check_terms

_INSTANT = timedelta(microseconds=1)

# Where a version was superseded by nothing else, the order was lifted then.
_OTHERS = text("""
SELECT DISTINCT ON (order_id) document_number, measure, stage, valid_from,
       least(valid_to, coalesce(superseded_at, 'infinity')) AS ends_at
FROM supervision_order WHERE subject_no = :no AND order_id <> :order_id AND stage IS NOT NULL
ORDER BY order_id, version DESC
""")


def check_case_terms(
    connection: Connection, case: CaseIn, *, subject_no: int, order_id: UUID
) -> tuple[TermFinding, ...]:
    """What is wrong with the term of this case's order. Of an organ that nobody knows, the decision alone is measured:
    how long one may last is the same for all.
    """
    organ = stage_of(case)
    if organ is None:
        alone = Organ.PROCURATORATE if case.measure is Measure.CONDITIONAL_NON_PROSECUTION else Organ.POLICE
        terms = [_term(case, case.measure, alone, case.valid_to)]
    else:
        others = connection.execute(_OTHERS, {"no": subject_no, "order_id": order_id}).all()
        terms = [_term(row, Measure(row.measure), Organ(row.stage), row.ends_at) for row in others]
        terms.append(_term(case, case.measure, organ, case.valid_to))
    return tuple(finding for finding in check_terms(terms) if finding.document_number == case.document_number)


def _term(decision: Any, measure: Measure, organ: Organ, ends_at: datetime) -> MeasureTerm:
    return MeasureTerm(
        measure=measure,
        organ=organ,
        document_number=decision.document_number,
        started_on=local_day(decision.valid_from),
        last_day=local_day(max(ends_at, decision.valid_from) - _INSTANT),
    )
