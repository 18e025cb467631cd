"""Officers' work from the outside: the command line as an account, and the web."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from api.access.accounts import join_case
from api.access.roles import AccountRole
from api.cli.whole import app as command_line
from tests.access.people import a_browser, an_official
from tests.api.casework_scene import DAY, NOW, Office, a_case, two_departures
from tests.make import EVENING, KEYRING_PATH


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, a_case())


def command(words: Sequence[str], folder: Path, database_url: str) -> Result:
    environment = {
        "HULAN_DATA_DIR": str(folder), "HULAN_KEYRING": str(KEYRING_PATH), "HULAN_DATABASE_URL": database_url,
        "HULAN_SECRET_KEY": "a secret only of this test",
    }  # fmt: skip
    result = CliRunner().invoke(command_line, list(words), env=environment)
    structlog.reset_defaults()  # the command's log went to a stream that is closed now
    return result


def test_the_command_line_acts_as_an_account(office: Office, tmp_path: Path, database_url: str) -> None:
    def hulan(*words: str) -> str:
        return command(words, tmp_path, database_url).output

    assert "合成〔2026〕1号" in hulan("order", "list", "O-1", "--by", "o0")
    assert "没有这一项" in hulan("order", "list", "O-1", "--by", "stranger")
    assert "不得离开规定区域" in hulan("order", "show", str(office.order_id), "--by", "o1")
    since, until = f"{NOW + DAY:%Y-%m-%d}", f"{NOW + 3 * DAY:%Y-%m-%d}"
    asked = hulan(
        "leave", "ask", "O-1", "--by", "o2", "--order", str(office.order_id), "--reason", "就医",
        "--destination", "外地", "--contact", "x", "--since", since, "--until", until, "--urgent",
    ).strip()  # fmt: skip
    listed = hulan("leave", "list", "--by", "o1")
    assert "紧急，待答复" in listed
    assert "还须答复 still to answer：人民检察院、公安机关" in listed
    assert hulan("leave", "answer", asked, "--by", "o1", "--approve", "--remark", "同意").split()[-1] == "urgent"
    assert hulan("leave", "answer", asked, "--by", "o0", "--approve", "--remark", "同意").split()[-1] == "approved"
    assert hulan("leave", "list", "--by", "o1").strip() == "没有待答复的外出申请 no leave waits"
    assert "没有这一项" in hulan("leave", "answer", asked, "--by", "o3", "--approve", "--remark", "同意")
    assert asked in hulan("leave", "list", "O-1", "--by", "o3")
    assert hulan("leave", "close", asked, "cancelled", "--by", "o2").split()[-1] == "cancelled"
    granted = hulan(
        "exemption", "grant", "O-1", "--by", "o3", "--kind", "home", "--reason", "住在楼上", "--since", since,
        "--until", until, "--longitude", "117.2", "--latitude", "34.26", "--radius-m", "20",
    ).strip()  # fmt: skip
    assert granted in hulan("exemption", "list", "O-1", "--by", "o3")
    assert "已撤销" in hulan("exemption", "revoke", granted, "--by", "o3")
    assert "已认定 0 次" in hulan("suspected", "departures", "O-1", "--by", "o0")
    assert '"confirmed_count": 0' in hulan("suspected", "departures", "O-1", "--by", "o0", "--json")
    assert "没有疑似违规" in hulan("suspected", "list", "O-1", "--by", "o0")
    assert "没有待办" in hulan("task", "list", "--by", "o0")
    assert "已解除" in hulan("order", "lift", str(office.order_id), "--document", "合成解〔2026〕1号", "--by", "o0")


def test_the_web_asks_answers_and_decides(engine: Engine, database_url: str) -> None:
    office = two_departures(engine, a_case(valid_from=EVENING - 10 * DAY, valid_to=EVENING + 340 * DAY))
    assert office.done.doubts == ()
    with engine.begin() as connection:
        official = an_official(connection, "web", AccountRole.POLICE)
        join_case(connection, office.no, official.account_no, now=EVENING)
    subject = f"/subjects/{office.done.subject_id}"
    with a_browser(database_url) as browser:
        browser.log_in(official)
        orders = browser.ask("GET", f"{subject}/orders").json()["orders"]
        assert orders[0]["conditions"][0]["zh"] == "不得离开规定区域。"
        assert len(browser.ask("GET", f"/orders/{office.order_id}").json()["versions"]) == 1
        found = browser.ask("GET", f"{subject}/suspected").json()["suspected"]
        for number, item in enumerate(found):
            body = {"outcome": "confirmed", "reason": "seen_on_site"} if number else DISMISSED
            decided = browser.ask("POST", f"/violations/{item['violation_id']}/decision", json=body)
            assert decided.status_code == 201, decided.text
        wrong = browser.ask("POST", f"/violations/{found[0]['violation_id']}/decision",
                            json=DISMISSED | {"outcome": "confirmed"})  # fmt: skip
        assert wrong.status_code == 422
        (count,) = browser.ask("GET", f"{subject}/departures").json()["departures"]
        assert (count["confirmed_count"], count["basis"][0]["confirmed_by"]) == (1, "合成人员")
        leave = {
            "order_id": str(office.order_id), "reason": "就医", "destination": "外地", "route": "高速",
            "transport": "汽车", "contact": "x", "from_at": (NOW + DAY).isoformat(),
            "to_at": (NOW + 2 * DAY).isoformat(),
            "geometry": {"type": "Point", "coordinates": [118.0, 34.0]}, "radius_m": 5000,
        }  # fmt: skip
        asked = browser.ask("POST", f"{subject}/leaves", json=leave)
        assert asked.status_code == 201, asked.text
        assert browser.ask("POST", f"{subject}/leaves", json=leave | {"route": ""}).status_code == 422
        answered = browser.ask(
            "POST", f"/leaves/{asked.json()['leave_id']}/answer", json={"is_approved": True, "remark": "同意"}
        )
        assert answered.json()["state"] == "requested", "the procuratorate decided: it must agree too"
        assert [item["state"] for item in browser.ask("GET", "/leaves").json()["leaves"]] == ["requested"]
        assert browser.ask("GET", "/tasks").json() == {"tasks": [], "reminders": []}
        lifted = browser.ask("POST", f"/orders/{office.order_id}/lift", json={"document_number": "合成解〔2026〕1号"})
        assert lifted.status_code == 200
        assert browser.ask("POST", f"/findings/{uuid4()}/decision", json=DISMISSED).status_code == 404


DISMISSED = {"outcome": "dismissed", "reason": "position_error"}
