"""The heat map in a real browser without a network: it draws, it works by keyboard, and no name runs as script."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from maps.gateway_assets import find_assets
from maps.offline import MapAssets
from tests.maps.example_city import AS_OF, POLICY, City, make_city, make_incident, make_site, make_venue
from tests.maps.hostile_names import HOSTILE_NAMES
from venues.area_risk import assess_areas
from venues.place import IncidentKind
from venues.risk import assess_venues

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@dataclass(slots=True)
class Opened:
    """A page in the browser and everything that went wrong on it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def is_clean(self) -> bool:
        """Whether nothing was asked of the network, nothing was logged and no name ran."""
        assert (self.requests, self.complaints) == ([], [])
        return self.page.evaluate("window.__pwned") is None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def assets() -> MapAssets:
    return find_assets()


@dataclass(slots=True)
class Opener:
    """Opens HTML from a file in a window of its own; every request beyond that file is refused and noted."""

    browser: Browser
    folder: Path

    def __call__(self, html: str, *, width: int = 1200, height: int = 800) -> Opened:
        path = self.folder / "map.html"
        path.write_text(html, encoding="utf-8")
        page = self.browser.new_page(viewport={"width": width, "height": height})
        opened = Opened(page=page)

        def refuse(route: Route) -> None:
            if route.request.url == path.as_uri():
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        page.route("**/*", refuse)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.goto(path.as_uri())
        return opened


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    yield Opener(browser=browser, folder=tmp_path)
    for context in browser.contexts:
        context.close()


def without_policy(html: str) -> str:
    """The page without its Content-Security-Policy, to see whether it is safe by itself."""
    stripped, count = re.subn('<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert count == 1
    return stripped


def hostile_city() -> City:
    """Each hostile name on a venue and on a school, far enough apart to be clicked."""
    names = list(HOSTILE_NAMES.values())
    venues = [make_venue(name, number=10 * number) for number, name in enumerate(names)]
    incidents = [make_incident(venue, kind=IncidentKind.CRIMINAL_CASE) for venue in venues[:5]]
    risks = assess_venues(venues, incidents, as_of=AS_OF, policy=POLICY)
    sites = tuple(make_site(name, number=5 * number) for number, name in enumerate(names))
    return City(risks=risks, areas=assess_areas(risks, policy=POLICY), sites=sites)


def test_map_draws_every_venue_and_area_with_no_network(open_page: Opener, assets: MapAssets) -> None:
    city = make_city()
    opened = open_page(city.page(assets))
    page = opened.page
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.title() == "徐州市娱乐场所风险图"
    for level in ("red", "yellow", "green", "unknown"):
        assert page.locator(f".venue-{level}").count() == sum(risk.level == level for risk in city.risks)
    assert page.locator(".leaflet-areas-pane path").count() == len(city.areas)
    assert page.locator(".leaflet-grounds-pane path").count() == 5  # the sixth school is known only as a point
    assert page.locator(".leaflet-marker-pane .site").count() == 6
    assert page.locator(".leaflet-control-scale-line").inner_text().endswith(("m", "km"))
    assert opened.is_clean()


def test_whole_city_is_in_the_first_view(open_page: Opener, assets: MapAssets) -> None:
    page = open_page(make_city().page(assets)).page
    stage = page.locator(".stage").bounding_box()
    assert stage
    for box in (marker.bounding_box() for marker in page.locator(".venue").all()):
        assert box
        assert stage["x"] <= box["x"] <= stage["x"] + stage["width"] - box["width"]
        assert stage["y"] <= box["y"] <= stage["y"] + stage["height"] - box["height"]


@pytest.mark.slow
@pytest.mark.parametrize("protected", [True, False], ids=["with-policy", "without-policy"])
def test_no_name_runs_and_every_name_is_shown_as_it_is(open_page: Opener, assets: MapAssets, protected: bool) -> None:
    html = hostile_city().page(assets, title=HOSTILE_NAMES["script"], data_note=HOSTILE_NAMES["image"])
    opened = open_page(html if protected else without_policy(html))
    page = opened.page
    shown = {"venue": set[str](), "site": set[str]()}
    for kind, names in shown.items():
        for marker in page.locator(f".leaflet-marker-pane .{kind}").all():
            marker.focus()
            marker.press("Enter")
            names.add(page.locator(".leaflet-popup .card h2 bdi").evaluate("node => node.textContent"))
            assert page.locator(".leaflet-popup .card h2 bdi > *").count() == 0
            page.keyboard.press("Escape")
            page.locator(".leaflet-popup").wait_for(state="detached")
    assert shown == {"venue": set(HOSTILE_NAMES.values()), "site": set(HOSTILE_NAMES.values())}
    assert page.locator("h1").evaluate("node => node.textContent") == HOSTILE_NAMES["script"]
    assert page.title() == HOSTILE_NAMES["script"]
    assert page.locator(".method dd").last.evaluate("node => node.textContent") == HOSTILE_NAMES["image"]
    assert opened.is_clean()


def test_a_planted_image_or_script_would_be_noticed(open_page: Opener, assets: MapAssets) -> None:
    html = without_policy(make_city(5).page(assets))
    remote = open_page(html.replace("</body>", '<img src="http://evil.example/x.png"></body>'))
    assert remote.requests == ["http://evil.example/x.png"]
    handler = open_page(html.replace("</body>", HOSTILE_NAMES["image"] + "</body>"))
    handler.page.wait_for_function("window.__pwned === 1")
    broken = open_page(html.replace("</body>", "<script>let `</script></body>"))
    assert broken.complaints


def test_policy_stops_what_a_planted_fault_would_do(open_page: Opener, assets: MapAssets) -> None:
    faults = HOSTILE_NAMES["image"] + HOSTILE_NAMES["script"] + HOSTILE_NAMES["remote-image"]
    opened = open_page(make_city(5).page(assets).replace("</body>", f"{faults}</body>"))
    assert opened.page.evaluate("window.__pwned") is None
    assert opened.requests == []
    assert len(opened.complaints) >= 2
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)


