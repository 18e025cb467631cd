"""What is said to be stored is what the schema holds, and the page for readers says the same."""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from api.access.caller import APPLICATION_ROLE
from api.data_protection import DataClass, Form, Seen, as_markdown
from api.logs import PERSONAL_FIELDS, WITHHELD, withhold_personal
from api.personal.fields import SEALED_TABLES
from api.stored_data import STORED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-protection.md"
BEGIN, END = "<!-- from api.stored_data -->\n", "<!-- end -->"

NOT_OURS = {"spatial_ref_sys", "geometry_columns", "geography_columns"}

SCHEMA = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
       has_column_privilege(:role, c.oid, a.attnum, 'SELECT') AS is_shown
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
"""

Columns = dict[tuple[str, str], tuple[str, bool]]


@pytest.fixture
def columns(engine: Engine) -> Columns:
    """(table, column) → type, and whether the application's role may read it."""
    with engine.connect() as connection:
        rows = connection.execute(text(SCHEMA), {"role": APPLICATION_ROLE}).all()
    return {(row.relname, row.attname): (row.type, row.is_shown) for row in rows if row.relname not in NOT_OURS}


def declared(*classes: DataClass, form: Form | None = None) -> set[tuple[str, str]]:
    """The columns of these classes."""
    return {
        (item.table, column)
        for item in STORED
        for column, group in item.columns.items()
        if group.data_class in classes and form in {None, group.form}
    }


def test_every_column_is_declared_once_and_nothing_else(columns: Columns) -> None:
    assert declared(*DataClass) == set(columns)
    assert sum(len(group.columns) for item in STORED for group in item.groups) == len(columns)


def test_a_new_column_would_be_noticed(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE subject ADD COLUMN nickname text"))
        rows = connection.execute(text(SCHEMA), {"role": APPLICATION_ROLE}).all()
        connection.rollback()
    found = {(row.relname, row.attname) for row in rows if row.relname not in NOT_OURS}
    assert found - declared(*DataClass) == {("subject", "nickname")}


def test_sealed_columns_are_those_that_the_program_seals(columns: Columns) -> None:
    sealed = {(item.table, column) for item in SEALED_TABLES for column in item.columns}
    assert declared(DataClass.PERSONAL, form=Form.SEALED) == sealed
    for table, column in declared(*DataClass, form=Form.SEALED):
        assert columns[table, column][0] == "bytea"


def test_names_numbers_and_secrets_are_in_no_text_column(columns: Columns) -> None:
    """What is in clear of a person is a date, a role or a flag; secrets are hashed or sealed."""
    clear = declared(DataClass.PERSONAL, form=Form.CLEAR)
    assert {key for key in clear if columns[key][0] == "text"} == {("recipient", "role")}
    assert declared(DataClass.SECRET, form=Form.CLEAR) == set()


def test_what_is_said_to_be_seen_by_nobody_is_closed_and_the_rest_open(columns: Columns) -> None:
    shown = {table for (table, _), (_, is_shown) in columns.items() if is_shown}
    assert shown == {item.table for item in STORED if item.seen is not Seen.NOBODY}


def test_logs_withhold_every_text_and_coordinate_of_a_person(columns: Columns) -> None:
    """A value passed to a log under the name of its column does not come out, whoever passes it."""
    of_people = declared(
        DataClass.PERSONAL, DataClass.LOCATION, DataClass.SECRET
    )  # kinds, times and ids are told on purpose
    for table, column in of_people:
        kind = columns[table, column][0]
        if kind in {"timestamp with time zone", "boolean", "smallint"} or column in TOLD:
            continue
        value: object = b"x" if kind == "bytea" else "x"
        assert withhold_personal(None, "info", {column: value})[column] in {WITHHELD, "<bytes>"}, (table, column)


TOLD = {"role", "datum", "source", "accuracy_m", "radius_m", "speed_mps", "altitude_m", "zone_no"}
"""Tell no place and nobody by themselves."""


def test_withheld_fields_are_named_after_something() -> None:
    assert {"name", "phone", "id_number", "longitude", "latitude", "cell", "west"} <= PERSONAL_FIELDS


@pytest.mark.golden
def test_the_page_holds_the_table() -> None:
    content = PAGE.read_text(encoding="utf-8")
    before, rest = content.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + "\n" + as_markdown(STORED) + "\n" + END + after
    if os.environ.get("HULAN_RECORD") == "1":
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted, "run `make record`"


def test_the_page_is_in_both_languages_and_names_every_class() -> None:
    content = PAGE.read_text(encoding="utf-8")
    for kind in DataClass:
        assert kind.value in content, kind
    for article in (
        "第四十四",
        "第四十五",
        "第四十六",
        "第四十七",
        "第五十五",
        "第二十四条",
        "PIPL 24(3)",
        "PIPL 55–56",
    ):
        assert article in content, article
