"""What runs by the clock: the state of the watch over each device, the words of devices, and check-ins for devices.

A spot check that was not shown yet is no row for the web process: the device's side cannot learn of it, whatever a
route asks. Officers of the case see it, as they see its condition.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

TABLES = """
-- What tracking.silence remembers of a device, in its own layout; derived, and begun anew where the layout changed.
CREATE TABLE device_watch (
    subject_no bigint PRIMARY KEY REFERENCES subject,
    content bytea NOT NULL
);

-- What a device says of itself without a fix: being switched off, the permission taken away. status: bits of
-- tracking.silence.DeviceStatus.
CREATE TABLE device_report (
    report_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    device_id uuid NOT NULL,
    reported_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    battery_percent double precision CHECK (battery_percent BETWEEN 0 AND 100),
    status integer NOT NULL,
    taken_at timestamptz,
    UNIQUE (subject_no, reported_at, device_id, status)
);
CREATE INDEX device_report_waiting ON device_report (subject_no) WHERE taken_at IS NULL;
COMMENT ON COLUMN device_report.taken_at IS 'when a worker read it, by the clock of the database';
"""

WORKER = {"device_watch": "SELECT, INSERT, UPDATE (content)", "device_report": "SELECT, UPDATE (taken_at)"}

GATE = {
    "device_report": "INSERT (subject_no, device_id, reported_at, received_at, battery_percent, status)",
    "check_in": "SELECT (check_in_id, subject_no, kind, opens_at, due_at, make_up_until, shown_at, answered_at, state),"
    " UPDATE (answered_at, fix_key, state)",
}

_SEALED = "subject_no IN (SELECT sealed_subjects())"
_SHOWN = "kind <> 'spot' OR shown_at IS NOT NULL"


def upgrade() -> None:
    """Create them, closed to all but whom they serve."""
    op.execute(TABLES)
    for table in ("device_watch", "device_report"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY every_row_for_hulan_worker ON {table} TO hulan_worker USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT SELECT (subject_no), DELETE ON {table} TO hulan_shredder")
        op.execute(
            f"CREATE POLICY reach_of_hulan_shredder ON {table} TO hulan_shredder USING ({_SEALED})"
            f" WITH CHECK ({_SEALED})"
        )
    op.execute("CREATE POLICY every_row_for_hulan_gate ON device_report TO hulan_gate USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY shown_to_device ON check_in TO hulan_gate USING ({_SHOWN}) WITH CHECK ({_SHOWN})")
    for role, grants in (("worker", WORKER), ("gate", GATE)):
        for table, privileges in grants.items():
            op.execute(f"GRANT {privileges} ON {table} TO hulan_{role}")


def downgrade() -> None:
    """Drop them; check-ins are the office's again."""
    op.execute("DROP POLICY shown_to_device ON check_in")
    op.execute("REVOKE ALL ON check_in FROM hulan_gate")
    op.execute(
        "REVOKE SELECT (check_in_id, subject_no, kind, opens_at, due_at, make_up_until, shown_at, answered_at, state),"
        " UPDATE (answered_at, fix_key, state) ON check_in FROM hulan_gate"
    )
    op.execute("DROP TABLE device_report")
    op.execute("DROP TABLE device_watch")