def test_venue_is_reached_named_and_opened_by_keyboard(open_page: Opener, assets: MapAssets) -> None:
    venue = make_venue()
    risks = assess_venues([venue], [], as_of=AS_OF, policy=POLICY)
    page = open_page(City(risks=risks).page(assets)).page
    label = "云龙量贩KTV · KTV · 绿 Green"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == label:
            break
    assert page.evaluate("document.activeElement.title") == label
    page.keyboard.press("Enter")
    card = page.locator(".leaflet-popup .card").inner_text()
    assert all(
        word in card for word in ("云龙量贩KTV", "绿", "Green", "依据", "2026-03-01", "test venue/1 · venue-risk/1")
    )


def test_list_of_the_first_opens_the_venue(open_page: Opener, assets: MapAssets) -> None:
    page = open_page(make_city().page(assets)).page
    first = page.locator("#hulan-first button").first
    name = first.locator(".name").inner_text()
    first.click()
    assert page.locator(".leaflet-popup .card h2").inner_text() == name
    assert page.locator(".leaflet-popup .card .level").inner_text().split() == ["红", "Red"]


def test_area_popup_hides_small_numbers(open_page: Opener, assets: MapAssets) -> None:
    venue = make_venue()
    risks = assess_venues([venue], [make_incident(venue)], as_of=AS_OF, policy=POLICY)
    city = City(risks=risks, areas=assess_areas(risks, policy=POLICY))
    page = open_page(city.page(assets)).page
    page.locator(".leaflet-areas-pane path").dispatch_event("click")
    card = page.locator(".leaflet-popup .card").inner_text()
    assert "少于3件 fewer than 3" in card
    assert "不显示 not shown" in card


def test_layers_can_be_switched(open_page: Opener, assets: MapAssets) -> None:
    page = open_page(make_city().page(assets)).page
    page.locator(".leaflet-control-layers").hover()
    page.get_by_label("场所·红 Red (9)").uncheck()
    assert page.locator(".venue-red").count() == 0
    page.get_by_label("区域 Areas (99)").uncheck()
    assert page.locator(".leaflet-areas-pane path").count() == 0
    page.get_by_label("场所·红 Red (9)").check()
    assert page.locator(".venue-red").count() == 9


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_page_fits_its_width(open_page: Opener, assets: MapAssets, width: int) -> None:
    city = replace(make_city(), sites=())
    opened = open_page(city.page(assets, data_note="超长说明" * 30), width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.is_clean()


@pytest.mark.parametrize("city", [City(), make_city(8, with_incidents=False)], ids=["empty", "all-grey"])
def test_map_with_little_to_say_is_still_clean(open_page: Opener, assets: MapAssets, city: City) -> None:
    opened = open_page(city.page(assets))
    assert opened.page.locator("[role=status]").first.is_visible()
    assert opened.is_clean()


def test_print_is_one_sheet_and_the_screen_comes_back(open_page: Opener, assets: MapAssets) -> None:
    opened = open_page(make_city().page(assets))
    width = opened.page.locator(".stage").evaluate("node => node.offsetWidth")
    sheet = opened.page.pdf(prefer_css_page_size=True, print_background=True)
    assert re.findall(rb"/Count (\d+)", sheet) == [b"1"]
    assert opened.page.locator(".stage").evaluate("node => node.offsetWidth") == width
    assert opened.is_clean()
