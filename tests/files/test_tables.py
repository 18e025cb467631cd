"""Every record is a row or a rejection, with its line; none is lost and none swallows another."""

import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.files.errors import MissingColumn, UnreadableFile
from api.files.tables import Row, Table, read_table
from venues.place import Rejected

CELLS = st.text(alphabet=st.sampled_from('ab1 ,;"\n网吧'), max_size=6)


def table_of(text: str) -> Table:
    return read_table(io.StringIO(text, newline=""), file="t.csv")


def rows_of(text: str) -> list[Row]:
    return [row for row in table_of(text).rows if isinstance(row, Row)]


def rejections_of(text: str) -> list[Rejected]:
    return [row for row in table_of(text).rows if isinstance(row, Rejected)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_separator_is_read_from_the_header(delimiter: str) -> None:
    text = delimiter.join(("id", "name")) + "\n" + delimiter.join(("1", "x")) + "\n"
    assert [dict(row.cells) for row in rows_of(text)] == [{"id": "1", "name": "x"}]


def test_columns_are_compared_in_lower_case_and_line_ends_may_be_windows() -> None:
    assert [dict(row.cells) for row in rows_of("ID, Name \r\n1,X\r\n")] == [{"id": "1", "name": "X"}]


def test_a_row_with_a_stray_separator_is_rejected_with_its_line() -> None:
    text = "id,name,lon\n1,a,116\n2,b,c,116\n3,d,117\n"
    assert [row.line for row in rows_of(text)] == [2, 4]
    assert [row.line for row in rejections_of(text)] == [3]


def test_blank_lines_and_trailing_blank_cells_are_no_fault() -> None:
    text = "id,name\n\n1,a,,\n,\n2,b\n"
    assert [(row.line, row.cells["id"]) for row in rows_of(text)] == [(3, "1"), (5, "2")]
    assert rejections_of(text) == []


def test_a_quote_that_never_closes_costs_its_own_row_only() -> None:
    text = 'id,name\n1,a\n2,"b\n3,c\n4,d\n'
    assert [row.cells["id"] for row in rows_of(text)] == ["1", "3", "4"]
    assert [row.line for row in rejections_of(text)] == [3]


def test_a_quote_that_closes_in_a_later_row_does_not_swallow_it() -> None:
    text = 'id,name\n1,"a\n2,"b"\n3,c\n'
    assert [row.cells["id"] for row in rows_of(text)] == ["2", "3"]
    assert [row.line for row in rejections_of(text)] == [2]


def test_a_quoted_cell_may_hold_line_ends_and_separators() -> None:
    assert [(row.line, row.cells["name"]) for row in rows_of('id,name\n1,"a,\nb"\n2,c\n')] == [(2, "a,\nb"), (4, "c")]


def test_a_row_with_broken_bytes_is_rejected() -> None:
    assert [row.line for row in rejections_of("id,name\n1,\udcff\n2,b\n")] == [2]


@pytest.mark.parametrize("text", ["", "\n\n", "justone\n1\n", "id,ID\n1,2\n"])
def test_a_file_without_a_usable_header_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFile):
        table_of(text)


def test_a_missing_column_names_what_would_do_and_what_is_there() -> None:
    with pytest.raises(MissingColumn, match=r"lon, lng.*the file has id, name"):
        table_of("id,name\n1,a\n").need("longitude", ("lon", "lng"))


@given(st.lists(st.tuples(st.integers(1, 99).map(str), CELLS, CELLS), max_size=8))
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "a", "b"), *rows])
    assert [tuple(row.cells.values()) for row in rows_of(text.getvalue())] == rows


@given(st.lists(st.text(alphabet=st.sampled_from('a,"; '), max_size=8), max_size=8), st.integers(0, 8))
def test_a_bad_row_never_costs_a_good_one(junk: list[str], place: int) -> None:
    assume(sum('"' in line for line in junk) <= 1)  # two may pair to one well-formed cell of several lines
    lines = [*junk[:place], "77,good,good", *junk[place:]]
    text = "\n".join(["id,a,b", *lines]) + "\n"
    assert "77" in [row.cells["id"] for row in rows_of(text)]


@given(st.lists(st.text(alphabet=st.sampled_from("a,; "), max_size=8), max_size=8))
def test_every_line_is_accounted_for(junk: list[str]) -> None:
    text = "\n".join(["id,a,b", *junk]) + "\n"
    assert {row.line for row in table_of(text).rows} == {n for n, line in enumerate(junk, start=2) if line.strip(", ")}
