"""What only some kinds of condition have, checked; stored as JSON in ``condition.parameters``."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tracking.order import ConditionKind
from tracking.policy import AreaPolicy


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckInParameters(_Parameters):
    """How long after its window a check-in is late and no miss, and until when a missed one may be made up."""

    grace_minutes: Annotated[float, Field(ge=0, le=1440)] = 15.0
    make_up_hours: Annotated[float, Field(ge=0, le=168)] = 24.0


class SpotCheckParameters(_Parameters):
    """Mean number a week, the least time between two, and how long there is to answer."""

    per_week: Annotated[float, Field(gt=0, le=70)]
    spacing_minutes: Annotated[float, Field(ge=0, le=1440)] = 60.0
    answer_minutes: Annotated[float, Field(gt=0, le=240)] = 15.0


class ReportingParameters(_Parameters):
    """The device reports at least so often."""

    every_minutes: Annotated[float, Field(gt=0, le=1440)]


class NoContactParameters(_Parameters):
    """Not within so many metres of the other subject for so long. Told to the prosecutor only."""

    other_subject_id: UUID
    within_m: Annotated[float, Field(gt=0, le=1000)] = 50.0
    for_minutes: Annotated[float, Field(gt=0, le=1440)] = 10.0


class AreaParameters(_Parameters):
    """Whether a district that is named stands for all districts of its city: moving between them is not leaving."""

    is_city_one_area: bool = AreaPolicy().is_city_one_area


class NoParameters(_Parameters):
    """All that the kind needs is in the other fields."""


PARAMETERS: dict[ConditionKind, type[_Parameters]] = {
    ConditionKind.STAY_WITHIN_AREA: AreaParameters,
    ConditionKind.CHECK_IN: CheckInParameters,
    ConditionKind.SPOT_CHECK: SpotCheckParameters,
    ConditionKind.REPORTING_INTERVAL: ReportingParameters,
    ConditionKind.NO_CONTACT: NoContactParameters,
}


def checked_parameters(kind: ConditionKind, content: Any) -> dict[str, Any]:
    """All parameters of a condition with their defaults, as JSON. Raises pydantic's ValidationError."""
    return PARAMETERS.get(kind, NoParameters).model_validate(content).model_dump(mode="json")
