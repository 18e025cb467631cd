"""The people of a demo as cases: the synthetic ten, or one synthetic order for each track of a user's own."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from shapely.geometry import mapping

from alerts.alert import Role
from api.case_file import CaseIn
from api.demo.people import DemoCondition, DemoPerson
from tracking.fix import Fix
from tracking.order import ConditionKind, LocationBasis, Measure
from venues.category import SiteCategory, VenueCategory

EXCLUDED_FROM_ALL: tuple[VenueCategory | SiteCategory, ...] = (
    VenueCategory.BAR,
    VenueCategory.NIGHTCLUB,
    VenueCategory.KTV,
    VenueCategory.INTERNET_CAFE,
    VenueCategory.ARCADE,
    VenueCategory.HOTEL,
    *SiteCategory,
)
"""What the made-up orders over a user's own tracks forbid."""


def cases_of_people(people: Sequence[DemoPerson]) -> list[CaseIn]:
    """The synthetic people as case files would have them; the alias is the reference."""
    return [_case_of_person(person) for person in people]


def _case_of_person(person: DemoPerson) -> CaseIn:
    recipients = [
        {"role": Role.GUARDIAN, "name": item.name, "phone": item.phone, "rank": rank, "is_blocked": item.is_blocked}
        for rank, item in enumerate(person.guardians, start=1)
    ]
    officer = Role.PROSECUTOR if person.measure is Measure.CONDITIONAL_NON_PROSECUTION else Role.POLICE
    recipients.append({"role": officer, "name": person.officer.name, "phone": person.officer.phone})
    return CaseIn.model_validate(
        {
            "reference": person.alias,
            "alias": person.alias,
            "birth_date": person.birth_date,
            "measure": person.measure,
            "location_basis": LocationBasis.ORDER_ITEM,
            "document_number": person.document_number,
            "deciding_organ": person.deciding_organ,
            "executing_organ": person.executing_organ,
            "valid_from": person.order_starts_at,
            "valid_to": person.order_ends_at,
            "conditions": [_condition(item) for item in person.conditions],
            "recipients": recipients,
        }
    )


def _condition(item: DemoCondition) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "categories": list(item.categories),
        "geometry": None if item.geometry is None else mapping(item.geometry),
        "radius_m": item.radius_m,
        "label": item.label,
        "is_protected": item.is_protected,
    }


def cases_of_tracks(tracks: Mapping[str, Sequence[Fix]]) -> list[CaseIn]:
    """A made-up order for whoever carried each device: a minor of fifteen with one guardian, both of them nobody."""
    return [_case_of_track(number, reference, fixes) for number, (reference, fixes) in enumerate(tracks.items(), 1)]


def _case_of_track(number: int, reference: str, fixes: Sequence[Fix]) -> CaseIn:
    first = min(fix.fixed_at for fix in fixes)
    last = max(fix.fixed_at for fix in fixes)
    # As long as the law lets a probation be: of a longer track its last year.
    starts = max(first, last - timedelta(days=360))
    return CaseIn.model_validate(
        {
            "reference": reference,
            "alias": f"合成{number}号",
            "birth_date": date(last.year - 15, 1, 1),
            "measure": Measure.CONDITIONAL_NON_PROSECUTION,
            "location_basis": LocationBasis.ORDER_ITEM,
            "document_number": f"合成附不诉〔{first.year}〕{number}号",
            "deciding_organ": "合成检察院",
            "executing_organ": "合成检察院",
            "valid_from": starts,
            "valid_to": max(last + timedelta(seconds=1), starts + timedelta(days=190)),
            "conditions": [
                {"kind": ConditionKind.EXCLUDED_CATEGORIES, "categories": list(EXCLUDED_FROM_ALL)},
            ],
            "recipients": [
                {"role": Role.GUARDIAN, "name": "合成监护人", "phone": f"1380000{1000 + number % 9000:04d}"},
                {"role": Role.PROSECUTOR, "name": "合成检察官", "phone": "13800009999"},
            ],
        }
    )
