"""Every route × every caller × every case, over real HTTP: the answer is the expected one, and nothing leaks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO
from uuid import UUID
from zipfile import ZipFile

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.access.caller import as_account
from api.access.policy import policies_of
from api.access.roles import OFFICERS, AccountRole
from api.app import create_app
from api.clock import FixedClock
from api.database import open_engine
from api.look_policy import LookWish, Purpose, SightKind
from api.looks import ask_look
from api.records.sealing import Basis
from api.records.unsealing import ask_unsealing
from tests.access.callers import Caller, Door, State, make_callers
from tests.access.matrix import Account, Case, Needle, Scene, Team, Thing, a_database, line_of, make_scene, may_see
from tests.access.routes import A_SEALING, AN_UNSEALING, ROUTES, About, Open, RouteEntry
from tests.api.live_server import NOW, running_server
from tests.evidence.scene import PACKING
from tests.make import EVENING, KEYRING, SECRET

IGNORED_HEADERS = {"date", "server", "set-cookie", "x-request-id", "retry-after"}
"""What may differ between two answers that tell the same."""

FORGERIES: tuple[tuple[dict[str, str], bool], ...] = (
    ({}, False),
    ({"X-CSRF-Token": "A" * 64}, False),
    ({"Sec-Fetch-Site": "cross-site"}, True),
)
"""Headers of a request that another site made, and whether it has the token of the session."""

OF_ROWS = {Needle.KEY, Needle.LOOK, Needle.EXPORT}
"""Ids of rows, which entries of the audit and notices name."""

OF_CASES = {About(str(thing)) for thing in Thing}

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The scene behind its door, and everybody who knocks."""

    scene: Scene
    door: Door
    callers: list[Caller]

    def named(self, name: str) -> Caller:
        return next(caller for caller in self.callers if caller.name == name)


@pytest.fixture(scope="module")
def office(cluster_url: str) -> Iterator[Office]:
    with a_database(cluster_url, "matrix_http") as url:
        engine = open_engine(url)
        try:
            scene = make_scene(engine, url)
            with engine.begin() as connection:
                callers = make_callers(connection, scene)
            with running_server(url, clock=FixedClock(NOW), packing=PACKING) as client:
                yield Office(scene=scene, door=Door(client=client, scene=scene), callers=callers)
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def app(office: Office) -> FastAPI:
    return create_app(engine=office.scene.engine, secret=SECRET, keyring=KEYRING, clock=FixedClock(NOW))


# ---- the table


def test_every_route_has_an_entry_and_every_entry_a_route(app: FastAPI) -> None:
    assert set(ROUTES) == set(policies_of(app)), (
        "add the route to tests/access/routes.py: who may call it, what it shows"
    )


def test_the_scene_has_something_to_leak(office: Office) -> None:
    scene = office.scene
    assert len(scene.cases) >= 14
    assert len(office.callers) >= 45
    seen = {name: scene.seen_by(account) for name, account in scene.accounts.items()}
    assert seen["leader of city"] == {name for name, case in scene.cases.items() if not case.is_sealed and case.place
                                      in {"city", "district", "sibling", "town"}}  # fmt: skip
    assert seen["police of district"] == {"district all", "town all"}
    assert seen["prosecutor of town"] == {"town all"}
    assert seen["supervisor of None"] == seen["audit_administrator"] == seen["no role"] == set()
    assert all(any(name in cases for cases in seen.values()) for name, case in scene.cases.items()
               if case.place is not None and not case.is_sealed)  # fmt: skip


