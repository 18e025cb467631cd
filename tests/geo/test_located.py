"""A point that was converted once is not converted again, and a row that was is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import CHINA_BOX, Datum, to_wgs84
from geo.located import Wgs84Points, canonical, disagreeing_rows, sent_points

WEST, SOUTH, EAST, NORTH = CHINA_BOX


@given(st.sampled_from(list(Datum)), st.floats(WEST, EAST), st.floats(SOUTH, NORTH))
def test_canonical_points_keep_what_was_sent(datum: Datum, longitude: float, latitude: float) -> None:
    sent = sent_points(longitude=[longitude], latitude=[latitude], datum=datum)
    points = canonical(sent)
    assert points.sent is sent
    assert np.array_equal(sent.longitude, [longitude])
    wanted = to_wgs84(longitude=[longitude], latitude=[latitude], datum=datum)
    assert np.array_equal((points.longitude, points.latitude), wanted)


def test_converting_twice_is_a_type_error_with_the_way_out() -> None:
    once = canonical(sent_points(longitude=[117.25], latitude=[34.25], datum=Datum.GCJ02))
    with pytest.raises(TypeError, match=r"not Wgs84Points.*another 400-1,250 m"):
        canonical(once)  # type: ignore[arg-type]


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_rows_converted_twice_or_never_are_found(datum: Datum) -> None:
    sent = sent_points(longitude=[117.25, 113.5, 121.6], latitude=[34.25, 27.65, 37.39], datum=datum)
    good = canonical(sent)
    assert disagreeing_rows(good).size == 0
    longitude, latitude = good.longitude.copy(), good.latitude.copy()
    longitude[0], latitude[0] = sent.longitude[0], sent.latitude[0]
    longitude[2:], latitude[2:] = to_wgs84(longitude=longitude[2:], latitude=latitude[2:], datum=datum)
    wrong = Wgs84Points(longitude=longitude, latitude=latitude, sent=sent)
    assert disagreeing_rows(wrong).tolist() == [0, 2]
