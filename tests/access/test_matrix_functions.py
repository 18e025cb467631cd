"""The matrix of functions: each with its owner's rights is known, tells a caller what is theirs, and nobody sealed."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from api.access.caller import APPLICATION_ROLE, as_account
from api.access.roles import AccountRole
from api.database import open_engine
from api.ids import new_id
from tests.access.asking import refused, seen
from tests.access.matrix import ASKER, Scene, a_database, broken_look_of, make_scene

DEFINER_FUNCTIONS = {
    "current_account_no": "the caller's own number, or none",
    "current_account_has": "whether the caller has a role: their own",
    "visible_subjects": "the rule itself: numbers of the cases that the caller may see",
    "audit_note": "writes one entry of a kind that is no row's; reads nothing back",
    "subject_within_jurisdiction": "the number of a case whose id the caller knows and may break the glass for",
    "open_looks": "the caller's own",
    "open_spans": "the caller's own, of cases that they may see",
    "ask_look": "checks that the caller may see the case, or may break the glass for it",
    "decide_look": "checks that the caller leads where the case belongs",
    "people_of_looks": "checks that the caller may see these looks",
    "review_notice": "checks that the caller is the audit administrator",
    "reachable_subjects": "whose rows the caller is shown anyway, or asked to look at; nobody's who is sealed",
    "withheld_from_audit": "numbers of the sealed to the audit administrator, who misses their entries; to others none",
    "row_keys_withheld_from_audit": "keys of rows of the sealed to the audit administrator; to others none",
    "accounts_led": "the leader's own: numbers of accounts of the division and below",
    "export_rows_left": "the caller's own rest of what may leave",
    "record_export": "checks that the caller has an open look of this kind at the case",
    "evidence_span": "checks that the caller may see the case; times of a finding that the caller sees, and a count",
    "visible_zones": "zones that a finding of a case of the caller's names",
    "file_cases": "files in the caller's own name, if it decides; nothing is read",
    "take_case_tokens": "tokens of cases that the caller filed and may see",
    "start_sealing": "the name of the key that seals now; makes it so only where nothing was ever sealed",
    "sealing_key_id": "the name of the key that seals now, to whoever has an account",
    "end_order": "checks that the caller decides and may see the case",
    "grant_exemption": "checks that the caller decides and may see the case",
    "revoke_exemption": "checks that the caller decides and may see the case",
    "ask_leave": "checks that the caller may see the case",
    "answer_leave": "checks that the caller speaks for the organ and may see the case",
    "close_leave": "checks that the caller may see the case",
    "decide_found": "checks that the caller decides and may see the case",
    "turn_alert": "checks that the caller may see the case, and decides if it is to be closed",
    "finish_task": "checks that the caller may see the case",
    "people_of_work": "names of accounts that did something in a case that the caller may see",
    "redrive_notification": "checks that the caller decides and may see the case; tells only that it was done",
    "people_of_alerts": "names of accounts that did something about an alert of a case that the caller may see",
    "visible_units": "names of organs in orders of cases that the caller may see",
    "enter_duty_person": "checks that the caller leads a case of the unit; tells the id that was given",
    "enter_duty": "checks that the caller leads a case of the unit; tells the id that was given",
    "enter_absence": "checks that the caller leads a case of the unit; tells the id that was given",
    "revoke_duty": "checks that the caller leads a case of the unit; tells the id that was given",
    "report_minor_with_adult": "checks that the caller is police and may see the case; tells the id that was given",
    "rule_on_recipient": "checks that the caller decides and may see the case; tells the id that was given",
    "alert_times": "quantiles of all cases, to leaders and the system administrator; nobody's",
    "alert_precision": "counts of all cases, to leaders and the system administrator; a public place from five on",
    "alert_counts": "counts of all cases, to leaders and the system administrator",
    "alert_rescues": "a count and quantiles of all cases, to leaders and the system administrator; nobody's",
    "person_weeks": "one sum of all cases, to leaders and the system administrator",
    "observe_venue": "writes what the caller saw of a place; tells its id back",
    "boundaries_of": "boundaries of administrative divisions, as imported: about nobody",
    "divisions_overseen": "the caller's own: patterns of the division codes that an officer oversees",
    "decide_link": "checks that the caller is police or a supervisor, and what may be decided now",
    "division_of_venue": "the division around a place that every account may read about",
    "open_lead": "checks that the caller works leads, and oversees the place; tells the id of the lead there",
    "add_lead_event": "checks that the caller works leads, and oversees the place of this one",
    "keep_measurement": "checks that the caller oversees the place of the venue; tells only that it was kept",
    "people_of_leads": "names of accounts that did something with a lead of a place that the caller oversees",
    "audit_own_entry": "the hash of the entry that this transaction wrote: of the chain that it holds",
}
"""Function with its owner's rights that the application's role may call → why that shows nothing of a case."""

FORGING = ("audit_append", "audit_link", "audit_protect", "audit_rows")
"""Could write entries of rows; callable, or fit for a trigger on a table of one's own, by nobody but the owner."""

