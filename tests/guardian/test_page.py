"""The guardian's page over HTTP: what opens it, what each answer does in the database, and what nobody can tell."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from alerts.answer import Answer
from alerts.channel import Channel
from alerts.link import NO_CODE, LinkPolicy, link_id_for, token_for
from api.clock import FixedClock
from api.ids import new_id
from tests.api.live_server import running_server
from tests.golden_files import assert_golden
from tests.guardian.link_scene import KEY, NOW, Scene, a_scene, told_with_code, wrong_codes
from tests.make import BAR_LATITUDE, EVENING

POLICY = LinkPolicy()
TRIES = 10_000


@pytest.fixture
def scene(engine: Engine, database_url: str) -> Iterator[Scene]:
    with a_scene(engine, database_url) as scene:
        yield scene


# ---- the code


def test_the_database_holds_no_code(engine: Engine) -> None:
    _, _, message = told_with_code(engine)
    code = dict(message.variables)["code"]
    assert code != NO_CODE and message.text == f"合成消息。反馈码{code}。"
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
                                         " AND relnamespace = 'public'::regnamespace")).scalars()  # fmt: skip
        for table in tables:
            found = connection.execute(text(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE :code'),
                                       {"code": f"%{code}%"})  # fmt: skip
            assert found.scalar_one() == 0, table


def test_an_email_has_the_link_too(engine: Engine) -> None:
    _, _, message = told_with_code(engine, channels=(Channel.EMAIL,), public_url="https://hulan.example")
    token = token_for(link_id_for(message.idempotency_key, key=KEY), key=KEY)
    assert f"https://hulan.example/g/{token}\n" in message.text


def test_a_code_opens_its_page_however_it_is_typed(scene: Scene) -> None:
    code = scene.code.lower()
    for typed in (
        code,
        f" {code[:4]} {code[4:]} ",
        f"{code[:4]}-{code[4:]}",
        "".join(chr(ord(c) + 0xFEE0) for c in code),
    ):
        page = scene.post(typed)
        assert page.status_code == 200
        assert "22时00分" in page.text and "已带离" in page.text


def test_the_page_says_no_more_than_the_message(scene: Scene) -> None:
    page = scene.post(scene.code).text
    assert "疑似进入未成年人禁入区域" in page and "may have entered" in page
    for word in (
        "酒吧",
        "bar",
        "案",
        "盗窃",
        str(scene.person.subject_id),
        scene.message.address,
        "合成联系人",
        "<svg",
    ):
        assert word not in page.replace("办案", ""), word


def test_headers_keep_it_out_of_caches_search_engines_and_referrers(scene: Scene) -> None:
    for answer in (scene.client.get("/g"), scene.post(scene.code), scene.client.get(f"/g/{scene.token}")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert "<script" not in answer.text and "style=" not in answer.text and "set-cookie" not in answer.headers


def test_a_link_of_an_email_opens_the_same_page_and_answers_nothing_by_itself(scene: Scene) -> None:
    assert scene.client.get(f"/g/{scene.token}").status_code == 200
    assert scene.history() == []
    assert scene.post(scene.token, "taken_away").status_code == 200
    assert scene.alert()[0] == "acknowledged"


def test_a_changed_token_opens_nothing(scene: Scene) -> None:
    last = "A" if scene.token[-3] != "A" else "B"
    assert scene.client.get(f"/g/{scene.token[:-3]}{last}{scene.token[-2:]}").status_code == 404


# ---- what nobody can tell


def test_unknown_over_used_taken_back_blocked_and_sealed_are_one_answer(scene: Scene) -> None:
    unknown = scene.post(wrong_codes(1)[0])
    assert unknown.status_code == 404

    def told() -> tuple[int, bytes, dict[str, str]]:
        page = scene.post(scene.code)
        return page.status_code, page.content, {**page.headers, "date": "", "x-request-id": ""}

    constant = (404, unknown.content, {**unknown.headers, "date": "", "x-request-id": ""})
    for change, back in (
        ("UPDATE guardian_link SET revoked_at = now()", "UPDATE guardian_link SET revoked_at = NULL"),
        ("UPDATE recipient SET is_blocked = true", "UPDATE recipient SET is_blocked = false"),
        (
            "UPDATE notification SET tell_until = made_at - interval '1 year'",
            "UPDATE notification SET tell_until = NULL",
        ),
    ):
        run(scene, change)
        assert told() == constant, change
        run(scene, back)
    assert told()[0] == 200
    scene.clock.current = NOW + timedelta(hours=24)
    assert told() == constant, "over"
    scene.clock.current = NOW
    scene.post(scene.code, "cannot")
    scene.clock.current = NOW + POLICY.correct_within
    assert told() == constant, "used"


def run(scene: Scene, statement: str) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text(statement))


# ---- guessing


def test_ten_thousand_codes_open_nothing_and_are_throttled(scene: Scene) -> None:
    found: Counter[int] = Counter()
    for number, code in enumerate(wrong_codes(TRIES)):
        found[scene.post(code, address=f"198.{number % 200}.{number // 200}.1").status_code] += 1
    assert found == {404: POLICY.wrong_of_all, 429: TRIES - POLICY.wrong_of_all}
    assert scene.post(scene.code).status_code == 429, "codes are closed for all"
    assert scene.client.get(f"/g/{scene.token}").status_code == 200, "a link cannot be guessed, and stays open"
    scene.clock.current += POLICY.wrong_within
    assert scene.post(scene.code).status_code == 200


def test_one_address_gets_ten_tries_and_its_neighbours_still_have_theirs(scene: Scene) -> None:
    found = Counter(scene.post(code, address="203.0.113.9").status_code for code in wrong_codes(40))
    assert found == {404: POLICY.wrong_of_address, 429: 30}
    assert scene.post(scene.code, address="203.0.113.9").status_code == 429
    assert scene.post(scene.code, address="203.0.113.8").status_code == 200
    refused = scene.post(scene.code, address="203.0.113.9")
    assert refused.headers["retry-after"] == str(int(POLICY.wrong_within.total_seconds()))
    assert "尝试次数过多" in refused.text


def test_an_ipv6_network_is_one_address(scene: Scene) -> None:
    found = Counter(scene.post(code, address=f"2001:db8::{i:x}").status_code for i, code in enumerate(wrong_codes(12)))
    assert found == {404: POLICY.wrong_of_address, 429: 2}


def test_who_knows_the_code_is_never_counted(scene: Scene) -> None:
    assert {scene.post(scene.code).status_code for _ in range(3 * POLICY.wrong_of_address)} == {200}


# ---- what each answer does


EFFECTS = {
    Answer.TAKEN_AWAY: ("acknowledged", ["answered", "acknowledged"], [], False),
    Answer.ON_MY_WAY: ("open", ["answered"], [], False),
    Answer.CANNOT: ("open", ["answered"], [], False),
    Answer.NOT_MY_CHILD: ("open", ["answered"], ["wrong_recipient"], True),
}
"""State of the alert, entries, tasks, whether the recipient is told no more."""


@pytest.mark.parametrize("answer", Answer)
def test_an_answer_is_in_the_database_with_all_that_follows(scene: Scene, answer: Answer) -> None:
    page = scene.post(scene.code, answer)
    assert page.status_code == 200 and "已收到您的答复" in page.text
    state, entries, tasks, is_blocked = EFFECTS[answer]
    assert scene.alert() == (state, NOW if answer is Answer.TAKEN_AWAY else None)
    assert scene.history() == [(kind, "guardian", str(answer)) for kind in entries]
    assert scene.rows("SELECT kind FROM task") == [(kind,) for kind in tasks]
    assert scene.rows("SELECT is_blocked, blocked_for FROM recipient") == [
        (is_blocked, "not_the_child" if is_blocked else None)
    ]
    assert scene.rows("SELECT answer, answered_at FROM guardian_answer") == [(str(answer), NOW)]
    assert scene.rows("SELECT actor_id FROM alert_history LIMIT 1") == [(scene.mother,)]


def test_time_to_rescue_is_from_the_event_to_the_answer(scene: Scene) -> None:
    scene.post(scene.code, "on_my_way")
    scene.clock.current = NOW + timedelta(minutes=25)
    assert scene.post(scene.code, "taken_away").status_code == 200, "who was on the way answers again on arrival"
    assert scene.rows("SELECT settled_at - opened_at FROM alert") == [(NOW + timedelta(minutes=25) - EVENING,)]


def test_the_same_answer_twice_is_one(scene: Scene) -> None:
    scene.post(scene.code, "taken_away")
    scene.clock.current = NOW + timedelta(minutes=1)
    assert "已收到您的答复" in scene.post(scene.code, "taken_away").text
    assert len(scene.history()) == 2
    assert scene.alert() == ("acknowledged", NOW)


def test_taken_away_by_mistake_is_taken_back_and_escalation_starts_anew(scene: Scene) -> None:
    scene.post(scene.code, "taken_away")
    scene.clock.current = later = NOW + timedelta(minutes=9)
    scene.post(scene.code, "cannot")
    assert scene.alert() == ("open", None)
    assert scene.history()[2:] == [("reopened", "guardian", "answer_corrected"), ("answered", "guardian", "cannot")]
    assert scene.rows("SELECT kind, planned_at FROM escalation_step ORDER BY due_at") == [
        (kind, later) for kind in ("next_recipient", "voice_task", "duty_officer", "leader")
    ]


@pytest.mark.parametrize("said", ["taken_away", "cannot", "not_my_child"])
def test_who_is_on_the_way_after_all_answers_again_on_arrival(scene: Scene, said: str) -> None:
    scene.post(scene.code, said)
    scene.clock.current = NOW + timedelta(minutes=5)
    assert "已收到您的答复" in scene.post(scene.code, "on_my_way").text
    scene.clock.current = arrival = NOW + timedelta(minutes=40)
    assert scene.post(scene.code, "taken_away").status_code == 200
    assert scene.alert() == ("acknowledged", arrival)
    assert scene.rows("SELECT settled_at - opened_at FROM alert") == [(arrival - EVENING,)]
    scene.clock.current = arrival + POLICY.correct_within
    assert scene.post(scene.code).status_code == 404, "ended ten minutes after the answer that stands"


def test_what_an_officer_took_on_a_correction_leaves_alone(scene: Scene) -> None:
    scene.post(scene.code, "taken_away")
    run(scene, "UPDATE alert SET acknowledged_at = now() + interval '1 second'")
    scene.clock.current = NOW + timedelta(minutes=1)
    scene.post(scene.code, "on_my_way")
    assert scene.alert() == ("acknowledged", None)
    assert scene.rows("SELECT count(*) FROM escalation_step") == [(0,)]


def test_not_my_child_by_mistake_is_told_again(scene: Scene) -> None:
    scene.post(scene.code, "not_my_child")
    scene.clock.current = NOW + timedelta(minutes=2)
    assert scene.post(scene.code, "on_my_way").status_code == 200
    assert scene.rows("SELECT is_blocked, blocked_for FROM recipient") == [(False, None)]
    assert scene.rows("SELECT kind FROM task") == [("wrong_recipient",)], "an officer looks all the same"


def test_a_corrected_answer_lifts_no_suspects_block(scene: Scene) -> None:
    scene.post(scene.code, "not_my_child")
    run(scene, "UPDATE recipient SET blocked_for = 'suspect'")
    scene.clock.current = NOW + timedelta(minutes=2)
    assert scene.post(scene.code, "on_my_way").status_code == 404
    assert scene.rows("SELECT is_blocked, blocked_for, denied_at FROM recipient") == [(True, "suspect", NOW)]
    held = scene.rows("SELECT link_id FROM guardian_link")[0][0]
    assert answered(scene, held, "on_my_way", lifts_block=True), "an officer blocked while the page was judged"
    assert scene.rows("SELECT is_blocked, blocked_for, denied_at FROM recipient") == [(True, "suspect", None)]


def test_a_correction_lifts_its_own_block_and_not_that_of_another_link(scene: Scene) -> None:
    scene.post(scene.code, "not_my_child")
    first, second = scene.rows("SELECT link_id FROM guardian_link")[0][0], new_id()
    run(
        scene,
        "INSERT INTO guardian_link (link_id, alert_id, notification_id, recipient_id, subject_no, token_hash, made_at,"
        f" expires_at) SELECT '{second}', alert_id, notification_id, recipient_id, subject_no, 'x', made_at, expires_at"
        " FROM guardian_link",
    )
    scene.clock.current = NOW + timedelta(minutes=1)
    assert answered(scene, second, "not_my_child")
    assert answered(scene, first, "on_my_way", lifts_block=True)
    assert scene.rows("SELECT is_blocked, blocked_for FROM recipient") == [(True, "not_the_child")]
    assert answered(scene, second, "on_my_way", lifts_block=True)
    assert scene.rows("SELECT is_blocked, blocked_for FROM recipient") == [(False, None)]


def answered(scene: Scene, link_id: UUID, answer: str, *, lifts_block: bool = False) -> bool:
    """As ``api.guardian.answering`` calls it, a second later each time."""
    scene.clock.current += timedelta(seconds=1)
    with scene.engine.begin() as connection:
        done: bool = connection.execute(
            text(
                "SELECT answer_link(ROW(:id, :link, NULL, NULL, :answer, :at)::guardian_answer,"
                " jsonb_populate_record(NULL::alert, '{\"state\": \"open\"}'), :answer <> 'on_my_way',"
                " CASE :answer WHEN 'not_my_child' THEN 'not_the_child' END, :lifts, '[]', '[]', '[]')"
            ),
            {"id": new_id(), "link": link_id, "answer": answer, "at": scene.clock.current, "lifts": lifts_block},
        ).scalar_one()
    return done


def test_a_closed_alert_takes_no_answer(scene: Scene) -> None:
    run(scene, "UPDATE alert SET state = 'closed', closed_reason = 'handled'")
    page = scene.post(scene.code, "taken_away")
    assert page.status_code == 200 and "此事已处理完毕" in page.text
    assert (scene.history(), scene.rows("SELECT 1 FROM guardian_answer")) == ([], [])


@pytest.mark.parametrize(
    "body", [b"", b"code=", b"code=%FF%FE", b"&" * 50, b"code=" + b"7" * 5000, b"\x00\xff", b"answer=x"]
)
def test_what_is_no_form_opens_nothing(scene: Scene, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert scene.client.post("/g", content=body, headers=headers).status_code == 404


def test_an_unknown_answer_is_none(scene: Scene) -> None:
    assert scene.post(scene.code, "closed").status_code == 200
    assert scene.history() == []


def test_a_form_of_another_site_is_refused(scene: Scene) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = scene.client.post("/g", data={"code": scene.code, "answer": "cannot"}, headers=headers)
    assert (answer.status_code, scene.history()) == (403, [])


# ---- the circle


def test_the_circle_is_off_unless_the_office_wants_it_and_is_no_places_own(engine: Engine, database_url: str) -> None:
    with a_scene(engine, database_url) as scene:
        scene.add_violation()
        assert "<svg" not in scene.post(scene.code).text
    with running_server(database_url, clock=FixedClock(NOW), links=LinkPolicy(shows_circle=True)) as client:
        page = client.post("/g", data={"code": scene.code}).text
        assert "<svg" in page and "周围约 1 公里" in page
        assert f"{BAR_LATITUDE:.2f}°" in page and f"{BAR_LATITUDE:.4f}" not in page
        assert "合成酒吧" not in page


# ---- what people read


@pytest.mark.golden
def test_pages_are_as_recorded(scene: Scene) -> None:
    pages = {
        "entry": scene.client.get("/g").text,
        "wrong": scene.post(wrong_codes(1)[0]).text,
        "asked": scene.post(scene.code).text,
        "on_my_way": scene.post(scene.code, "on_my_way").text,
        "taken_away": scene.post(scene.code, "taken_away").text,
    }
    for name, page in pages.items():
        assert_golden(f"guardian_page/{name}.html", page.replace(scene.code, "7KQ3M8TX"))
