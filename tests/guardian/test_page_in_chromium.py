"""The guardian's page in a real browser at the width of a telephone: typed, pressed, and seen in the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine

from alerts.answer import ANSWERS, Answer
from alerts.link import LinkPolicy
from tests.guardian.link_scene import NOW, Scene, a_scene

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", "--disable-background-networking"]
SHOTS = os.environ.get("HULAN_SHOTS")
"""A folder for screenshots, to look at."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture
def scene(engine: Engine, database_url: str) -> Iterator[Scene]:
    with a_scene(engine, database_url) as scene:
        yield scene


@contextmanager
def a_page(scene: Scene, *, width: int = 375, is_dark: bool = False, path: str = "/g") -> Iterator[Page]:
    """A telephone without JavaScript; whatever the page complains of fails the test."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = chromium.new_context(
            viewport={"width": width, "height": 812},
            java_script_enabled=False,
            color_scheme="dark" if is_dark else "light",
            is_mobile=True,
            has_touch=True,
            device_scale_factor=2,
        )
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(f"{scene.client.base_url}{path}".replace("//g", "/g"))
        yield page
        chromium.close()
    assert [said for said in complaints if "favicon" not in said and "404" not in said] == []


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def type_code(page: Page, code: str) -> None:
    page.get_by_label("短信末尾的 8 位反馈码").fill(code)
    page.get_by_role("button", name="继续").press("Enter")


def fits(page: Page, width: int) -> bool:
    """Nothing reaches beyond the screen. Measured from outside: the page runs no script."""
    boxes = [item.bounding_box() for item in page.locator("main *:visible").all()]
    return all(box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5) for box in boxes)


@pytest.mark.parametrize("answer", Answer)
def test_each_button_is_pressed_and_seen_in_the_database(scene: Scene, answer: Answer) -> None:
    with a_page(scene) as page:
        shoot(page, "entry")
        type_code(page, scene.code.lower())
        shoot(page, "link")
        assert page.get_by_role("button").count() == 4
        for button in page.get_by_role("button").all():
            box = button.bounding_box()
            assert box is not None and box["height"] >= 48
        page.get_by_role("button", name=ANSWERS[answer].zh).tap()
        assert ANSWERS[answer].zh in page.get_by_role("status").inner_text()
        shoot(page, f"answered-{answer}")
        assert page.url == f"{scene.client.base_url}/g".replace("//g", "/g"), "the code stands in no address"
        assert fits(page, 375)
    assert scene.rows("SELECT answer, answered_at FROM guardian_answer") == [(str(answer), NOW)]
    assert scene.history()[0] == ("answered", "guardian", str(answer))
    assert scene.alert()[0] == ("acknowledged" if answer is Answer.TAKEN_AWAY else "open")


def test_a_wrong_code_is_said_on_the_page_to_screen_readers_too(scene: Scene) -> None:
    with a_page(scene, width=320, is_dark=True) as page:
        assert fits(page, 320)
        type_code(page, "22223333")
        shoot(page, "wrong-320-dark")
        assert "反馈码不正确、已过期或已使用" in page.get_by_role("alert").inner_text()
        field = page.get_by_label("短信末尾的 8 位反馈码")
        assert field.get_attribute("aria-invalid") == "true"
        assert "problem" in (field.get_attribute("aria-describedby") or "")
        assert fits(page, 320)


def test_by_keyboard_alone_an_answer_is_given_and_corrected(scene: Scene) -> None:
    with a_page(scene, width=320, is_dark=True) as page:
        page.keyboard.press("Tab")
        page.keyboard.type(scene.code)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="已带离").wait_for()
        shoot(page, "link-320-dark")
        assert fits(page, 320)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert "已带离" in page.get_by_role("status").inner_text()
        scene.clock.current = NOW + timedelta(minutes=3)
        page.get_by_role("button", name="无法处理").press("Enter")
        shoot(page, "corrected-320-dark")
        assert "无法处理" in page.get_by_role("status").inner_text()
    assert scene.rows("SELECT answer FROM guardian_answer ORDER BY answered_at") == [("taken_away",), ("cannot",)]
    assert scene.alert() == ("open", None)


def test_the_circle_is_drawn_where_the_policy_allows_it(engine: Engine, database_url: str) -> None:
    with a_scene(engine, database_url, links=LinkPolicy(shows_circle=True)) as scene:
        scene.add_violation()
        with a_page(scene, path=f"/g/{scene.token}") as page:
            shoot(page, "circle")
            assert page.get_by_role("img").is_visible()
            assert "周围约 1 公里" in page.locator("figcaption").inner_text()
            assert fits(page, 375)