TELLING_STATISTICS = (
    "SELECT st_estimatedextent('zone', 'geometry')",
    "SELECT st_estimatedextent('public', 'zone', 'geometry')",
    "SELECT _postgis_stats('zone', 'geometry')",
    "SELECT _postgis_index_extent('zone', 'geometry')",
    "SELECT _postgis_selectivity('zone', 'geometry', ST_MakeEnvelope(117, 34, 118, 35, 4326))",
)
"""PostGIS answers these from statistics, for tables that the caller may not read: where the zones of victims are."""


@pytest.fixture(scope="module")
def scene(cluster_url: str) -> Iterator[Scene]:
    with a_database(cluster_url, "matrix_functions") as url:
        engine = open_engine(url)
        try:
            yield make_scene(engine, url)
        finally:
            engine.dispose()


def test_every_function_with_its_owners_rights_is_known_and_justified(scene: Scene) -> None:
    query = (
        "SELECT p.proname, EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') AS is_extension,"
        " has_function_privilege(:role, p.oid, 'EXECUTE') AS may_call, coalesce(p.proconfig::text, '') AS config"
        " FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
    )
    with scene.engine.connect() as connection:
        found = connection.execute(text(query), {"role": APPLICATION_ROLE}).all()
    assert {row.proname for row in found if row.may_call} <= set(DEFINER_FUNCTIONS)
    assert {row.proname for row in found if row.may_call} >= set(DEFINER_FUNCTIONS), "justified, and not there"
    assert {"visible_subjects", "audit_rows", "st_estimatedextent"} <= {row.proname for row in found}
    for row in found:
        assert row.is_extension or "search_path=" in row.config, row.proname


def test_functions_that_name_cases_name_ones_own(scene: Scene) -> None:
    for account in scene.accounts.values():
        expected = {scene.cases[name].person.subject_no for name in scene.seen_by(account)}
        assert seen(scene, account, "SELECT * FROM visible_subjects()") == expected, account.name
        asked = {case.person.subject_no for case in scene.cases.values() if not case.is_sealed}
        reachable = asked if account.name == ASKER else expected
        assert seen(scene, account, "SELECT * FROM reachable_subjects()") == reachable, account.name
        named = seen(scene, account, "SELECT zone_id FROM zone WHERE zone_id IN (SELECT visible_zones())")
        assert seen(scene, account, "SELECT * FROM visible_zones()") == named, account.name


def test_who_is_sealed_is_told_to_nobody_but_whose_entries_are_withheld(scene: Scene) -> None:
    sealed = {case.person.subject_no for case in scene.cases.values() if case.is_sealed}
    assert sealed
    for account in scene.accounts.values():
        told = sealed if AccountRole.AUDIT_ADMINISTRATOR in account.roles else set()
        assert seen(scene, account, "SELECT * FROM withheld_from_audit()") == told, account.name
    for function in ("hidden_subjects()", "sealed_subjects()", "subjects_of_account()", "subjects_of_divisions()"):
        for name in ("leader of city", "audit_administrator", "police of district"):
            assert refused(scene, scene.accounts[name], f"SELECT * FROM {function}"), (function, name)


AUDITED_ABOUT_NOBODY = {
    "account", "account_identity", "account_role", "api_token", "calendar_year", "division", "duty_absence",
    "duty_roster", "export_limit", "lead", "lead_event", "look_rule", "measurement_archive", "retention_run",
    "thinning_run", "venue_link", "venue_observation",
}  # fmt: skip
"""Audited tables without a subject whose rows are about no subject: accounts, places, officers, settings, runs."""

SUBJECT_COMES_LATER = {"case_intake", "delivery_report", "reply"}
"""Their first entry names no subject, as nobody knows whose they are when they are written."""

OF_NO_SUBJECT_OR_NAMED = {"recipient", "unsealing_request"}
"""``subject_no`` is empty where there is none: people on duty, asking for a record that is not there."""


