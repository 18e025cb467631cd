"""The fix log in weeks with an H3 cell, the engine's state as a log of changes, workers that announce themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from geo.cells import cell_of

revision = "0003"
down_revision = "0002"

CELL_RESOLUTION = 9
ROWS_AT_A_TIME = 50_000

PARTITIONED = """
ALTER TABLE fix RENAME TO fix_of_one_piece;
ALTER TABLE fix_of_one_piece RENAME CONSTRAINT fix_pkey TO fix_of_one_piece_pkey;
ALTER INDEX fix_log_order RENAME TO fix_of_one_piece_log_order;
CREATE SEQUENCE fix_seq CACHE 32;
CREATE TABLE fix (LIKE fix_of_one_piece INCLUDING DEFAULTS) PARTITION BY RANGE (fixed_at);
ALTER TABLE fix
    ALTER COLUMN seq SET DEFAULT nextval('fix_seq'),
    ADD COLUMN cell bigint NOT NULL,
    ADD PRIMARY KEY (subject_no, fixed_at, fix_key),
    ADD FOREIGN KEY (subject_no) REFERENCES subject;
ALTER SEQUENCE fix_seq OWNED BY fix.seq;
CREATE INDEX fix_log_order ON fix (shard, written_by, seq);
CREATE INDEX fix_cell ON fix (cell);
COMMENT ON COLUMN fix.cell IS 'H3 cell of resolution 9 of the canonical coordinate; 0 if that is not on Earth';

-- What time the fixes of each transaction are of: a reader asks the partitions that hold news, and no others.
CREATE TABLE fix_written (
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    oldest timestamptz NOT NULL,
    newest timestamptz NOT NULL
);
CREATE INDEX fix_written_by ON fix_written (written_by);

CREATE TABLE retention_run (
    dropped_at timestamptz NOT NULL DEFAULT now(),
    partition_name text PRIMARY KEY,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    fix_count bigint NOT NULL,
    keep_days integer NOT NULL
);
"""

MOVED = """
INSERT INTO fix ({names}, cell)
SELECT {names}, c.cell FROM fix_of_one_piece f JOIN fix_cell c USING (subject_no, fixed_at, fix_key);
INSERT INTO fix_written (written_by, oldest, newest)
SELECT written_by, min(fixed_at), max(fixed_at) FROM fix
WHERE written_by >= (SELECT min(pg_snapshot_xmin(seen)) FROM shard) GROUP BY written_by;
SELECT setval('fix_seq', (SELECT coalesce(max(seq), 0) + 1 FROM fix), false);
DROP TABLE fix_cell;
"""

STATE = """
DROP TABLE presence;
DROP TABLE subject_state;
-- What the engine remembers, derived from the log: per shard one full state, then what each batch changed.
CREATE TABLE engine_layout (
    layout_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layout text NOT NULL UNIQUE
);
CREATE TABLE engine_state (
    shard smallint NOT NULL REFERENCES shard,
    change_no bigint GENERATED ALWAYS AS IDENTITY,
    layout_no integer NOT NULL REFERENCES engine_layout,
    is_whole boolean NOT NULL,
    subject_count integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (shard, change_no)
);
ALTER TABLE engine_state ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE worker (
    owner text PRIMARY KEY,
    alive_until timestamptz NOT NULL
);
"""

DOWN = """
ALTER TABLE fix RENAME TO fix_in_weeks;
ALTER INDEX fix_pkey RENAME TO fix_in_weeks_pkey;
ALTER INDEX fix_log_order RENAME TO fix_in_weeks_log_order;
CREATE TABLE fix (LIKE fix_in_weeks);
ALTER TABLE fix DROP COLUMN cell, ALTER COLUMN flags SET DEFAULT 0,
    ALTER COLUMN written_by SET DEFAULT pg_current_xact_id(),
    ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;
INSERT INTO fix ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM fix_in_weeks;
SELECT setval(pg_get_serial_sequence('fix', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM fix), false);
ALTER TABLE fix ADD PRIMARY KEY (subject_no, fixed_at, fix_key), ADD FOREIGN KEY (subject_no) REFERENCES subject;
CREATE INDEX fix_log_order ON fix (shard, written_by, seq);
DROP TABLE fix_in_weeks, fix_written, retention_run, engine_state, engine_layout, worker;
"""


OLD_STATE = """
CREATE TABLE subject_state (
    subject_no bigint PRIMARY KEY REFERENCES subject,
    shard smallint NOT NULL,
    last_fixed_at bigint NOT NULL
);
CREATE INDEX subject_state_shard ON subject_state (shard);

