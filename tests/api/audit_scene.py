"""Two rows or more in every audited table, and the hand of someone who may do anything to the database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text

from alerts.alert import Role
from api.audit_chain import Fault
from api.audit_verify import Report, verify
from api.calendars import save_calendar
from api.database import open_engine
from tests.make import EVENING, KEYRING, Person, a_bar, a_person
from tests.order_rows import add_order_work
from tracking.gateway_calendar import load_calendar

FINDINGS = """
INSERT INTO episode (episode_id, subject_no, condition_no, zone_no, tier, started_at, last_inside_at, possible_at,
    decided_at, peak_probability, fix_count, is_entry, is_undecidable, is_crossing)
SELECT gen_random_uuid(), o.subject_no, c.condition_no, z.zone_no, 'probable', '2026-03-20T14:10Z', '2026-03-20T14:30Z',
    '2026-03-20T14:10Z', '2026-03-20T14:13Z', 0.99, 20, true, false, false
FROM supervision_order o JOIN condition c USING (order_no), zone z WHERE z.name = '合成酒吧';
INSERT INTO violation (violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind, started_at,
    decided_at, known_at, probability, engine_version, policy_version)
SELECT gen_random_uuid(), e.episode_id, e.subject_no, c.order_no, e.condition_no, e.zone_no, c.kind, e.started_at,
    e.decided_at, e.decided_at, 0.97 + e.subject_no / 1000.0, 'engine', 'policy'
FROM episode e JOIN condition c USING (condition_no);
INSERT INTO alert (alert_id, subject_no, kind, state, opened_at, last_event_at, is_late)
SELECT gen_random_uuid(), v.subject_no, v.kind, 'open', v.decided_at, v.decided_at, false FROM violation v;
INSERT INTO alert_violation SELECT a.alert_id, v.violation_id FROM alert a JOIN violation v USING (subject_no);
INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at, known_at)
SELECT gen_random_uuid(), a.alert_id, r.recipient_id, r.role, 'entry', '合成短信' || a.subject_no, a.opened_at,
    a.opened_at FROM alert a JOIN recipient r USING (subject_no);
INSERT INTO fix_set_aside SELECT subject_no, '2026-03-20T14:00Z', 1, 'reason ' || subject_no, now() FROM subject;
INSERT INTO retention_run (partition_name, from_at, to_at, fix_count, keep_days)
SELECT 'fix_2020010' || i, '2020-01-01', '2020-01-08', i, 30 FROM generate_series(1, 2) i;
INSERT INTO thinning_run (partition_name, from_at, to_at, minutes, removed_count, kept_count)
SELECT 'fix_2020010' || i, '2020-01-01', '2020-01-08', 10, i, i FROM generate_series(1, 2) i;
INSERT INTO division (code, name) VALUES ('320300', '合成市'), ('320303', '合成区');
INSERT INTO account (account_id, kind, login_name, staff_number, display_name, division_no, password_hash, created_at)
SELECT gen_random_uuid(), 'officer', 'o' || i, 'S' || i, '合成人员', i, 'hash ' || i, now()
FROM generate_series(1, 2) i;
INSERT INTO account_role VALUES (1, 'prosecutor', 'officer', '2026-01-01'), (2, 'leader', 'officer', '2026-01-02');
INSERT INTO api_token (token_id, account_no, label, token_hash, scopes, created_at, expires_at)
SELECT gen_random_uuid(), account_no, '合成', sha256(login_name::bytea), '{cases:read}', now(), now() + interval '1 day'
FROM account;
INSERT INTO subject_jurisdiction SELECT subject_no, subject_no FROM subject;
INSERT INTO case_member
SELECT subject_no, 1, '2026-01-01', '2026-02-01'::date + subject_no::integer FROM subject;
INSERT INTO look (look_id, account_no, subject_no, kind, purpose_code, purpose, needs_approval, is_break_glass, ends_at)
SELECT gen_random_uuid(), 1, subject_no, 'person', 'emergency', '当事人失联，家属报警求助', true, true, now()
FROM subject;
INSERT INTO notice (notice_id, kind, look_id, account_no, account_id, subject_no)
SELECT gen_random_uuid(), 'break_glass', look_id, account_no, account_id, subject_no
FROM look JOIN account USING (account_no);
INSERT INTO export_run (export_id, kind, made_by, subject_no, is_approved, track_rows, lodging_rows, manifest_hash)
SELECT gen_random_uuid(), 'export', 'cli:x', subject_no, false, subject_no, 0, sha256(subject_id::text::bytea)
FROM subject;
INSERT INTO account_identity SELECT account_no, 'https://id.example', 'sub-' || account_no, now() FROM account;
INSERT INTO duty_roster (roster_id, unit, from_at, to_at, recipient_ids)
SELECT gen_random_uuid(), 'u' || i, now(), now() + interval '1 day', ARRAY[gen_random_uuid()]
FROM generate_series(1, 2) i;
INSERT INTO duty_absence (absence_id, recipient_id, from_at, to_at)
SELECT gen_random_uuid(), recipient_id, now(), now() + interval '1 day' FROM recipient;
INSERT INTO record_sealing (sealing_id, subject_no, action, ground, ground_text, document_number, by_account_no, at,
    keep_until) SELECT gen_random_uuid(), subject_no, 'sealed', 'non_prosecution', '', '合成封〔2026〕' || subject_no,
    1, now(), now() FROM subject;