# ---- every route


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_route_answers_each_caller_about_each_target_as_it_must(office: Office, route: str) -> None:
    entry, wrong, asked = ROUTES[route], [], 0
    for caller in office.callers:
        missing = ask(office, caller, route, entry, target=None)
        if entry.about is not About.NOTHING and missing.status_code != (entry.status_for(caller) or 404):
            wrong.append(f"{caller.name} → missing: {missing.status_code}")
        for name, target in targets(office, caller, entry).items():
            answer = ask(office, caller, route, entry, target=target)
            asked += 1
            may_see = target is None or is_theirs(office, caller, entry, name)
            expected = entry.status_for(caller) or (entry.answer_to(caller) if may_see else 404)
            if answer.status_code != expected:
                wrong.append(f"{caller.name} → {name}: {answer.status_code}, not {expected}: {answer.text[:200]}")
            elif not may_see and told(answer) != told(missing):
                wrong.append(f"{caller.name} → {name}: tells that it exists")
            wrong += [f"{caller.name} → {name}: shows {leak}" for leak in leaks(office, caller, entry, answer, name)]
    assert wrong == [], f"{len(wrong)} of {asked}"


def targets(office: Office, caller: Caller, entry: RouteEntry) -> Mapping[str, str | None]:
    """What the path may name, by its name. Callers who never come so far try three cases only."""
    if entry.about not in OF_CASES:
        return other_targets(office.scene, entry.about)
    scene = office.scene
    names = list(scene.cases)
    if entry.status_for(caller) is not None:
        names = ["district all", "elsewhere none", "sealed"]
    ids = {name: scene.cases[name] for name in names}
    if entry.is_of_others:
        ids = {name: case for name, case in ids.items() if name not in scene.seen_by(caller.account)}
    return {name: str(case.things[entry.about]) for name, case in ids.items()}


def other_targets(scene: Scene, about: About) -> Mapping[str, str | None]:
    """What a path may name that is no case and no alert."""
    match about:
        case About.ACCOUNT:
            return {"scapegoat": str(scene.accounts["scapegoat"].account_id)}
        case About.TOKEN:
            return {"another's token": another_token(scene)}
        case About.LOOK:
            return {"another's look": str(another_look(scene)), "sealed": str(scene.cases["sealed"].look_id)}
        case About.NOTICE:
            return {name: str(scene.cases[name].notice_id) for name in ("elsewhere none", "sealed")}
        case About.UNSEALING:
            return {"sealed": str(an_unsealing(scene))}
    return {"-": None}


def is_theirs(office: Office, caller: Caller, entry: RouteEntry, name: str) -> bool:
    """Whether a target is there for this caller."""
    if entry.about is About.ACCOUNT:
        return True
    if entry.about is About.LOOK:
        return caller.name == "leader of elsewhere" and name != "sealed"  # who asked, and may not decide
    if entry.about is About.NOTICE:
        return name != "sealed"
    if entry.about is About.UNSEALING:
        return caller.account is not None and may_decide(caller.account)
    return entry.about in OF_CASES and name in office.scene.seen_by(caller.account)


def ask(office: Office, caller: Caller, route: str, entry: RouteEntry, *, target: str | None) -> httpx.Response:
    method, path = route.split(" ")
    path = re.sub(r"\{\w+\}", target or str(office.scene.missing_id), path)
    if method not in {"GET", "HEAD"}:
        caller = office.door.renewed(caller)  # the request may end the session
    return office.door.ask(caller, method, path, json=entry.body, params=entry.query)


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """All that an answer tells."""
    return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in IGNORED_HEADERS}


def leaks(office: Office, caller: Caller, entry: RouteEntry, answer: httpx.Response, target: str) -> list[str]:
    """Names of what the answer holds and this caller must not be shown."""
    content = answer.text + "\n" + str(answer.headers)
    theirs = office.scene.seen_by(caller.account) if answer.is_success else set()
    if entry.about in OF_CASES:
        theirs &= {target}
    found = [
        f"{kind} of case {case.name}"
        for case in office.scene.cases.values()
        for kind in Needle
        if any(needle in content for needle in case.needles[kind])
        and not (case.name in theirs and kind in entry.shows)
        and not (kind in OF_ROWS and entry.shows_keys and answer.is_success and not case.is_sealed)
    ]
    if entry.shows_accounts and answer.is_success:
        return found
    return found + [
        f"account {account.name}"
        for account in office.scene.accounts.values()
        if account is not caller.account and any(needle in content for needle in account.needles)
    ]


