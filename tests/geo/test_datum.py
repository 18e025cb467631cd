"""Datums: published vectors, exact round trips, and refusals that say what to do."""

import csv
from pathlib import Path

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, Polygon

from geo.datum import CHINA_BOX, Datum, FloatArray, from_wgs84, geometry_to_wgs84, parse_datum, to_wgs84

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gcj02_vectors" / "eviltransform_vectors.csv"
CITIES = {  # WGS-84, GCJ-02, BD-09, metres WGS→GCJ, metres WGS→BD
    "Xuzhou": ((117.25, 34.25), (117.255718, 34.248705), (117.262159, 34.254947), 546, 1247),
    "Liling": ((113.50, 27.65), (113.505639, 27.646725), (113.512091, 27.652977), 664, 1238),
    "Muping": ((121.60, 37.39), (121.604774, 37.390626), (121.611343, 37.396368), 429, 1228),
    "Liuzhi": ((105.48, 26.20), (105.483380, 26.196694), (105.489821, 26.203010), 498, 1037),
}
GEOD = pyproj.Geod(ellps="WGS84")
WEST, SOUTH, EAST, NORTH = CHINA_BOX

china_longitudes = st.floats(WEST, EAST)
china_latitudes = st.floats(SOUTH, NORTH)


@pytest.mark.parametrize("city", CITIES)
def test_city_vectors_agree_to_a_millionth_of_a_degree(city: str) -> None:
    wgs, gcj, bd, gcj_m, bd_m = CITIES[city]
    for datum, want, metres in ((Datum.GCJ02, gcj, gcj_m), (Datum.BD09, bd, bd_m)):
        got = from_wgs84(longitude=wgs[0], latitude=wgs[1], datum=datum)
        assert np.abs(np.array(got) - want).max() <= 1e-6
        assert GEOD.inv(*wgs, *got)[2] == pytest.approx(metres, abs=1)
        back = to_wgs84(longitude=want[0], latitude=want[1], datum=datum)
        assert np.abs(np.array(back) - wgs).max() <= 1.1e-6


@pytest.mark.real
@pytest.mark.skipif(not VECTORS.exists(), reason=f"needs {VECTORS}")
def test_eviltransform_vectors_agree_within_their_tolerance() -> None:
    """The BD-09 rows come from an eviltransform that had pi for 3000 pi / 180 and one step of inverse; it has since
    taken the constant of everybody else. Its old way meets the rows; the formula in use is 10 and 41 m off them.
    """
    with VECTORS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["from"] for row in rows].count("BD09") == 2
    for row in rows:
        longitude, latitude = float(row["lon_in"]), float(row["lat_in"])
        wanted = float(row["lon_out"]), float(row["lat_out"])
        if row["from"] == "WGS84":
            got = from_wgs84(longitude=longitude, latitude=latitude, datum=parse_datum(row["to"]))
        else:
            got = bd09_to_wgs84_by_old_eviltransform(longitude, latitude)
            ours = to_wgs84(longitude=longitude, latitude=latitude, datum=Datum.BD09)
            assert 5 < GEOD.inv(*ours, *wanted)[2] < 45
        assert GEOD.inv(*got, *wanted)[2] <= float(row["tolerance_m"])


def bd09_to_wgs84_by_old_eviltransform(longitude: float, latitude: float) -> tuple[FloatArray, FloatArray]:
    x, y = longitude - 0.0065, latitude - 0.006
    reach = np.hypot(x, y) - 0.00002 * np.sin(y * np.pi)
    angle = np.arctan2(y, x) - 0.000003 * np.cos(x * np.pi)
    gcj = reach * np.cos(angle), reach * np.sin(angle)
    shifted = from_wgs84(longitude=gcj[0], latitude=gcj[1], datum=Datum.GCJ02)
    return np.asarray(2 * gcj[0] - shifted[0]), np.asarray(2 * gcj[1] - shifted[1])


@given(st.sampled_from([Datum.GCJ02, Datum.BD09]), china_longitudes, china_latitudes)
def test_round_trip_inside_china_is_exact(datum: Datum, longitude: float, latitude: float) -> None:
    sent = from_wgs84(longitude=longitude, latitude=latitude, datum=datum)
    assert 10 < GEOD.inv(longitude, latitude, *sent)[2] < 2500
    back = to_wgs84(longitude=sent[0], latitude=sent[1], datum=datum)
    assert GEOD.inv(longitude, latitude, *back)[2] < 1e-6


