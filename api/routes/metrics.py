"""Figures for Prometheus, of the last four weeks; to a token of the system administrator with its scope."""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.access.caller import as_account
from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole, Scope
from api.desk.figures import exposition, figures_between

router = APIRouter()

SPAN = timedelta(weeks=4)

READS_METRICS = AccessPolicy(
    who=Who.SESSION_OR_TOKEN, roles=frozenset({AccountRole.SYSTEM_ADMINISTRATOR}), scope=Scope.METRICS_READ
)


@router.get("/metrics", dependencies=[Depends(READS_METRICS)])
def get_metrics(request: Request) -> Response:
    """No person, no place: quantiles, counts and rates in Prometheus' text format."""
    services = request.app.state.services
    now = services.clock.now()
    with as_account(services.engine, request.state.caller.account_id) as connection:
        figures = figures_between(connection, now - SPAN, now)
    return Response(exposition(figures), media_type=CONTENT_TYPE_LATEST)