INSERT INTO venue (venue_id, source, source_id, name, imported_at)
SELECT gen_random_uuid(), 'test', i::text, '合成场所', now() FROM generate_series(1, 3) i;
INSERT INTO venue_source_record (record_id, source, source_id, kind, content, content_hash, imported_at, imported_by)
SELECT gen_random_uuid(), source, source_id, 'poi', '{"name": "合成场所"}', sha256(source_id::bytea), now(), 'import'
FROM venue;
INSERT INTO venue_link (link_id, kind, left_no, right_no, decided_by, at, reason)
SELECT gen_random_uuid(), 'refuse', record_no, record_no + 1, 'account:x', now(), '两家' FROM venue_source_record
ORDER BY record_no LIMIT 2;
INSERT INTO venue_observation (observation_id, venue_no, category, remark, observed_on, observed_by, at)
SELECT gen_random_uuid(), venue_no, 'bar', '合成所见', '2026-03-20', 'account:x', now() FROM venue;
INSERT INTO measurement_archive (measurement_hash, content, venue_id, site_id, verdict, made_at, made_by)
SELECT encode(sha256(content::bytea), 'hex'), content, gen_random_uuid(), 's', 'breach', now(), 'cli:x'
FROM (SELECT '{"given": ' || i || '}' AS content FROM generate_series(1, 2) i) AS made;
INSERT INTO lead (lead_id, lead_key, ground, venue_id, venue_name, venue_address, division, categories, is_sure, facts,
    candidates, route_zh, route_en, route_basis)
SELECT gen_random_uuid(), i::text, 'distance', gen_random_uuid(), '合成场所', '', '320303', '{bar}', true, '{}', '{}',
    '', '', '' FROM generate_series(1, 2) i;
INSERT INTO lead_event (lead_no, position, step, at, is_urgent, regulator, document_number, note)
SELECT lead_no, 0, 'open', now(), false, '', '', lead_key FROM lead;
INSERT INTO unsealing_request (request_id, subject_id, ground, ground_text, document_number, asked_by, asked_at)
SELECT gen_random_uuid(), subject_id, 'case_need', '', '合成查〔2026〕' || subject_no, 1, now()
FROM subject;
"""


FILED = """
INSERT INTO case_intake (item_id, intake_id, line, account_no, division_no, asked_at, result, key_id, subject_no,
    done_at) SELECT gen_random_uuid(), gen_random_uuid(), 1, 1, 1, now(), sha256(subject_id::text::bytea), k.key_id,
    subject_no, now() FROM subject, (SELECT min(key_id) AS key_id FROM personal_key) k