def another_token(scene: Scene) -> str:
    """The id of a token of an account that no caller is."""
    with scene.engine.connect() as connection:
        return str(connection.exec_driver_sql("SELECT token_id FROM api_token WHERE label = 'revoked token'").scalar())


def another_look(scene: Scene, kind: SightKind = SightKind.TRACK, *, is_approved: bool = False) -> UUID:
    """The id of a look at a case elsewhere, asked for by the only leader who could decide it."""
    case, asker = scene.cases["elsewhere none"], scene.accounts["leader of elsewhere"]
    has_span = kind is not SightKind.PERSON
    with as_account(scene.engine, asker.account_id) as connection:
        wish = LookWish(
            kind=kind,
            purpose_code=Purpose.REVIEW_ALERT,
            from_at=EVENING - timedelta(days=3) if has_span else None,
            to_at=NOW if has_span else None,
        )
        look_id = ask_look(connection, wish, subject_no=case.person.subject_no).look_id
    if is_approved:
        with scene.engine.begin() as connection:
            connection.execute(
                text("UPDATE look SET needs_approval = true, is_approved = true, decided_by = :by, decided_at = now()"
                     " WHERE look_id = :id"),
                {"id": look_id, "by": scene.accounts["leader of city"].account_no},
            )  # fmt: skip
    return look_id


def an_unsealing(scene: Scene) -> UUID:
    """The id of a request to open the sealed case, by an officer who was on its team."""
    return ask_unsealing(
        scene.engine,
        account_id=scene.accounts["prosecutor of district"].account_id,
        subject_id=scene.cases["sealed"].subject_id,
        basis=Basis(**AN_UNSEALING),
        now=NOW,
    )


def may_decide(account: Account) -> bool:
    """Whether an account may open the sealed case, which belongs to the district."""
    is_leader = AccountRole.LEADER in account.roles and account.place in line_of("district")
    return is_leader and not account.is_out


# ---- with a look in hand


LOOKED_AT = {
    SightKind.TRACK: ("GET", "/subjects/{subject_id}/track", None),
    SightKind.PERSON: ("GET", "/subjects/{subject_id}/person", None),
    SightKind.EXPORT: ("POST", "/subjects/{subject_id}/exports", {"format": "csv"}),
    SightKind.EVIDENCE: ("POST", "/alerts/{alert_id}/evidence", None),
}
"""Kind of look → what it opens."""


@pytest.mark.parametrize("kind", LOOKED_AT)
def test_a_look_opens_its_case_to_who_asked_and_nothing_to_anybody_else(office: Office, kind: SightKind) -> None:
    """With another's open look in hand, nobody is shown more than without it; nor does it open any other case."""
    look_id = another_look(office.scene, kind, is_approved=True)
    method, route, body = LOOKED_AT[kind]
    entry, asker = ROUTES[f"{method} {route}"], office.named("leader of elsewhere")

    def look(caller: Caller, name: str) -> httpx.Response:
        case = office.scene.cases[name]
        path = route.format(subject_id=case.subject_id, alert_id=case.alert_id)
        return office.door.ask(caller, method, path, headers={"X-Look": str(look_id)}, json=body)

    shown = look(asker, "elsewhere none")
    assert shown.status_code == 200, shown.text
    told = content_of(shown)
    needles = office.scene.cases["elsewhere none"].needles
    opened = [needle for needle in (*needles[Needle.PLACE], *needles[Needle.PERSON]) if needle in told]
    assert opened, "nothing was opened: this test shows nothing"
    for case in office.scene.cases.values():
        if case.name != "elsewhere none":
            assert not [needle for kind in Needle for needle in case.needles[kind] if needle in told], case.name
            answer = look(asker, case.name)
            assert answer.status_code == (403 if case.name in office.scene.seen_by(asker.account) else 404), case.name
    for caller in office.callers:
        for name in ("elsewhere none", "sealed"):
            if (caller.name, name) != ("leader of elsewhere", "elsewhere none"):
                answer = look(caller, name)
                assert answer.status_code in {401, 403, 404}, (caller.name, name)
                assert leaks(office, caller, entry, answer, name) == [], (caller.name, name)