CREATE TABLE presence (
    subject_no bigint NOT NULL REFERENCES subject,
    condition_no bigint NOT NULL REFERENCES condition,
    zone_no bigint NOT NULL REFERENCES zone,
    shard smallint NOT NULL,
    started_at bigint NOT NULL,
    last_inside_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    possible_at bigint NOT NULL,
    decided_at bigint NOT NULL,
    known_at bigint NOT NULL,
    live_at bigint NOT NULL,
    live_known_at bigint NOT NULL,
    episode_high bigint NOT NULL,
    episode_low bigint NOT NULL,
    radius_m double precision NOT NULL,
    mean double precision NOT NULL,
    decided_mean double precision NOT NULL,
    peak double precision NOT NULL,
    fix_count integer NOT NULL,
    outside_count integer NOT NULL,
    tier smallint NOT NULL,
    is_entry smallint NOT NULL,
    undecidable smallint NOT NULL,
    PRIMARY KEY (subject_no, condition_no, zone_no)
);
CREATE INDEX presence_shard ON presence (shard);
"""


def upgrade() -> None:
    """Move the log into weeks. The engine's state is dropped: workers derive it from the log again."""
    connection = op.get_bind()
    op.execute(PARTITIONED)
    names = _names(connection, "fix_of_one_piece")
    _cut_weeks(connection)
    _find_cells(connection)
    op.execute(MOVED.format(names=names))
    op.execute("DROP TABLE fix_of_one_piece")
    op.execute(STATE)


def downgrade() -> None:
    """The log in one piece again, and an engine that remembers nothing: everyone is UNKNOWN until the next fix."""
    names = _names(op.get_bind(), "fix", without="cell")
    op.execute(DOWN.format(names=names))
    op.execute(OLD_STATE)


def _names(connection: Connection, table: str, *, without: str = "") -> str:
    query = (
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped AND attname <> :without"
    )
    return str(connection.execute(text(query), {"table": table, "without": without}).scalar_one())


def _cut_weeks(connection: Connection) -> None:
    """A partition for every week, from Monday 00:00 UTC on, of which there is a fix."""
    weeks = connection.execute(
        text("SELECT DISTINCT date_trunc('week', fixed_at, 'UTC') AS week FROM fix_of_one_piece ORDER BY week")
    )
    for (week,) in weeks.all():
        start: datetime = week.astimezone(UTC)
        op.execute(
            f"CREATE TABLE fix_{start:%Y%m%d} PARTITION OF fix"
            f" FOR VALUES FROM ('{start.isoformat()}') TO ('{(start + timedelta(days=7)).isoformat()}')"
        )


def _find_cells(connection: Connection) -> None:
    """The cell of every fix, in a temporary table: H3 is no part of the database."""
    op.execute(
        "CREATE TEMP TABLE fix_cell (subject_no bigint, fixed_at timestamptz, fix_key bigint, cell bigint,"
        " PRIMARY KEY (subject_no, fixed_at, fix_key)) ON COMMIT DROP"
    )
    key: tuple[Any, ...] = (0, datetime(1, 1, 2, tzinfo=UTC), 0)
    page = text(
        "SELECT subject_no, fixed_at, fix_key, longitude, latitude FROM fix_of_one_piece"
        " WHERE (subject_no, fixed_at, fix_key) > (:subject_no, :fixed_at, :fix_key)"
        " ORDER BY subject_no, fixed_at, fix_key LIMIT :most"
    )
    add = text("INSERT INTO fix_cell VALUES (:subject_no, :fixed_at, :fix_key, :cell)")
    while True:
        after = dict(zip(("subject_no", "fixed_at", "fix_key"), key, strict=True))
        rows = connection.execute(page, after | {"most": ROWS_AT_A_TIME}).all()
        if not rows:
            return
        connection.execute(
            add,
            [
                {"subject_no": row[0], "fixed_at": row[1], "fix_key": row[2], "cell": _cell(row[3], row[4])}
                for row in rows
            ],
        )
        key = tuple(rows[-1][:3])


def _cell(longitude: float, latitude: float) -> int:
    try:
        return int(cell_of(longitude=longitude, latitude=latitude, resolution=CELL_RESOLUTION)[0])
    except ValueError:
        return 0
