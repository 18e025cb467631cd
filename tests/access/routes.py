"""What each route is, said by hand and not read from the program: who may call it, and what it shows.

A route of the running application without an entry here fails the test (``tests/access/test_matrix.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from api.access.roles import OFFICERS, AccountRole, Scope
from tests.access.callers import Caller, State
from tests.access.matrix import Needle

SYSTEM, SECURITY = AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.SECURITY_ADMINISTRATOR
EVERYBODY = frozenset(AccountRole)


class Open(StrEnum):
    """How far a caller must have come."""

    TO_ALL = "to all"
    TO_DEVICES = "to devices"
    TO_HALF_SESSIONS = "to half sessions"
    TO_FIRST_PASSWORDS = "to first passwords"  # a word
    TO_SESSIONS = "to sessions"
    TO_TOKENS = "to sessions and tokens"


class About(StrEnum):
    """What the path names: each target is tried, and one that does not exist."""

    NOTHING = "nothing"
    CASE = "case"
    ALERT = "alert"
    ACCOUNT = "account"
    TOKEN = "token"
    LOOK = "look"
    NOTICE = "notice"
    UNSEALING = "unsealing"
    ORDER = "order"
    EXEMPTION = "exemption"
    LEAVE = "leave"
    VIOLATION = "violation"
    FINDING = "finding"
    TASK = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """One route. ``granted``: the answer to whoever may call it, about something that they may see."""

    is_open: Open
    roles: frozenset[AccountRole] = EVERYBODY
    scope: Scope | None = None
    about: About = About.NOTHING
    granted: int | Callable[[Caller], int] = 200
    body: object = None
    query: dict[str, str] = field(default_factory=dict)
    shows: frozenset[Needle] = frozenset()
    """What of the cases that the caller may see an answer may hold."""
    is_of_others: bool = False
    """Tried on what is not the caller's only: on one's own it would do its work, which other tests show."""
    shows_accounts: bool = False
    shows_keys: bool = False
    """Whether keys of rows of any case are shown that is not sealed: to the audit administrator, who sees no case."""

    def status_for(self, caller: Caller) -> int | None:
        """The answer whatever the path names; ``None`` if that decides. By the rules of ADR 0016, written anew."""
        if self.is_open is Open.TO_ALL:
            return None
        if self.is_open is Open.TO_DEVICES or caller.state in {State.DEVICE, State.UNKNOWN}:
            return None if (self.is_open is Open.TO_DEVICES) and caller.state is State.DEVICE else 401
        if caller.state is State.TOKEN:
            may = self.is_open is Open.TO_TOKENS and self.scope in caller.scopes
        elif self.is_open is Open.TO_HALF_SESSIONS:
            return None
        elif self.is_open is Open.TO_FIRST_PASSWORDS:
            may = caller.state is not State.HALF
        else:
            may = caller.state is State.FULL
        return None if may and caller.roles & self.roles else 403

    def answer_to(self, caller: Caller) -> int:
        """The answer about something that the caller may see."""
        return self.granted(caller) if callable(self.granted) else self.granted


def _new_factor(caller: Caller) -> int:
    """Only who has none gets a second factor."""
    return 200 if caller.name == "without second factor" else 403


def _new_token(caller: Caller) -> int:
    """The scope asked for is one of officers."""
    return 201 if caller.roles & OFFICERS else 422


SEALERS = frozenset({AccountRole.PROSECUTOR, AccountRole.LEADER})

LEADERS, AUDITORS = frozenset({AccountRole.LEADER}), frozenset({AccountRole.AUDIT_ADMINISTRATOR})

A_LOOK = {
    "kind": "track",
    "purpose_code": "review_alert",
    "from_at": "2026-03-20T13:00:00Z",
    "to_at": "2026-03-20T15:00:00Z",
}

A_SEALING = {"ground": "non_prosecution", "document_number": "合成检封〔2026〕1号"}

AN_UNSEALING = {"ground": "case_need", "ground_text": "另案办理需要", "document_number": "合成检启封〔2026〕1号"}

OF_CASES = {"roles": OFFICERS, "scope": Scope.CASES_READ}

OF_VENUES = {"is_open": Open.TO_TOKENS, "roles": OFFICERS, "scope": Scope.VENUES_READ}

SESSION_OF_CASE = {"is_open": Open.TO_SESSIONS, "roles": OFFICERS}
OF_SUBJECT = {**SESSION_OF_CASE, "about": About.CASE}
OF_ORDERS = frozenset({Needle.ID, Needle.DOCUMENT})
OF_WORK = frozenset({Needle.KEY, Needle.WORK})
OF_ALERTS = frozenset({Needle.ID, Needle.KEY})
A_SPAN = {"from_at": "2026-03-20T00:00:00Z", "to_at": "2026-03-21T00:00:00Z"}
A_NUMBER = str(UUID(int=7))
DECIDERS = frozenset({AccountRole.LEADER, AccountRole.PROSECUTOR, AccountRole.POLICE})
A_DECISION = {"outcome": "dismissed", "reason": "position_error"}
AN_EXEMPTION = {
    "kind": "home", "reason": "住在楼上", "valid_from": "2026-03-20T00:00:00Z", "valid_to": "2026-03-21T00:00:00Z",
    "longitude": 117.0, "latitude": 34.0, "radius_m": 10,
}  # fmt: skip
A_LEAVE = {
    "order_id": "00000000-0000-7000-8000-000000000007", "reason": "就医", "destination": "合成市", "route": "高速",
    "transport": "汽车", "contact": "合成", "from_at": "2026-03-20T00:00:00Z", "to_at": "2026-03-21T00:00:00Z",
}  # fmt: skip

OF_PLACES = {"is_open": Open.TO_TOKENS, "roles": OFFICERS, "scope": Scope.VENUES_READ}
BY_KEEPERS = {"is_open": Open.TO_SESSIONS, "roles": frozenset({AccountRole.POLICE, AccountRole.SUPERVISOR})}

ROUTES: dict[str, RouteEntry] = {
    # Places, not people; of the register nothing is in the scene. tests/api/test_venue_routes.py has the rest.
    "GET /venues": RouteEntry(**OF_PLACES),  # type: ignore[arg-type]
    "GET /venues/{venue_id}": RouteEntry(granted=404, **OF_PLACES),  # type: ignore[arg-type]
    "GET /venues/{venue_id}/records": RouteEntry(granted=404, **OF_PLACES),  # type: ignore[arg-type]
    "GET /venue-reviews": RouteEntry(**OF_PLACES),  # type: ignore[arg-type]
    "POST /venue-reviews/{review_id}": RouteEntry(body={"answer": "confirm"}, granted=404, **BY_KEEPERS),  # type: ignore[arg-type]
    "POST /venues/{venue_id}/splits": RouteEntry(
        body={"merge_id": A_NUMBER, "reason": "两家店"}, granted=404, **BY_KEEPERS  # type: ignore[arg-type]
    ),
    "POST /venues/{venue_id}/observations": RouteEntry(
        body={"category": "bar", "remark": "以酒水为主"}, granted=404, is_open=Open.TO_SESSIONS, roles=OFFICERS
    ),
    "POST /venues/{venue_id}/merges": RouteEntry(
        body={"venue_id": A_NUMBER, "reason": "同一家店"}, granted=404, **BY_KEEPERS  # type: ignore[arg-type]
    ),
    "POST /venue-links/{link_id}/undo": RouteEntry(granted=404, **BY_KEEPERS),  # type: ignore[arg-type]
    "GET /health": RouteEntry(is_open=Open.TO_ALL),
    "POST /positions": RouteEntry(is_open=Open.TO_DEVICES, body={"fixes": []}, granted=201),
    "GET /check-ins": RouteEntry(is_open=Open.TO_DEVICES),
    "POST /check-ins/{check_in_id}": RouteEntry(is_open=Open.TO_DEVICES, body={"fixed_at": 7}, granted=422),
    "POST /device-reports": RouteEntry(is_open=Open.TO_DEVICES, body={"reports": []}, granted=422),
    "POST /session": RouteEntry(is_open=Open.TO_ALL, body={"login_name": 7}, granted=422),
    "POST /session/totp/secret": RouteEntry(is_open=Open.TO_HALF_SESSIONS, granted=_new_factor),
    "POST /session/totp": RouteEntry(is_open=Open.TO_HALF_SESSIONS, body={"code": "1"}, granted=422),
    "DELETE /session": RouteEntry(is_open=Open.TO_HALF_SESSIONS, granted=204),
    "GET /session/me": RouteEntry(is_open=Open.TO_HALF_SESSIONS),
    "POST /account/password": RouteEntry(is_open=Open.TO_FIRST_PASSWORDS, body={"old": "x"}, granted=422),
    "GET /account/tokens": RouteEntry(is_open=Open.TO_SESSIONS),
    "POST /account/tokens": RouteEntry(
        is_open=Open.TO_SESSIONS, body={"label": "x", "scopes": ["cases:read"], "days": 1}, granted=_new_token
    ),
    "DELETE /account/tokens/{token_id}": RouteEntry(is_open=Open.TO_SESSIONS, about=About.TOKEN, granted=204),
    "GET /accounts": RouteEntry(
        is_open=Open.TO_TOKENS, roles=frozenset({SYSTEM, SECURITY}), scope=Scope.ACCOUNTS_READ, shows_accounts=True
    ),
    "POST /accounts/{account_id}/unlock": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=frozenset({SECURITY}), about=About.ACCOUNT, granted=204
    ),
    "POST /accounts/{account_id}/disable": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=frozenset({SECURITY}), about=About.ACCOUNT, granted=204
    ),
    "GET /subjects": RouteEntry(is_open=Open.TO_TOKENS, shows=frozenset({Needle.ID}), **OF_CASES),  # type: ignore[arg-type]
    "GET /subjects/{subject_id}": RouteEntry(
        is_open=Open.TO_TOKENS,
        about=About.CASE,
        shows=frozenset({Needle.ID}),
        **OF_CASES,  # type: ignore[arg-type]
    ),
    "POST /subjects/{subject_id}/looks": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, body=A_LOOK, granted=201,
        shows=frozenset({Needle.ID}),
    ),
    "GET /looks": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, shows=frozenset({Needle.ID, Needle.LOOK, Needle.WORDS}),
        shows_accounts=True,
    ),
    "POST /looks/{look_id}/decision": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=LEADERS, about=About.LOOK, body={"is_approved": True}, granted=403
    ),
    "GET /subjects/{subject_id}/lookers": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, shows_accounts=True,
        shows=frozenset({Needle.ID, Needle.LOOK, Needle.WORDS}),
    ),
    # Without a look; with one: test_a_look_opens_its_case_to_who_asked_and_nothing_to_anybody_else.
    "GET /subjects/{subject_id}/track": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, granted=403
    ),
    "GET /subjects/{subject_id}/person": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, shows=frozenset({Needle.ID, Needle.ALIAS})
    ),
    "GET /subjects/{subject_id}/orders": RouteEntry(shows=OF_ORDERS, **OF_SUBJECT),  # type: ignore[arg-type]
    "GET /orders/{order_id}": RouteEntry(about=About.ORDER, shows=OF_ORDERS | {Needle.PLACE}, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /orders/{order_id}/lift": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.ORDER, body={"document_number": "合成"}, is_of_others=True
    ),
    "GET /subjects/{subject_id}/exemptions": RouteEntry(shows=OF_WORK, **OF_SUBJECT),  # type: ignore[arg-type]
    "POST /subjects/{subject_id}/exemptions": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.CASE, body=AN_EXEMPTION, granted=201,
    ),
    "POST /exemptions/{exemption_id}/revoke": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.EXEMPTION, is_of_others=True
    ),
    # An empty file of nobody: tests/api/test_case_intake.py files cases and reads what became of them.
    "POST /case-files": RouteEntry(is_open=Open.TO_SESSIONS, roles=DECIDERS, body={"cases": []}, granted=422),
    "GET /case-files/{case_file_id}": RouteEntry(is_open=Open.TO_SESSIONS, roles=DECIDERS, granted=404),
    "POST /case-files/{case_file_id}/tokens": RouteEntry(is_open=Open.TO_SESSIONS, roles=DECIDERS, granted=404),
    "GET /leaves": RouteEntry(shows=OF_ORDERS | OF_WORK, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "GET /subjects/{subject_id}/leaves": RouteEntry(shows=OF_ORDERS | OF_WORK, **OF_SUBJECT),  # type: ignore[arg-type]
    # Without an order that runs now there is nothing to be away from.
    "POST /subjects/{subject_id}/leaves": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, body=A_LEAVE, granted=404
    ),
    "POST /leaves/{leave_id}/answer": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=frozenset({AccountRole.POLICE, AccountRole.PROSECUTOR}), about=About.LEAVE,
        body={"is_approved": True, "remark": "同意"}, is_of_others=True,
    ),
    "POST /leaves/{leave_id}/close": RouteEntry(
        about=About.LEAVE, body={"how": "returned"}, is_of_others=True, **SESSION_OF_CASE  # type: ignore[arg-type]
    ),
    "GET /subjects/{subject_id}/suspected": RouteEntry(shows=OF_WORK | {Needle.DOCUMENT}, **OF_SUBJECT),  # type: ignore[arg-type]
    "GET /subjects/{subject_id}/departures": RouteEntry(**OF_SUBJECT),  # type: ignore[arg-type]
    "POST /violations/{violation_id}/decision": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.VIOLATION, body=A_DECISION, is_of_others=True
    ),
    "POST /findings/{finding_id}/decision": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.FINDING, body=A_DECISION, is_of_others=True
    ),
    "GET /tasks": RouteEntry(shows=OF_ORDERS | OF_WORK, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /tasks/{task_id}/done": RouteEntry(about=About.TASK, body={}, is_of_others=True, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "GET /alerts": RouteEntry(shows=OF_ALERTS, **SESSION_OF_CASE),  # type: ignore[arg-type]
    # From now on, and not for ever: tests/api/test_alert_stream.py has what comes.
    "GET /alerts/stream": RouteEntry(query={"follow": "false"}, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "GET /alerts/{alert_id}": RouteEntry(about=About.ALERT, shows=OF_ALERTS, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /alerts/{alert_id}/acknowledge": RouteEntry(about=About.ALERT, is_of_others=True, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /alerts/{alert_id}/close": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.ALERT, body={"closing": "returned"}, is_of_others=True
    ),
    "POST /alerts/{alert_id}/reopen": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, about=About.ALERT, body={"reason": "new_evidence"}, is_of_others=True
    ),
    "POST /subjects/{subject_id}/care-findings": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=frozenset({AccountRole.POLICE}), about=About.CASE, is_of_others=True,
        body={"seen_at": "2026-03-02T22:00:00+08:00", "place": "合成旅馆", "is_adult_unknown": True},
    ),
    # Of nobody: tests/api/test_recipients.py has the rest.
    "POST /recipients/{recipient_id}/tell": RouteEntry(is_open=Open.TO_SESSIONS, roles=DECIDERS, granted=404),
    "POST /recipients/{recipient_id}/block": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=DECIDERS, body={"reason": "suspect"}, granted=404
    ),
    "GET /outbox": RouteEntry(shows=OF_ALERTS, **SESSION_OF_CASE),  # type: ignore[arg-type]
    # Of nobody: test_a_message_that_did_not_leave_is_tried_again_by_who_decides has the rest.
    "POST /outbox/{notification_id}/retry": RouteEntry(is_open=Open.TO_SESSIONS, roles=DECIDERS, granted=404),
    # Of organs of the caller's cases; of the scene's no roster is kept. tests/api/test_desk.py has the rest.
    "GET /rosters": RouteEntry(**SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /rosters/people": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=LEADERS, granted=404,
        body={"unit": "无此机关", "role": "leader", "name": "合成", "phone": "13800000123"},
    ),
    "POST /rosters/duties": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=LEADERS, granted=404, body=A_SPAN | {"unit": "无此机关", "people": [A_NUMBER]}
    ),
    "POST /rosters/absences": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=LEADERS, granted=404, body=A_SPAN | {"recipient_id": A_NUMBER}
    ),
    "POST /rosters/{entry_id}/revoke": RouteEntry(is_open=Open.TO_SESSIONS, roles=LEADERS, granted=404),
    # About venues: tests/api/test_leads.py has what they show.
    "GET /distance/runs": RouteEntry(**OF_VENUES),  # type: ignore[arg-type]
    "GET /distance/findings": RouteEntry(**OF_VENUES),  # type: ignore[arg-type]
    "GET /distance/changes": RouteEntry(**OF_VENUES),  # type: ignore[arg-type]
    "GET /distance/venues/{venue_id}": RouteEntry(granted=404, **OF_VENUES),  # type: ignore[arg-type]
    "GET /distance/rules/{rule_id}/{rule_version}": RouteEntry(granted=404, **OF_VENUES),  # type: ignore[arg-type]
    "POST /distance/venues/{venue_id}/measurements": RouteEntry(
        body={"site_id": "osm/way/1"}, granted=404, **SESSION_OF_CASE  # type: ignore[arg-type]
    ),
    "GET /distance/measurements/{measurement_hash}/report.pdf": RouteEntry(granted=422, **OF_VENUES),  # type: ignore[arg-type]
    "GET /distance/measurements/{measurement_hash}": RouteEntry(granted=422, **OF_VENUES),  # type: ignore[arg-type]
    "GET /leads": RouteEntry(**SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /leads": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, granted=404,
        body={"venue_id": A_NUMBER, "ground": "admits_minors", "note": "有学生在内"},
    ),
    "GET /leads/statistics": RouteEntry(**SESSION_OF_CASE),  # type: ignore[arg-type]
    "GET /leads/{lead_id}": RouteEntry(granted=404, **SESSION_OF_CASE),  # type: ignore[arg-type]
    "POST /leads/{lead_id}/steps": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, granted=404, body={"step": "close"}
    ),
    "GET /leads/{lead_id}/recommendation.docx": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, granted=404, query={"procuratorate": "合成检察院"}
    ),
    "GET /leads/{lead_id}/recommendation.pdf": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, granted=404, query={"procuratorate": "合成检察院"}
    ),
    "GET /metrics": RouteEntry(is_open=Open.TO_TOKENS, roles=frozenset({SYSTEM}), scope=Scope.METRICS_READ),
    "POST /subjects/{subject_id}/exports": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.CASE, body={"format": "csv"}, granted=403
    ),
    "GET /alerts/{alert_id}/evidence": RouteEntry(is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.ALERT),
    "POST /alerts/{alert_id}/evidence": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS, about=About.ALERT, granted=403
    ),
    "GET /exports": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=OFFICERS,
        shows=frozenset({Needle.ID, Needle.KEY, Needle.LOOK, Needle.EXPORT}),
    ),
    # Of nobody: sealing a case would end the scene. test_nobody_seals_a_case_that_is_not_theirs has the rest.
    "POST /subjects/{subject_id}/seal": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, body=A_SEALING, granted=404
    ),
    # Requests about the sealed: test_unsealing_is_asked_blindly_and_decided_by_leaders_of_the_case.
    "GET /unsealings": RouteEntry(is_open=Open.TO_SESSIONS, roles=SEALERS),
    "POST /unsealings": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=SEALERS, body=AN_UNSEALING | {"subject_id": str(UUID(int=7))}, granted=201
    ),
    "POST /unsealings/{request_id}/decision": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=LEADERS, about=About.UNSEALING, body={"is_approved": False}
    ),
    "GET /session/oidc": RouteEntry(is_open=Open.TO_ALL, granted=404),  # of a server without a provider
    "GET /session/oidc/callback": RouteEntry(
        is_open=Open.TO_ALL, query={"code": "x", "state": "x"}, granted=404
    ),
    "GET /g": RouteEntry(is_open=Open.TO_ALL),
    "GET /g/{token}": RouteEntry(is_open=Open.TO_ALL, granted=404),  # of nobody's link
    "POST /g": RouteEntry(is_open=Open.TO_ALL, granted=404),
    "GET /guardian.css": RouteEntry(is_open=Open.TO_ALL),
    "POST /callbacks/webhook": RouteEntry(is_open=Open.TO_ALL, body={}, granted=403),
    "POST /callbacks/{provider}/{kind}/{token}": RouteEntry(is_open=Open.TO_ALL, body={}, granted=404),
    "GET /audit/notices": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=AUDITORS, shows_accounts=True, query={"is_open": "false"}, shows_keys=True
    ),
    "POST /audit/notices/{notice_id}/review": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=AUDITORS, about=About.NOTICE, body={"remark": "合成复核意见"}, granted=204
    ),
    "GET /audit/entries": RouteEntry(
        is_open=Open.TO_SESSIONS, roles=AUDITORS, query={"most": "500"}, shows_keys=True, shows_accounts=True
    ),
}  # fmt: skip