def content_of(answer: httpx.Response) -> str:
    """What an answer holds, that of a ZIP as text."""
    if answer.headers["content-type"] != "application/zip":
        return answer.text
    with ZipFile(BytesIO(answer.content)) as pack:
        return "\n".join(pack.read(name).decode("utf-8", "replace") for name in pack.namelist())


def test_nobody_seals_a_case_that_is_not_theirs(office: Office) -> None:
    for caller in office.callers:
        if ROUTES["POST /subjects/{subject_id}/seal"].status_for(caller) is not None:
            continue
        told_of_missing = told(seal(office, caller, office.scene.missing_id))
        for name in office.scene.cases.keys() - office.scene.seen_by(caller.account):
            answer = seal(office, caller, office.scene.cases[name].subject_id)
            assert answer.status_code == 404, (caller.name, name)
            assert told(answer) == told_of_missing, (caller.name, name)
    with office.scene.engine.connect() as connection:
        sealed = connection.execute(text("SELECT subject_id FROM subject WHERE sealed_at IS NOT NULL")).scalars().all()
    assert sealed == [office.scene.cases["sealed"].subject_id]


def seal(office: Office, caller: Caller, subject_id: UUID) -> httpx.Response:
    return office.door.ask(caller, "POST", f"/subjects/{subject_id}/seal", json=A_SEALING)


def test_unsealing_is_asked_blindly_and_decided_by_leaders_of_the_case(office: Office) -> None:
    """Whoever may ask is told the same of a sealed case, an open one and none; its own leaders see what to decide."""
    sealed, request_id = office.scene.cases["sealed"], an_unsealing(office.scene)
    for caller in office.callers:
        listed = office.door.ask(caller, "GET", "/unsealings")
        if ROUTES["GET /unsealings"].status_for(caller) is not None:
            continue
        assert caller.account is not None
        waiting = {item["request_id"] for item in listed.json()["to_decide"]}
        assert (str(request_id) in waiting) == may_decide(caller.account), caller.name
        is_asker = caller.account is office.scene.accounts["prosecutor of district"]
        had_it = may_see(caller.account, replace(sealed, is_sealed=False))
        assert (str(sealed.subject_id) in listed.text) == (may_decide(caller.account) or is_asker), caller.name
        others = [needle for case in office.scene.cases.values() for kind in Needle for needle in case.needles[kind]
                  if needle != str(sealed.subject_id)]  # fmt: skip
        assert not [needle for needle in others if needle in listed.text], caller.name
        if had_it:  # whose request is real
            continue
        asked = (sealed.subject_id, office.scene.cases["elsewhere all"].subject_id, office.scene.missing_id)
        answers = [
            office.door.ask(caller, "POST", "/unsealings", json=AN_UNSEALING | {"subject_id": str(subject_id)})
            for subject_id in asked
        ]
        assert {(answer.status_code, tuple(answer.json())) for answer in answers} == {(201, ("request_id",))}
        now_waiting = office.door.ask(office.named("leader of city"), "GET", "/unsealings").json()["to_decide"]
        assert not {item["request_id"] for item in now_waiting} & {a.json()["request_id"] for a in answers}, caller.name


# ---- ways around


def test_lists_show_each_caller_all_that_is_theirs(office: Office) -> None:
    for caller in office.callers:
        if ROUTES["GET /subjects"].status_for(caller) is not None:
            continue
        listed = office.door.ask(caller, "GET", "/subjects").json()["subjects"]
        theirs = {str(office.scene.cases[name].subject_id) for name in office.scene.seen_by(caller.account)}
        assert set(listed) == theirs, caller.name
        assert len(listed) == len(theirs), caller.name


