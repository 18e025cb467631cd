"""A folium map as ONE file that loads nothing: no CDN, no tile, no font.

folium by itself links 10 scripts and style sheets from four CDNs (reference/venues-maps.md 2.1). Here the map class has
no links at all, Leaflet is written into the page, and a page that still names an outside address is refused.

Two defences keep a register's text from running as code (reference/venues-maps.md 2.4): text travels only in an inert
JSON block, and the page's Content-Security-Policy allows no script but the ones whose SHA-256 it names.
"""

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import folium
from branca.element import Figure, MacroElement
from folium.template import Template

_OUTSIDE_IN_SCRIPT = re.compile(r"""(?:src|href)\s*=\s*\\?["'`]?\s*((?:https?:)?//[^\s"'`<>\\]+)""", re.IGNORECASE)
_ADDRESS_IN_STYLE = re.compile(r"""url\(\s*["']?([^"')]*)|@import\s+["']([^"']*)""", re.IGNORECASE)
_ADDRESS_ATTRIBUTES = frozenset(
    (
        "src",
        "href",
        "xlink:href",
        "srcset",
        "imagesrcset",
        "action",
        "formaction",
        "data",
        "poster",
        "background",
        "ping",
    )
)
_POLICY_PLACE = "<!-- content-security-policy -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAssets:
    """Leaflet as text; read by ``maps.gateway_assets``."""

    leaflet_js: str
    leaflet_css: str


class ExternalReferenceError(ValueError):
    """The page would load something from outside itself."""


