"""The law of distance: evaluations, verdicts, what changed, the history of a venue, rules, archived measurements."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import OFFICERS, Scope
from api.distance_shown import (
    MOST_SHOWN,
    FindingFilter,
    changes_shown,
    findings_shown,
    history_shown,
    measurement_shown,
    measurements_shown,
    rule_shown,
    runs_shown,
)
from api.papers.desk import PaperKind
from api.routes.orders import Body
from api.routes.papers import as_paper
from api.routes.sealing import Words
from api.routes.venues import DivisionCode
from tracking.local_time import LOCAL_TIME
from venues.distance_verdict import Verdict

router = APIRouter()

READS_VENUES = AccessPolicy(who=Who.SESSION_OR_TOKEN, roles=OFFICERS, scope=Scope.VENUES_READ)


MEASURES = AccessPolicy(who=Who.SESSION, roles=OFFICERS)
MOST_NUMBER = 2**63 - 1


class MeasurementIn(Body):
    """Against which school, by its id."""

    site_id: Words


MeasurementHash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
RuleKey = Annotated[str, Path(max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class VerdictWord(StrEnum):
    """A verdict as it is written in addresses and answers."""

    CLEAR = "clear"
    SURVEY = "survey"
    BREACH = "breach"
    GRANDFATHERED = "grandfathered"


@router.get("/distance/runs", dependencies=[Depends(READS_VENUES)])
def get_runs(request: Request) -> dict[str, Any]:
    """Evaluations, the newest first."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"runs": runs_shown(connection)}


@router.get("/distance/findings", dependencies=[Depends(READS_VENUES)])
def get_findings(
    request: Request,
    verdict: Annotated[VerdictWord | None, Query()] = None,
    venue_id: Annotated[UUID | None, Query()] = None,
    on: Annotated[date | None, Query()] = None,
    division: DivisionCode | None = None,
    after: Annotated[int | None, Query(ge=0, le=MOST_NUMBER)] = None,
    most: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = MOST_SHOWN,
) -> dict[str, Any]:
    """Verdicts, breaches first; ``on``: of a day of the law, instead of the newest.

    500 at a time: give the last ``finding_no`` as ``after`` for the next ones.
    """
    wanted = FindingFilter(
        verdict=None if verdict is None else Verdict[verdict.name], venue_id=venue_id, on=on, division=division,
        after=after,
    )  # fmt: skip
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"findings": findings_shown(connection, wanted, most=most)}


@router.get("/distance/changes", dependencies=[Depends(READS_VENUES)])
def get_changes(request: Request) -> dict[str, Any]:
    """What the last evaluation changed."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"changes": changes_shown(connection)}


@router.get("/distance/venues/{venue_id}", dependencies=[Depends(READS_VENUES)])
def get_history(request: Request, venue_id: UUID) -> dict[str, Any]:
    """All that was ever said of a venue, by school, the oldest first; and its archived measurements, newest first."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {
            "findings": history_shown(connection, venue_id), "measurements": measurements_shown(connection, venue_id)
        }  # fmt: skip


@router.post("/distance/venues/{venue_id}/measurements", status_code=201, dependencies=[Depends(MEASURES)])
def post_measurement(request: Request, venue_id: UUID, body: MeasurementIn) -> dict[str, Any]:
    """Measure a venue against a school today, by the rules of the last evaluation, and archive it.

    409 ``nothing_to_measure`` if law, licences or register changed since: then it must be evaluated again first;
    ``measurement_unavailable`` without the walk network.
    """
    services, now = request.app.state.services, request.app.state.services.clock.now()
    with as_account(services.engine, request.state.caller.account_id) as connection:
        made = services.paper_desk.measure(
            connection, venue_id=venue_id, site_id=body.site_id, on=now.astimezone(LOCAL_TIME).date(), at=now
        )
    return {"hash": made.hash, "verdict": made.finding.verdict.name.lower()}


@router.get("/distance/rules/{rule_id}/{rule_version}", dependencies=[Depends(READS_VENUES)])
def get_rule(request: Request, rule_id: RuleKey, rule_version: RuleKey) -> dict[str, Any]:
    """One version of a rule, as it was applied."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return rule_shown(connection, rule_id, rule_version)


@router.get("/distance/measurements/{measurement_hash}/report.pdf", dependencies=[Depends(READS_VENUES)])
def get_report(request: Request, measurement_hash: MeasurementHash) -> Response:
    """The report of an archived measurement, made again from the archive: the same bytes. Noted in the audit.

    409 ``measurement_unavailable`` if the walk network is not kept here, or the measurement comes out differently.
    """
    services = request.app.state.services
    with as_account(services.engine, request.state.caller.account_id) as connection:
        report = services.paper_desk.measurement_report(connection, measurement_hash)
    return as_paper(report, f"measurement-{measurement_hash[:16]}", PaperKind.PDF)


@router.get("/distance/measurements/{measurement_hash}", dependencies=[Depends(READS_VENUES)])
def get_measurement(request: Request, measurement_hash: MeasurementHash) -> dict[str, str]:
    """An archived measurement; the SHA-256 of its text is its name."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return measurement_shown(connection, measurement_hash)
