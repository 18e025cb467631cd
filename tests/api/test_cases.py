"""Registering cases: what a second import changes, and what it must not."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, text

from api.case_file import CaseIn
from api.cases import register_case
from api.personal.blind_index import phone_index
from tests.make import EVENING, KEYRING, SECRET


def a_case(**changes: Any) -> CaseIn:
    content = {
        "reference": "A-1",
        "alias": "小丽",
        "birth_date": date(2010, 1, 1),
        "measure": "bail",
        "location_basis": "order_item",
        "document_number": "合成〔2026〕1号",
        "deciding_organ": "合成",
        "executing_organ": "合成",
        "valid_from": EVENING - timedelta(days=1),
        "valid_to": EVENING + timedelta(days=1),
        "conditions": [
            {"kind": "excluded_categories", "categories": ["bar"]},
            {"kind": "exclusion_zone", "geometry": {"type": "Point", "coordinates": [117.2, 34.26]}, "radius_m": 50},
        ],
        "recipients": [{"role": "guardian", "name": "合成", "phone": "13800000101"}],
    }
    return CaseIn.model_validate(content | changes)


def register(engine: Engine, case: CaseIn) -> Any:
    with engine.begin() as connection:
        return register_case(connection, case, keyring=KEYRING, secret=SECRET, at=EVENING)


def one(engine: Engine, query: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()


def test_importing_the_same_case_again_changes_nothing(engine: Engine) -> None:
    first, second = register(engine, a_case()), register(engine, a_case())
    assert first.token is not None
    assert second.token is None
    assert one(engine, "SELECT max(version) FROM supervision_order") == 1
    assert one(engine, "SELECT count(*) FROM condition") == 2
    assert one(engine, "SELECT count(*) FROM zone") == 1


def test_a_changed_order_is_its_next_version_and_the_old_one_is_kept(engine: Engine) -> None:
    register(engine, a_case())
    register(engine, a_case(valid_to=EVENING + timedelta(days=2)))
    assert one(engine, "SELECT max(version) FROM supervision_order") == 2
    assert one(engine, "SELECT count(*) FROM supervision_order WHERE superseded_at IS NULL") == 1
    assert one(engine, "SELECT count(*) FROM subject") == 1


def test_a_guardian_whom_the_case_no_longer_names_is_blocked(engine: Engine) -> None:
    register(engine, a_case())
    register(engine, a_case(recipients=[{"role": "guardian", "name": "合成", "phone": "13800000102"}]))
    assert one(engine, "SELECT phone_index FROM recipient WHERE NOT is_blocked") == phone_index(
        KEYRING.index_key, "13800000102"
    )


def test_a_renamed_zone_is_not_a_new_version(engine: Engine) -> None:
    zone = {"kind": "exclusion_zone", "geometry": {"type": "Point", "coordinates": [117.2, 34.26]}, "radius_m": 50}
    register(engine, a_case(conditions=[{**zone, "label": "旧名"}]))
    register(engine, a_case(conditions=[{**zone, "label": "新名"}]))
    assert one(engine, "SELECT name FROM zone") == "新名"
    register(engine, a_case(conditions=[{**zone, "label": "新名", "radius_m": 60}]))
    assert one(engine, "SELECT max(version) FROM zone") == 2