A_LINE_OF_A_FILE = (
    "INSERT INTO case_intake (item_id, intake_id, line, account_no, division_no, asked_at, content, result, key_id)"
    " SELECT :item, :item, 1, account_no, division_no, now(), 'x', 'x', key_id FROM account, personal_key"
    " WHERE division_no IS NOT NULL AND is_current LIMIT 1"
)


def test_every_audited_row_names_its_subject_or_is_withheld_by_its_key(scene: Scene) -> None:
    """A new audited table is withheld by its rows' keys, or is about nobody."""
    query = (
        "SELECT t.tgrelid::regclass::text AS name, a.attname IS NOT NULL AS has_subject,"
        " coalesce(NOT a.attnotnull, false) AS may_be_empty FROM pg_trigger t LEFT JOIN pg_attribute a"
        " ON a.attrelid = t.tgrelid AND a.attname = 'subject_no' WHERE t.tgname = 'audit_insert'"
    )
    with scene.engine.connect() as connection:
        audited = connection.execute(text(query)).all()
        words = str(
            connection.execute(text("SELECT prosrc FROM pg_proc WHERE proname = 'row_keys_withheld_from_audit'"))
            .scalar_one()
        )  # fmt: skip
    withheld = set(re.findall(r"SELECT '(\w+)',", words))
    assert {row.name for row in audited if not row.has_subject} == AUDITED_ABOUT_NOBODY | withheld - SUBJECT_COMES_LATER
    assert {row.name for row in audited if row.may_be_empty} == SUBJECT_COMES_LATER | OF_NO_SUBJECT_OR_NAMED
    assert withheld >= SUBJECT_COMES_LATER