"""


def fill(engine: Engine) -> list[Person]:
    """Two people, each with one suspected violation, alert and message."""
    with engine.begin() as connection:
        a_bar(connection)
        a_bar(connection, east_m=900, name="合成歌厅", radius_m=20)
        people = [
            a_person(connection),
            a_person(connection, alias="小明", recipients=((Role.GUARDIAN, "13800000102", 1, False),)),
        ]
        for statement in FINDINGS.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
        for person in people:
            add_order_work(connection, person.subject_no, account_no=1, keyring=KEYRING)
        save_calendar(connection, load_calendar(), at=EVENING)
        connection.execute(text(FILED))
    return people


@contextmanager
def behind_the_back(engine: Engine) -> Iterator[Connection]:
    """A transaction of a superuser for whom no trigger fires and no key is checked."""
    url = make_url(engine.url.render_as_string(False)).set(username="postgres").render_as_string(False)
    master = open_engine(url)
    try:
        with master.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
    finally:
        master.dispose()


KEYS = {
    "zone": "zone_no", "subject": "subject_no", "device": "device_id", "supervision_order": "order_no",
    "condition": "condition_no", "recipient": "recipient_id", "violation": "violation_id", "alert": "alert_id",
    "alert_violation": "ARRAY[alert_id::text, violation_id::text]", "notification": "notification_id",
    "fix_set_aside": "ARRAY[fix_key::text, fixed_at::text, subject_no::text]", "retention_run": "partition_name",
    "thinning_run": "partition_name", "division": "division_no", "account": "account_no",
    "account_role": "ARRAY[account_no::text, role::text]",
    "api_token": "token_id", "subject_jurisdiction": "subject_no",
    "case_member": "ARRAY[account_no::text, joined_at::text, subject_no::text]", "look_rule": "rule_no",
    "look": "look_id", "notice": "notice_id", "export_run": "export_id", "export_limit": "limit_no",
    "account_identity": "account_no",
    "record_sealing": "sealing_id", "unsealing_request": "request_id", "leave": "leave_id",
    "leave_approval": "approval_id", "exemption": "exemption_id", "finding": "finding_id", "task": "task_id",
    "decision": "decision_id", "calendar_year": "ARRAY[region::text, year::text]",
    "alert_finding": "ARRAY[alert_id::text, finding_id::text]", "alert_history": "entry_id",
    "duty_roster": "roster_id", "duty_absence": "absence_id", "guardian_link": "link_id",
    "guardian_answer": "answer_id", "delivery_report": "report_no", "reply": "reply_id",
    "case_intake": "item_id", "venue_link": "link_no", "venue_observation": "observation_no",
    "measurement_archive": "measurement_hash",
    "lead": "lead_no", "lead_event": "ARRAY[lead_no::text, position::text]",
}  # fmt: skip

ONE_BYTE = {
    "zone": ("geometry", "ST_Translate(geometry, 0.0000000001, 0)"),
    "subject": ("birth_date", "birth_date + 1"),
    "device": ("token_hash", "set_byte(token_hash, 0, (get_byte(token_hash, 0) + 1) % 256)"),
    "supervision_order": ("document_number", "overlay(document_number placing '7' from 13)"),
    "condition": ("tolerance_m", "tolerance_m + 1e-9"),
    "recipient": ("phone", "set_byte(phone, 20, (get_byte(phone, 20) + 1) % 256)"),
    "violation": ("state", "'dismissed'"),
    "alert": ("opened_at", "opened_at + interval '1 microsecond'"),
    "notification": ("text", "text || ' '"),
    "fix_set_aside": ("reason", "reason || '.'"),
    "retention_run": ("fix_count", "fix_count + 1"),
    "thinning_run": ("removed_count", "removed_count + 1"),
    "division": ("name", "name || '.'"),
    "account": ("totp_last_step", "totp_last_step + 1"),
    "account_role": ("granted_at", "granted_at + interval '1 microsecond'"),
    "api_token": ("token_hash", "set_byte(token_hash, 0, (get_byte(token_hash, 0) + 1) % 256)"),
    "subject_jurisdiction": ("division_no", "3 - division_no"),
    "case_member": ("left_at", "left_at + interval '1 microsecond'"),
    "look_rule": ("valid_from", "valid_from + 1"),
    "look": ("purpose", "purpose || '.'"),
    "notice": ("made_at", "made_at + interval '1 microsecond'"),
    "export_run": ("manifest_hash", "set_byte(manifest_hash, 0, (get_byte(manifest_hash, 0) + 1) % 256)"),
    "export_limit": ("most_rows", "most_rows + 1"),
    "account_identity": ("subject", "subject || '.'"),
    "record_sealing": ("document_number", "document_number || '.'"),
    "unsealing_request": ("document_number", "document_number || '.'"),
    "leave": ("to_at", "to_at + interval '1 microsecond'"),
    "leave_approval": ("remark", "remark || '.'"),
    "exemption": ("valid_to", "valid_to + interval '1 microsecond'"),
    "finding": ("probability", "probability + 1e-9"),
    "task": ("due_at", "due_at + interval '1 microsecond'"),
    "decision": ("outcome", "'confirmed'"),
    "calendar_year": ("source", "source || '.'"),
    "alert_history": ("reason_zh", "reason_zh || '.'"),
    "duty_roster": ("to_at", "to_at + interval '1 microsecond'"),
    "duty_absence": ("to_at", "to_at + interval '1 microsecond'"),
    "guardian_link": ("token_hash", "set_byte(token_hash, 0, (get_byte(token_hash, 0) + 1) % 256)"),
    "guardian_answer": ("answer", "'cannot'"),
    "delivery_report": ("is_delivered", "NOT is_delivered"),
    "reply": ("text", "set_byte(text, 20, (get_byte(text, 20) + 1) % 256)"),
    "case_intake": ("result", "set_byte(result, 0, (get_byte(result, 0) + 1) % 256)"),
    "venue_link": ("reason", "reason || '.'"),
    "venue_observation": ("category", "'ktv'"),
    "measurement_archive": ("verdict", "'clear'"),
    "lead": ("regulator", "'甲局'"),
    "lead_event": ("at", "at + interval '1 microsecond'"),
}
"""One column altered as little as can be. What an alert holds is all key: a changed row is another row."""

ANOTHER = {
    "zone": {"zone_no": "zone_no + 1000", "zone_id": "gen_random_uuid()", "source_id": "source_id || 'x'"},
    "subject": {"subject_no": "subject_no + 1000", "subject_id": "gen_random_uuid()"},
    "device": {"device_id": "gen_random_uuid()", "token_hash": "token_hash || token_hash"},
    "supervision_order": {"order_no": "order_no + 1000", "order_id": "gen_random_uuid()"},
    "condition": {"condition_no": "condition_no + 1000"},
    "recipient": {"recipient_id": "gen_random_uuid()"},
    "violation": {"violation_id": "gen_random_uuid()"},
    "alert": {"alert_id": "gen_random_uuid()"},
    "alert_violation": {"violation_id": "gen_random_uuid()"},
    "notification": {"notification_id": "gen_random_uuid()"},
    "fix_set_aside": {"fix_key": "fix_key + 1"},
    "retention_run": {"partition_name": "partition_name || 'x'"},
    "thinning_run": {"partition_name": "partition_name || 'x'"},
    "division": {"division_no": "division_no + 1000", "code": "code || 'x'"},
    "account": {
        "account_no": "account_no + 1000",
        "account_id": "gen_random_uuid()",
        "login_name": "login_name || 'x'",
        "staff_number": "staff_number || 'x'",
    },
    "account_role": {"account_no": "account_no + 1000"},
    "api_token": {"token_id": "gen_random_uuid()", "token_hash": "token_hash || token_hash"},
    "subject_jurisdiction": {"subject_no": "subject_no + 1000"},
    "case_member": {"subject_no": "subject_no + 1000"},
    "look_rule": {"rule_no": "rule_no + 1000"},
    "look": {"look_id": "gen_random_uuid()"},
    "notice": {"notice_id": "gen_random_uuid()", "look_id": "gen_random_uuid()"},
    "export_run": {"export_id": "gen_random_uuid()"},
    "export_limit": {"limit_no": "limit_no + 1000"},
    "account_identity": {"account_no": "account_no + 1000", "subject": "subject || 'x'"},
    "record_sealing": {"sealing_id": "gen_random_uuid()", "action": "'shredded'", "keep_until": "NULL"},
    "unsealing_request": {"request_id": "gen_random_uuid()"},
    "leave": {"leave_id": "gen_random_uuid()", "leave_no": "leave_no + 1000"},
    "leave_approval": {"approval_id": "gen_random_uuid()"},
    "exemption": {"exemption_id": "gen_random_uuid()", "exemption_no": "exemption_no + 1000"},
    "finding": {"finding_id": "gen_random_uuid()"},
    "task": {"task_id": "gen_random_uuid()"},
    "decision": {"decision_id": "gen_random_uuid()", "finding_id": "gen_random_uuid()"},
    "calendar_year": {"year": "year + 100"},
    "alert_finding": {"finding_id": "gen_random_uuid()"},
    "alert_history": {"entry_id": "gen_random_uuid()", "entry_no": "entry_no + 1000"},
    "duty_roster": {"roster_id": "gen_random_uuid()"},
    "duty_absence": {"absence_id": "gen_random_uuid()"},
    "guardian_link": {"link_id": "gen_random_uuid()", "token_hash": "token_hash || token_hash"},
    "guardian_answer": {"answer_id": "gen_random_uuid()"},
    "delivery_report": {"report_no": "report_no + 1000", "reference": "reference || 'x'"},
    "reply": {"reply_id": "gen_random_uuid()"},
    "case_intake": {"item_id": "gen_random_uuid()"},
    "venue_link": {"link_no": "link_no + 1000", "link_id": "gen_random_uuid()"},
    "venue_observation": {"observation_no": "observation_no + 1000", "observation_id": "gen_random_uuid()"},
    "measurement_archive": {
        "measurement_hash": "encode(sha256((content || ' ')::bytea), 'hex')",
        "content": "content || ' '",
    },
    "lead": {"lead_no": "lead_no + 1000", "lead_id": "gen_random_uuid()", "lead_key": "lead_key || 'x'"},
    "lead_event": {"lead_no": "lead_no + 1000"},
}
"""A copy of a row under another key."""


def checked(engine: Engine, tmp_path: Path, since: datetime | None = None) -> Report:
    return verify(engine, tmp_path, since=since)


def the_fault(engine: Engine, tmp_path: Path) -> Fault:
    faults = checked(engine, tmp_path).faults
    assert len(faults) == 1, faults
    return faults[0]


def in_threads(work: Callable[[], None], count: int) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