@given(st.sampled_from(list(Datum)), st.floats(-180, 180), st.floats(-90, 90))
def test_points_well_outside_china_are_unchanged(datum: Datum, longitude: float, latitude: float) -> None:
    if WEST - 0.1 <= longitude <= EAST + 0.1 and SOUTH - 0.1 <= latitude <= NORTH + 0.1:
        return
    for convert in (to_wgs84, from_wgs84):
        assert np.array_equal(convert(longitude=longitude, latitude=latitude, datum=datum), (longitude, latitude))


@given(china_longitudes, china_latitudes)
def test_wgs84_and_cgcs2000_are_the_same_numbers(longitude: float, latitude: float) -> None:
    for datum in (Datum.WGS84, Datum.CGCS2000):
        same = to_wgs84(longitude=longitude, latitude=latitude, datum=datum)
        assert np.array_equal(same, (longitude, latitude))


def test_the_tag_decides_in_hong_kong_macau_and_taiwan() -> None:
    for longitude, latitude in ((114.17, 22.28), (113.55, 22.19), (121.56, 25.04)):
        moved = to_wgs84(longitude=longitude, latitude=latitude, datum=Datum.GCJ02)
        assert GEOD.inv(longitude, latitude, *moved)[2] > 100
        left = to_wgs84(longitude=longitude, latitude=latitude, datum=Datum.WGS84)
        assert np.array_equal(left, (longitude, latitude))


def test_answer_keeps_the_shape_and_the_input_is_not_touched() -> None:
    longitude, latitude = np.full((2, 3), 117.25), np.full((2, 3), 34.25)
    lon, lat = from_wgs84(longitude=longitude, latitude=latitude, datum=Datum.GCJ02)
    assert lon.shape == lat.shape == (2, 3)
    assert (longitude == 117.25).all()
    assert to_wgs84(longitude=[], latitude=[], datum=Datum.BD09)[0].shape == (0,)


@pytest.mark.parametrize(("longitude", "latitude"), [(np.nan, 34.0), (117.0, np.inf), (34.25, 117.25), (181.0, 0.0)])
def test_a_point_not_on_earth_is_refused_with_its_row(longitude: float, latitude: float) -> None:
    with pytest.raises(ValueError, match="point 1 is not on Earth"):
        to_wgs84(longitude=[117.0, longitude], latitude=[34.0, latitude], datum=Datum.GCJ02)


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one latitude for each longitude"):
        from_wgs84(longitude=[117.0, 118.0], latitude=[34.0], datum=Datum.GCJ02)


@pytest.mark.parametrize(
    ("text", "datum"),
    [
        *((text, Datum.WGS84) for text in ("wgs84", "WGS-84", "EPSG:4326", " wgs 84 ")),
        *((text, Datum.GCJ02) for text in ("gcj02", "gcj-02", "GCJ_02", "amap")),
        *((text, Datum.BD09) for text in ("bd09", "bd09ll", "BD-09")),
        *((text, Datum.CGCS2000) for text in ("cgcs2000", "CGCS-2000", "EPSG:4490")),
        *((datum.value, datum) for datum in Datum),
    ],
)
def test_common_spellings_are_understood(text: str, datum: Datum) -> None:
    assert parse_datum(text) is datum


@pytest.mark.parametrize("text", ["", "bd09mc", "EPSG:3857", "火星"])
def test_other_datums_are_refused_in_two_languages(text: str) -> None:
    with pytest.raises(ValueError, match=r"unknown datum.*坐标系"):
        parse_datum(text)


def test_geometry_moves_with_its_vertices() -> None:
    wgs = Polygon([(117.2, 34.2), (117.3, 34.2), (117.3, 34.3)], [[(117.27, 34.22), (117.28, 34.22), (117.28, 34.23)]])
    lon, lat = from_wgs84(longitude=117.27, latitude=34.22, datum=Datum.BD09)
    assert geometry_to_wgs84(Point(float(lon), float(lat)), Datum.BD09).distance(Point(117.27, 34.22)) < 1e-11
    moved = geometry_to_wgs84(wgs, Datum.GCJ02)
    assert isinstance(moved, Polygon)
    assert len(moved.interiors) == 1
    assert geometry_to_wgs84(wgs, Datum.CGCS2000).equals(wgs)
    assert not geometry_to_wgs84(LineString([(117.2, 34.2, 50.0), (117.3, 34.2, 60.0)]), Datum.GCJ02).has_z