def test_entries_withheld_by_key_are_there_and_the_audit_administrator_misses_them(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        for case in scene.cases.values():
            number = {"item": new_id(), "no": case.person.subject_no}
            connection.execute(text(A_LINE_OF_A_FILE), number)
            connection.execute(text("UPDATE case_intake SET subject_no = :no WHERE item_id = :item"), number)
    administrator = scene.accounts["audit_administrator"]
    with as_account(scene.engine, administrator.account_id) as connection:
        keys = {tuple(row) for row in connection.execute(text("SELECT * FROM row_keys_withheld_from_audit()"))}
        shown = {tuple(row) for row in connection.execute(text("SELECT table_name, row_key FROM audit_entry"))}
    with scene.engine.connect() as connection:
        written = {tuple(row) for row in connection.execute(text("SELECT table_name, row_key FROM audit_entry"))}
    assert {table for table, _ in keys} == {
        "notification", "alert_violation", "alert_finding", "case_intake", "delivery_report", "reply", "condition",
        "zone",
    }  # fmt: skip
    assert keys <= written, "a key in another form than the audit's withholds nothing"
    assert not keys & shown
    assert {table for table, _ in shown} >= {table for table, _ in keys}, "those of the others are shown"


A_BROKEN_LOOK = (
    "SELECT (ask_look(look, '10 min', '1 day')).look_id FROM jsonb_populate_record(NULL::look, jsonb_build_object("
    "'look_id', gen_random_uuid(), 'kind', 'person', 'subject_no', {}, 'is_break_glass', true,"
    " 'purpose_code', 'emergency', 'purpose', '当事人失联，家属报警求助')) AS look"
)


AN_ANSWER = (
    "SELECT (answer_leave(a, '{}')).leave_id FROM jsonb_populate_record(NULL::leave_approval, jsonb_build_object("
    "'approval_id', gen_random_uuid(), 'organ', 'police', 'is_approved', true, 'remark', 'x')) AS a"
)

A_TURN = (
    "SELECT (turn_alert(a, 'open', h, '[]')).state FROM jsonb_populate_record(NULL::alert, jsonb_build_object("
    "'alert_id', '{}', 'state', 'acknowledged')) AS a, jsonb_populate_record(NULL::alert_history, jsonb_build_object("
    "'entry_id', gen_random_uuid(), 'reason_code', 'x', 'reason_zh', 'x', 'reason_en', 'x', 'remark', '')) AS h"
)

A_DECISION = (
    "SELECT (decide_found(d)).decision_id FROM jsonb_populate_record(NULL::decision, jsonb_build_object("
    "'decision_id', gen_random_uuid(), '{}', '{}', 'outcome', 'confirmed', 'reason_code', 'x', 'remark', 'x')) AS d"
)


def test_functions_with_their_owners_rights_hide_the_sealed_too(scene: Scene) -> None:
    """No policy holds them back: asked about a sealed case by name, they answer as about one that never was."""
    sealed, missing = scene.cases["sealed"], scene.missing_id
    number = sealed.person.subject_no
    with scene.engine.connect() as connection:
        connection.execute(
            text("UPDATE look SET ends_at = now() + interval '1 hour', asked_at = now(), is_break_glass = false,"
                 " needs_approval = false WHERE look_id = :id"),
            {"id": broken_look_of(sealed.look_id)},
        )  # fmt: skip
        open_now = "SELECT count(*) FROM look WHERE look_id = :id AND ends_at > now() AND NOT needs_approval"
        assert connection.execute(text(open_now), {"id": broken_look_of(sealed.look_id)}).scalar_one() == 1
        connection.commit()
    for name in (ASKER, "leader of city", "leader of district", "audit_administrator", "police of district"):
        account = scene.accounts[name]
        assert seen(scene, account, f"SELECT subject_no FROM open_looks() WHERE subject_no = {number}") == set()
        assert seen(scene, account, f"SELECT subject_no FROM open_spans() WHERE subject_no = {number}") == set()
        for query, about_sealed, about_missing in (
            ("SELECT subject_within_jurisdiction('{}')", sealed.subject_id, missing),
            ("SELECT (decide_look('{}', true, '1 hour')).look_id", sealed.look_id, missing),
            ("SELECT (review_notice('{}', '合成意见')).notice_id", sealed.notice_id, missing),
            ("SELECT count(*) FROM people_of_looks('{{{{{}}}}}')", sealed.look_id, missing),
            ("SELECT count(*) FROM evidence_span('{}', '1 min', '10 min', '1 day')", sealed.alert_id, missing),
            (A_BROKEN_LOOK, number, 10**9),
            ("SELECT end_order('{}', 'x')", sealed.things["order"], missing),
            ("SELECT (revoke_exemption('{}')).exemption_id", sealed.things["exemption"], missing),
            ("SELECT (close_leave('{}', 'cancelled')).leave_id", sealed.things["leave"], missing),
            (AN_ANSWER, sealed.things["leave"], missing),
            (A_DECISION.format("finding_id", "{}"), sealed.things["finding"], missing),
            (A_DECISION.format("violation_id", "{}"), sealed.things["violation"], missing),
            ("SELECT redrive_notification('{}')", sealed.things["alert"], missing),
            (A_TURN, sealed.things["alert"], missing),
            ("SELECT (finish_task('{}', 'x')).task_id", sealed.things["task"], missing),
        ):  # fmt: skip
            answers = [seen(scene, account, query.format(value)) for value in (about_sealed, about_missing)]
            assert answers[0] == answers[1], (name, query)
            assert answers[0] <= {None, 0}, (name, query)


def test_nobody_forges_an_entry_of_a_row(scene: Scene) -> None:
    """The trigger's function has its owner's rights: put on a table of one's own, it would write entries as of ours."""
    with scene.engine.connect() as connection:
        callable_ones = connection.execute(
            text("SELECT proname FROM pg_proc WHERE proname = ANY (:names) AND has_function_privilege(:role, oid,"
                 " 'EXECUTE')"),
            {"names": list(FORGING), "role": APPLICATION_ROLE},
        ).all()  # fmt: skip
        before = connection.execute(text("SELECT count(*) FROM audit_entry")).scalar_one()
    assert callable_ones == []
    forged = (
        "CREATE TEMP TABLE subject (subject_no bigint PRIMARY KEY, alias text);"
        "CREATE TRIGGER t AFTER INSERT ON pg_temp.subject REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT"
        " EXECUTE FUNCTION audit_rows('');"
        "INSERT INTO pg_temp.subject VALUES (1, 'x')"
    )
    assert refused(scene, scene.accounts["leader of city"], forged)
    assert refused(scene, scene.accounts["leader of city"], "SELECT audit_note('row_updated', 1, 'x')")
    with scene.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_entry")).scalar_one() == before


def test_a_note_about_an_unseen_case_tells_nothing(scene: Scene) -> None:
    account = scene.accounts["police of district"]
    answers = set()
    for number in (scene.cases["elsewhere none"].person.subject_no, 10**9):
        with as_account(scene.engine, account.account_id) as connection:
            query = text("SELECT audit_note('look_track', :number, 'x')")
            answers.add(str(connection.execute(query, {"number": number}).all()))
    assert len(answers) == 1


def test_statistics_of_closed_tables_tell_nothing(scene: Scene) -> None:
    for query in TELLING_STATISTICS:
        with scene.engine.connect() as connection:  # the owner may: the question is a good one
            connection.execute(text("SELECT 1 FROM zone")).first()
        assert refused(scene, scene.accounts["leader of city"], query), query
