"""Opening hours: OpenStreetMap's form, or plain Chinese brought to it; anything else is told, never guessed."""

import pytest

from tests.venues.register_scene import a_record
from venues.licence import LicenceError
from venues.opening_hours import check_opening_hours
from venues.place import SourceKey
from venues.source_record import SourceKind, read_source_record


@pytest.mark.parametrize(
    ("sent", "form"),
    [
        ("Mo-Fr 10:00-18:00; PH off", "Mo-Fr 10:00-18:00; PH off"),
        (" 24/7 ", "24/7"),
        ("10:00-26:00; Tu off", "10:00-26:00; Tu off"),
        ("每天10：00至22：00", "Mo-Su 10:00-22:00"),
        ("每天24小时", "24/7"),
        ("周一至周五 10:00-22:00；周六、周日 10:00～次日02:00", "Mo-Fr 10:00-22:00;Sa,Su 10:00-02:00"),
        ("星期一到星期五9:00-18:00", "Mo-Fr 9:00-18:00"),
    ],
)
def test_hours_are_brought_to_one_form(sent: str, form: str) -> None:
    assert check_opening_hours(sent) == form
    assert check_opening_hours(form) == form


@pytest.mark.parametrize("sent", ["", "foo", "10.00-22.00", "晚上", "Mo-Fr 8-18", "25:00-27:00"])
def test_what_cannot_be_read_is_told_with_the_form_to_use(sent: str) -> None:
    with pytest.raises(LicenceError, match="10:00-22:00") as refused:
        check_opening_hours(sent)
    assert refused.value.field == "opening_hours"


def test_a_record_is_taken_without_hours_that_cannot_be_read() -> None:
    key = SourceKey(source="map", source_id="1")
    record, problems = read_source_record({"name": "店", "opening_hours": "晚上"}, key=key, kind=SourceKind.POI)
    assert (record.opening_hours, record.set_aside) == ("", ("opening_hours",))
    assert [problem.field for problem in problems] == ["opening_hours"]
    assert dict(record.sent)["opening_hours"] == "晚上"
    assert a_record("map", 1, name="店", opening_hours="每天10:00-22:00").opening_hours == "Mo-Su 10:00-22:00"
