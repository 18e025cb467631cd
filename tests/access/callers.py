"""Everybody who may knock: every account in every state of its session, tokens of each scope, devices, strangers."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count

import httpx
from sqlalchemy import Connection, text

from api.access.gate import COOKIE, CSRF_HEADER
from api.access.roles import AccountRole, Scope
from api.access.sessions import SessionTimes, csrf_token_of, hash_session, open_session
from api.access.tokens import create_token
from api.devices import hash_token
from api.ids import new_id
from tests.access.matrix import Account, Scene, Team
from tests.api.live_server import NOW
from tests.make import EVENING, SECRET


class State(StrEnum):
    """How far a caller has proved who they are; of a session unless it says otherwise."""

    FULL = "full"
    HALF = "half"
    FIRST_PASSWORD = "first password"  # a word, no secret
    TOKEN = "token"
    DEVICE = "device"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Someone who makes requests. ``scopes``: what a token may be used for."""

    name: str
    state: State
    account: Account | None = None
    scopes: frozenset[Scope] = frozenset()
    session_id: str | None = None
    bearer: str | None = None

    @property
    def roles(self) -> frozenset[AccountRole]:
        return frozenset() if self.account is None else self.account.roles


@dataclass(kw_only=True)
class Door:
    """Makes requests as any caller, each from an address of its own, so that no limiter mixes them up."""

    client: httpx.Client
    scene: Scene
    addresses: Iterator[int] = field(default_factory=count)

    def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        with_csrf: bool = True,
        json: object = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request with what the caller has."""
        number = next(self.addresses)
        sent = {"X-Forwarded-For": f"198.{18 + number // 62_500 % 2}.{number // 250 % 250}.{number % 250 + 1}"}
        if caller.bearer is not None:
            sent["Authorization"] = f"Bearer {caller.bearer}"
        if caller.session_id is not None:
            sent["Cookie"] = f"{COOKIE}={caller.session_id}"
            if with_csrf:
                sent[CSRF_HEADER] = csrf_token_of(caller.session_id, SECRET)
        answer = self.client.request(method, path, headers=sent | (headers or {}), json=json, params=params)
        self.client.cookies.clear()
        return answer

    def renewed(self, caller: Caller) -> Caller:
        """The same caller with a new session, if they had one that was good."""
        if caller.account is None or caller.state not in {State.FULL, State.HALF, State.FIRST_PASSWORD}:
            return caller
        with self.scene.engine.begin() as connection:
            return _in_session(connection, caller.name, caller.account, caller.state)


def make_callers(connection: Connection, scene: Scene) -> list[Caller]:
    """All of them. Sessions are opened as a log-in opens them, without hashing a password for each."""
    callers = [Caller(name="anonymous", state=State.UNKNOWN)]
    for name, account in scene.accounts.items():
        if name == "scapegoat":
            continue
        state = State.FULL
        if name in {"without second factor", "with first password"}:
            state = State.HALF if name == "without second factor" else State.FIRST_PASSWORD
        if account.is_out:
            state = State.UNKNOWN
        callers.append(_in_session(connection, name, account, state))
    leader = scene.accounts["leader of district"]
    callers.append(_in_session(connection, "half session", leader, State.HALF))
    callers += _ended_sessions(connection, leader)
    callers += _tokens(connection, scene)
    callers += _devices(connection, scene)
    return callers


def _in_session(connection: Connection, name: str, account: Account, state: State) -> Caller:
    session_id = open_session(
        connection, account.account_no, is_full=state is not State.HALF, secret=SECRET, times=SessionTimes(), now=NOW
    )
    return Caller(name=name, state=state, account=account, session_id=session_id)


def _ended_sessions(connection: Connection, account: Account) -> Iterator[Caller]:
    changes = {
        "logged out": "revoked_at = :now",
        "idle too long": "seen_at = :now - interval '31 minutes'",
        "session too old": "ends_at = :now",
    }
    for name, change in changes.items():
        caller = _in_session(connection, name, account, State.UNKNOWN)
        assert caller.session_id is not None
        connection.execute(
            text(f"UPDATE account_session SET {change} WHERE session_hash = :hash"),
            {"now": NOW, "hash": hash_session(caller.session_id, SECRET)},
        )
        yield caller
    yield Caller(name="made-up session", state=State.UNKNOWN, session_id="A" * 43)


def _tokens(connection: Connection, scene: Scene) -> Iterator[Caller]:
    accounts = scene.accounts
    good = (
        ("leader of district", frozenset({Scope.CASES_READ})),
        ("leader of district", frozenset({Scope.VENUES_READ})),
        ("prosecutor of district", frozenset({Scope.CASES_READ, Scope.VENUES_READ})),
        ("police of elsewhere", frozenset({Scope.CASES_READ})),
        ("security_administrator", frozenset({Scope.ACCOUNTS_READ})),
        ("system_administrator", frozenset({Scope.ACCOUNTS_READ})),
        ("system_administrator", frozenset({Scope.METRICS_READ})),
    )
    for name, scopes in good:
        yield _with_token(
            connection, f"{'+'.join(sorted(scopes))} token of {name}", accounts[name], scopes, State.TOKEN
        )
    leader, both = accounts["leader of district"], frozenset({Scope.CASES_READ})
    # Scopes that the roles of the account do not allow (any more) count for nothing.
    for name, account, scope in (
        ("token beyond an officer's roles", leader, Scope.ACCOUNTS_READ),
        ("token beyond an administrator's", accounts["audit_administrator"], Scope.CASES_READ),
    ):
        caller = _with_token(connection, name, account, frozenset({scope}), State.TOKEN)
        yield replace(caller, scopes=frozenset())
    for name, change in (("expired token", "expires_at = :now"), ("revoked token", "revoked_at = :now")):
        yield _with_token(connection, name, leader, both, State.UNKNOWN)
        _change_token(connection, name, change, now=NOW)
    yield _with_token(connection, "token of a disabled account", accounts["disabled"], both, State.UNKNOWN)
    yield Caller(name="made-up token", state=State.UNKNOWN, bearer="hulan_" + "A" * 43)


def _with_token(connection: Connection, name: str, account: Account, scopes: frozenset[Scope], state: State) -> Caller:
    _, token = create_token(
        connection,
        account.account_no,
        label=name,
        scopes=sorted(scopes),
        roles=frozenset(AccountRole),
        life=timedelta(days=9),
        secret=SECRET,
        now=EVENING,
    )
    return Caller(name=name, state=state, account=account, scopes=scopes, bearer=token)


def _change_token(connection: Connection, label: str, change: str, **values: str | datetime) -> None:
    done = connection.execute(text(f"UPDATE api_token SET {change} WHERE label = :label"), {"label": label, **values})
    assert done.rowcount == 1


def _devices(connection: Connection, scene: Scene) -> Iterator[Caller]:
    case = scene.cases[f"district {Team.ALL}"]
    yield Caller(name="device", state=State.DEVICE, bearer=case.person.token)
    token = "a revoked device of the tests"  # of nobody
    connection.execute(
        text("INSERT INTO device (device_id, subject_no, token_hash, revoked_at) VALUES (:id, :no, :hash, :now)"),
        {"id": new_id(), "no": case.person.subject_no, "hash": hash_token(token, SECRET), "now": EVENING},
    )
    yield Caller(name="revoked device", state=State.UNKNOWN, bearer=token)
