"""The report as people read it, and the files beside it."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from api.evidence.case import EvidenceCase, find_gaps
from api.evidence.files import alert_json, fixes_csv, fixes_geojson
from api.evidence.font import drawable, load_fonts
from api.evidence.making import make_evidence
from api.evidence.map_drawing import nice_length_m, views_of
from geo.shapes import Area
from tests.evidence.scene import BOTH, KEY, PLACE, STAMP, a_case, members_of, text_of_pdf
from tests.golden_files import assert_golden
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING
from tracking.zone import ZoneKind


def report_of(case: EvidenceCase) -> bytes:
    pack = make_evidence(case, STAMP, audit=PLACE, key=KEY, algorithms=BOTH)
    return members_of(pack.content)["report.pdf"]


@pytest.mark.golden
def test_report_reads_as_recorded() -> None:
    pages = text_of_pdf(report_of(a_case()))
    assert_golden("evidence/report.txt", "\n----\n".join(pages) + "\n")


def test_every_page_has_its_number_and_the_watermark() -> None:
    pages = text_of_pdf(report_of(a_case()))
    assert len(pages) >= 2
    for number, page in enumerate(pages, start=1):
        assert f"第 {number} 页，共 {len(pages)} 页" in page
        for word in ("wang", "2026-03-21 00:00:00", "verify_violation", str(STAMP.export_id)):
            assert word in page, (number, word)
        assert page.count(STAMP.watermark) == 6


def test_all_fonts_are_inside_the_report() -> None:
    fonts = {}
    for page in PdfReader(io.BytesIO(report_of(a_case()))).pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index] # a dictionary of the page
            fonts[font["/BaseFont"]] = "/FontFile2" in font.get("/FontDescriptor", {})
    assert fonts
    assert all(fonts.values()), fonts


def test_what_a_page_holds_is_text_and_no_markup_and_no_empty_box() -> None:
    text = "".join(text_of_pdf(report_of(a_case())))
    assert "合成酒吧 〔U+20BB7〕 <b>&" in text


def test_gaps_are_told_on_the_map_in_the_table_and_as_lines_of_their_own() -> None:
    case = a_case()
    (gap,) = case.gaps
    assert (gap.minutes, gap.before - gap.after) == (10.0, 1)
    text = "".join(text_of_pdf(report_of(case)))
    assert "无定位 no fixes 10 min" in text
    features = json.loads(fixes_geojson(case, STAMP))["features"]
    (line,) = [item for item in features if item["properties"]["feature"] == "gap"]
    assert line["properties"]["minutes"] == 10.0
    assert not any(
        item["geometry"]["type"] == "LineString" for item in features if item["properties"]["feature"] != "gap"
    )


def test_a_case_of_any_size_has_a_report() -> None:
    case = a_case()
    province = Area(geometry=shapely.box(110.0, 30.0, 120.0, 40.0))
    for changed in (
        replace(case, fixes=(), gaps=(), notices=()),
        replace(case, fixes=case.fixes[:1], gaps=()),
        replace(case, zone=replace(case.zone, kind=ZoneKind.INCLUSION, shape=province), ended_at=None),
        replace(case, facts=tuple((f"标签{number} label", "很长的内容" * 60) for number in range(30))),
        replace(case, fixes=case.fixes * 20, gaps=()),
    ):
        assert len(text_of_pdf(report_of(changed))) >= 2


def test_csv_geojson_and_report_number_the_fixes_alike() -> None:
    case = a_case()
    rows = list(csv.DictReader(io.StringIO(fixes_csv(case, STAMP).decode("utf-8-sig"))))
    features = json.loads(fixes_geojson(case, STAMP))["features"]
    fixes = [item for item in features if item["properties"]["feature"] == "fix"]
    circles = [item for item in features if item["properties"]["feature"] == "circle_68_percent"]
    assert [int(row["number"]) for row in rows] == [item["properties"]["number"] for item in fixes]
    assert len(rows) == len(circles) == len(case.fixes)
    assert all(STAMP.watermark in row["watermark"] for row in rows)
    assert all(item["properties"]["watermark"] == STAMP.watermark for item in features)
    for fix, circle in zip(fixes, circles, strict=True):
        centre = shapely.from_geojson(json.dumps(circle["geometry"])).centroid
        assert (centre.x, centre.y) == pytest.approx(fix["geometry"]["coordinates"], abs=2e-7)


def test_the_zone_is_drawn_in_the_version_that_applied() -> None:
    features = json.loads(fixes_geojson(a_case(), STAMP))["features"]
    assert features[0]["properties"]["version"] == 2
    ring = shapely.from_geojson(json.dumps(features[0]["geometry"]))
    assert ring.contains(shapely.Point(BAR_LONGITUDE, BAR_LATITUDE))


def test_statement_is_json_with_the_watermark() -> None:
    told = json.loads(alert_json(a_case(), STAMP))
    assert (told["watermark"], told["is_synthetic"]) == (STAMP.watermark, True)


@given(
    st.lists(st.floats(1, 5000), min_size=1, max_size=30),
)
def test_a_gap_is_where_fixes_are_far_apart_and_nowhere_else(steps: list[float]) -> None:
    instants = [EVENING]
    for step in steps:
        instants.append(instants[-1] + timedelta(seconds=step))
    sample = a_case().fixes[0]
    fixes = tuple(
        replace(sample, number=number, row=replace(sample.row, fixed_at=instant))
        for number, instant in enumerate(instants, start=1)
    )
    gaps = find_gaps(fixes)
    told = {gap.after for gap in gaps}
    for number, step in enumerate(steps, start=1):
        if step <= 300:
            assert number not in told
    if len(steps) >= 3 and max(steps) > 300 and sorted(steps)[len(steps) // 2] < max(steps) / 2.01:
        assert steps.index(max(steps)) + 1 in told


@given(st.floats(0.5, 1e7))
def test_the_scale_bar_is_a_round_length_that_fits(most_m: float) -> None:
    length_m = nice_length_m(most_m)
    assert most_m / 2.51 <= length_m <= most_m
    assert f"{length_m:e}"[0] in "125"


def test_the_close_up_is_drawn_when_the_zone_would_be_small() -> None:
    case = a_case()
    assert len(views_of(case, aspect=2.0)) == 2
    assert len(views_of(replace(case, fixes=case.proving, gaps=()), aspect=2.0)) == 1


def test_letters_that_the_font_lacks_are_told_by_number() -> None:
    load_fonts()
    assert drawable("护栏 P(在内) ≥ 龘") == "护栏 P(在内) ≥ 龘"
    assert drawable("𠮷") == "〔U+20BB7〕"
