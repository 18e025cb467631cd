"""A page that loads nothing, or no page."""

import json
import re

import pytest

from maps.offline import (
    ExternalReferenceError,
    MapAssets,
    OfflineMap,
    content_security_policy,
    external_references,
    inert_json,
    render_page,
)

ASSETS = MapAssets(leaflet_js="/* leaflet */", leaflet_css="/* style */")


def page(*, assets: MapAssets = ASSETS, title: str = "图", records: object = None, body: str = "") -> str:
    return render_page(
        OfflineMap(name="test", location=(34.0, 117.0), zoom_start=5),
        title=title,
        style="",
        body_before=body,
        body_after="",
        records=records,
        page_script="",
        assets=assets,
    )


@pytest.mark.parametrize(
    "outside",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<script src=//cdn.example/x.js></script>",
        "<script src='x.js'></script>",
        '<link rel="stylesheet" href="http://cdn.example/x.css">',
        '<IMG SRC="http://evil.example/x.png">',
        '<img srcset="http://evil.example/x.png 2x">',
        '<a href="https://leafletjs.com">Leaflet</a>',
        '<form action="http://evil.example"></form>',
        '<object data="http://evil.example/x.swf"></object>',
        '<svg><use xlink:href="https://evil.example/x.svg#a"/></svg>',
        "<style>p { background: url(images/layers.png) }</style>",
        "<style>p { background: URL( 'https://evil.example/x.png') }</style>",
        '<style>@import "https://evil.example/x.css";</style>',
        '<p style="background: url(//evil.example/x.png)">',
        '<meta http-equiv="refresh" content="0; url=https://evil.example">',
        """<script>var link = '<a href="https://leafletjs.com" title="x">';</script>""",
        r"""<script>var link = "<img src=\"http://evil.example/x.png\">";</script>""",
    ],
)
def test_every_way_out_of_the_page_is_found(outside: str) -> None:
    assert external_references(f"<html><body><p>图</p>{outside}</body></html>")


@pytest.mark.parametrize(
    "inside",
    [
        "<p>&lt;img src=http://evil.example/x.png&gt;</p>",
        '<img src="data:image/png;base64,AAAA">',
        '<a href="#legend">',
        '<svg><path fill="url(#hatch)"/></svg>',
        "<style>p { background: url(data:image/png;base64,AAAA) }</style>",
        '<script type="application/json">{"name": "<img src=http://evil.example>"}</script>',
        '<script>document.createElementNS("http://www.w3.org/2000/svg", "svg");</script>',
    ],
)
def test_what_stays_in_the_page_is_not_reported(inside: str) -> None:
    assert external_references(f"<html><body>{inside}</body></html>") == []


@pytest.mark.parametrize(
    "assets",
    [
        MapAssets(leaflet_js="""x = '<a href="https://new.example">';""", leaflet_css=""),
        MapAssets(leaflet_js="", leaflet_css="a { background: url(images/layers.png) }"),
    ],
)
def test_page_that_would_load_something_is_refused(assets: MapAssets) -> None:
    with pytest.raises(ExternalReferenceError, match="no network"):
        page(assets=assets)


def test_folium_brings_no_links_of_its_own() -> None:
    document = page()
    assert "cdn." not in document
    assert re.findall(r"<link|<script src", document) == []


def test_policy_names_each_script_and_nothing_else_to_load() -> None:
    document = page(records={"name": "云龙"})
    policy = content_security_policy(document)
    assert f'content="{policy}"' in document
    assert policy.startswith("default-src 'none'; script-src 'unsafe-inline' 'sha256-")
    assert policy.count("sha256-") == 3
    assert "style-src 'unsafe-inline'; img-src data:" in policy


def test_title_is_text() -> None:
    document = page(title='</title><script>alert("1")</script>')
    assert "<title>&lt;/title&gt;&lt;script&gt;" in document


@pytest.mark.parametrize(
    "name",
    ["</script><script>", "<!--<script>", "src=http://evil.example", "a & b", "\u2028", "量贩`KTV", "\ud800", 'x"\\'],
)
def test_inert_json_ends_no_script_and_keeps_the_name(name: str) -> None:
    text = inert_json({"name": name})
    assert json.loads(text) == {"name": name}
    assert not re.search("[<>&\u2028\ud800]|//", text)
    assert page(records={"name": name}).encode("utf-8")


def test_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        inert_json({"latitude": float("nan")})


def test_same_map_gives_the_same_page() -> None:
    assert page(records=[1]) == page(records=[1])
