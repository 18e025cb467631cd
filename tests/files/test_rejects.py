"""The report of rejected rows opens in Excel and cannot run anything there."""

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.files.rejects import rejects_path, write_rejects
from venues.place import Rejected


def a_rejection(*, line: int = 2, value: str = "-93.1", reason: str = "坐标超出范围 / out of range") -> Rejected:
    return Rejected(line=line, reference="r1", field="latitude", value=value, reason=reason)


def read_back(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_report_names_line_field_value_and_reason(tmp_path: Path) -> None:
    path = write_rejects(tmp_path / "拒收.csv", [a_rejection()])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_back(path) == [
        {
            "line": "2",
            "reference": "r1",
            "field": "latitude",
            "value": "-93.1",
            "reason": "坐标超出范围 / out of range",
        }
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["拒收.csv"]


def test_a_formula_is_made_inert(tmp_path: Path) -> None:
    path = write_rejects(tmp_path / "r.csv", [a_rejection(value='=HYPERLINK("http://x")'), a_rejection(value="\udcff")])
    assert [row["value"] for row in read_back(path)] == ['\'=HYPERLINK("http://x")', "\\xff"]


def test_they_go_beside_the_file_or_where_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / "in"
    beside.mkdir()
    assert rejects_path(beside / "a.csv") == beside / "a.csv.rejects.csv"
    nobody_writes_here = Path("/proc/self/a.csv")
    assert rejects_path(nobody_writes_here) == tmp_path / "a.csv.rejects.csv", "not even a superuser"
    assert rejects_path(nobody_writes_here, ending=".rejects.xlsx").name == "a.csv.rejects.xlsx"
    monkeypatch.chdir("/proc/self")
    assert rejects_path(nobody_writes_here).parent == Path(tempfile.gettempdir())
    chosen = tmp_path / "mine.csv"
    assert rejects_path(nobody_writes_here, chosen) == chosen
    assert list(beside.iterdir()) == []


def test_a_failed_write_leaves_the_old_report_and_nothing_else(tmp_path: Path) -> None:
    path = write_rejects(tmp_path / "r.csv", [a_rejection()])
    before = path.read_bytes()

    def broken() -> object:
        yield a_rejection()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rejects(path, broken())  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@given(
    values=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20))
)
def test_every_rejection_is_a_row(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    path = tmp_path_factory.mktemp("rejects") / "r.csv"
    write_rejects(path, [a_rejection(line=line, value=value) for line, value in enumerate(values)])
    assert [row["line"] for row in read_back(path)] == [str(line) for line in range(len(values))]