def test_no_unsafe_route_takes_a_session_without_its_csrf_token(office: Office) -> None:
    leader = office.named("two roles")
    for route, entry in ROUTES.items():
        method, path = route.split(" ")
        takes_none = entry.is_open is Open.TO_ALL or entry.status_for(leader) == 401
        if method in {"GET", "HEAD"} or takes_none or path == "/session":
            continue
        path = re.sub(r"\{\w+\}", str(office.scene.missing_id), path)
        for headers, with_csrf in (
            ({}, False),
            ({"X-CSRF-Token": "A" * 64}, False),
            ({"Sec-Fetch-Site": "cross-site"}, True),
        ):
            answer = office.door.ask(leader, method, path, headers=headers, with_csrf=with_csrf, json=entry.body)
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), (route, headers)


def test_other_methods_and_spellings_of_a_path_give_nothing(office: Office) -> None:
    """A leader who sees the case: what is answered does not depend on an oversight of the policies."""
    leader, case, stranger = (
        office.named("leader of city"),
        office.scene.cases["district all"],
        office.named("anonymous"),
    )
    paths: dict[str, set[str]] = {}
    for route in ROUTES:
        method, path = route.split(" ")
        paths.setdefault(re.sub(r"\{\w+\}", str(case.subject_id), path), set()).add(method)
    for path, methods in paths.items():
        for method in METHODS - methods:
            answer = office.door.ask(leader, method, path)
            assert answer.status_code in {404, 405}, (method, path)
        for spelling in (f"{path}/", f"/{path}", path.upper(), f"{path}%2e", f"{path}/.."):
            answers = [
                office.door.ask(caller, "GET", spelled)
                for caller in (leader, stranger)
                for spelled in (spelling.replace(str(case.subject_id), str(office.scene.missing_id)), spelling)
            ]
            assert {answer.status_code for answer in answers} <= {200, 307, 401, 403, 404, 405, 422}, spelling
            about_missing, about_case = (answer.text for answer in answers[2:])
            assert about_case.replace(str(case.subject_id), str(office.scene.missing_id)) == about_missing, spelling


def test_two_proofs_at_once_never_add_up(office: Office) -> None:
    """A token beside a cookie: the token alone counts, whatever the cookie could do."""
    leader, token = office.named("leader of district"), office.named("venues:read token of leader of district")
    both = Caller(
        name="both", state=State.TOKEN, account=leader.account, session_id=leader.session_id, bearer=token.bearer
    )
    case = office.scene.cases["district all"]
    assert office.door.ask(leader, "GET", f"/subjects/{case.subject_id}").status_code == 200
    assert office.door.ask(both, "GET", f"/subjects/{case.subject_id}").status_code == 403
    with_garbage = Caller(name="g", state=State.UNKNOWN, session_id=leader.session_id, bearer="garbage")
    assert office.door.ask(with_garbage, "GET", f"/subjects/{case.subject_id}").status_code == 401


def test_the_schema_that_anyone_may_read_holds_no_data(office: Office) -> None:
    answer = office.door.ask(office.named("anonymous"), "GET", "/openapi.json")
    assert answer.status_code == 200
    assert leaks(office, office.named("anonymous"), ROUTES["GET /health"], answer, "-") == []


def test_leaks_would_be_found(office: Office) -> None:
    """The search itself: planted in an answer, every kind of needle of every case is found."""
    caller, entry = office.named("police of elsewhere"), ROUTES["GET /subjects"]
    for case in office.scene.cases.values():
        for kind in Needle:
            for needle in case.needles[kind]:
                planted = httpx.Response(200, text=f'{{"x": "…{needle}…"}}')
                found = leaks(office, caller, entry, planted, "-")
                is_shown = case.name in office.scene.seen_by(caller.account) and kind in entry.shows
                assert found == ([] if is_shown else [f"{kind} of case {case.name}"]), needle


def test_officers_of_every_role_and_place_are_among_the_callers(office: Office) -> None:
    full = [caller for caller in office.callers if caller.state is State.FULL and caller.account is not None]
    for role in OFFICERS:
        assert len({c.account.place for c in full if c.account is not None and c.roles == {role}}) == 6
    assert {case.team for case in office.scene.cases.values()} == set(Team)
    assert isinstance(next(iter(office.scene.cases.values())), Case)