class OfflineMap(folium.Map):
    """A folium map without tiles and without any link; the page that holds it brings Leaflet."""

    default_js = []  # noqa: RUF012 - folium declares it so
    default_css = []  # noqa: RUF012 - folium declares it so
    _template = Template(
        """
        {% macro header(this, kwargs) %}{% endmacro %}
        {% macro html(this, kwargs) %}
            <div class="map" id={{ this.get_name()|tojson }} role="region" aria-label="地图 Map"></div>
        {% endmacro %}
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {
                center: {{ this.location|tojson }},
                ...{{ this.options|tojavascript }}
            });
            L.control.zoom({zoomInTitle: "放大 Zoom in", zoomOutTitle: "缩小 Zoom out"}).addTo({{ this.get_name() }});
            L.control.scale({imperial: false}).addTo({{ this.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, *, name: str, location: tuple[float, float], zoom_start: int) -> None:
        """``location`` is latitude, longitude; the fixed ``name`` lets the same map give the same page."""
        super().__init__(
            location=location,
            tiles=None,
            zoom_start=zoom_start,
            zoom_control=False,
            minZoom=3,
            maxZoom=19,
            zoomSnap=0.25,
            attributionControl=False,
        )
        self._id = name


class Script(MacroElement):
    """A line of our own JavaScript at its place among the map's elements."""

    _template = Template("{% macro script(this, kwargs) %}{{ this.code }}{% endmacro %}")

    def __init__(self, code: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.code = code


class _Page(Figure):
    """The document around the map."""

    _template = Template(
        """<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
{{ this.parts.policy_place }}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{ this.parts.title }}</title>
<style>{{ this.parts.leaflet_css }}</style>
<style>{{ this.parts.style }}</style>
</head>
<body>
{{ this.parts.body_before }}
{{ this.html.render() }}
{{ this.parts.body_after }}
<script type="application/json" id="hulan-records">{{ this.parts.records }}</script>
<script>{{ this.parts.leaflet_js }}</script>
<script>{{ this.parts.page_script }}</script>
<script>{{ this.script.render() }}</script>
</body>
</html>
"""
    )

    def __init__(self, parts: dict[str, str]) -> None:
        """``parts`` are markup, put in as they are."""
        super().__init__()
        self.parts = parts


def render_page(
    map_: OfflineMap,
    *,
    title: str,
    style: str,
    body_before: str,
    body_after: str,
    records: object,
    page_script: str,
    assets: MapAssets,
) -> str:
    """The whole document.

    ``title`` and ``records`` may hold anything; ``style``, ``page_script`` and the two ``body`` parts are markup of our
    own in which every word from outside has been escaped. ``records`` are the JSON in ``#hulan-records``.

    Raises:
        ExternalReferenceError: the page would load something from outside itself.
    """
    page = _Page(
        {
            "policy_place": _POLICY_PLACE,
            "title": html.escape(_without_surrogates(title)),
            "leaflet_css": assets.leaflet_css,
            "style": style,
            "body_before": _without_surrogates(body_before),
            "body_after": _without_surrogates(body_after),
            "records": inert_json(records),
            "leaflet_js": _without_links(assets.leaflet_js),
            "page_script": page_script,
        }
    )
    page.add_child(map_)
    document: str = page.render()
    if outside := external_references(document):
        raise ExternalReferenceError(f"the map would load {outside[:5]}: it must work with no network")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy(document)}">'
    return document.replace(_POLICY_PLACE, policy, 1)


def inert_json(records: object) -> str:
    """JSON that cannot end its script element, cannot be taken for an address, and can be written as UTF-8.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(records, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("/", "\\/")):
        text = text.replace(character, escaped)
    return re.sub("[\u2028\u2029\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def external_references(document: str) -> list[str]:
    """Every address in ``document`` that leads out of it, in order: attributes, styles, and scripts that name a link.

    Plain text and the inert JSON block are not looked at, so that a venue may be called ``<img src=http://x>``.
    """
    return _Reader(document).outside


def content_security_policy(document: str) -> str:
    """A policy under which only the scripts now in ``document`` run and nothing is loaded.

    A browser that knows hashes ignores ``'unsafe-inline'`` beside them; an old one would run no script without it.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in _Reader(document).scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'unsafe-inline' {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


class _Reader(HTMLParser):
    """Reads a document for addresses that lead out and for scripts that would run."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.outside: list[str] = []
        self.scripts: list[str] = []
        self._inside: str | None = None
        self._text = ""
        self.feed(document)
        self.close()
        self._end_element()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the addresses among the attributes."""
        given = {name: value or "" for name, value in attrs}
        self.outside += [value for name, value in given.items() if name in _ADDRESS_ATTRIBUTES and _leads_out(value)]
        self._read_style(given.get("style", ""))
        if given.get("http-equiv", "").lower() == "refresh":
            self.outside.append(given.get("content", ""))
        is_inert = tag == "script" and given.get("type", "") == "application/json"
        self._inside = tag if tag in ("script", "style") and not is_inert else None

    def handle_data(self, data: str) -> None:
        """Gather the text of a script or style, which may come in pieces."""
        if self._inside:
            self._text += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser calls it with the tag
        """Look at a whole script or style."""
        self._end_element()

    def _end_element(self) -> None:
        if self._inside == "style":
            self._read_style(self._text)
        elif self._inside == "script":
            self.scripts.append(self._text)
            self.outside += _OUTSIDE_IN_SCRIPT.findall(self._text)
        self._inside, self._text = None, ""

    def _read_style(self, text: str) -> None:
        addresses = (match[1] or match[2] or "" for match in _ADDRESS_IN_STYLE.finditer(text))
        self.outside += [address for address in addresses if _leads_out(address)]


def _leads_out(address: str) -> bool:
    """Whether an address is neither in the document (``#id``) nor its own content (``data:``)."""
    return not re.match(r"\s*(?:#|data:|$)", address, re.IGNORECASE)


def _without_links(leaflet_js: str) -> str:
    """Leaflet without the link of its attribution control (not used here) and without its source map's address."""
    script = leaflet_js.replace('<a href="https://leafletjs.com" ', "<a ")
    return re.sub(r"//# sourceMappingURL=\S*", "", script)


def _without_surrogates(text: str) -> str:
    """``text`` that can be written as UTF-8: half a character pair becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
