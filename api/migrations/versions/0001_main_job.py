"""The main job: places, orders, zones, the fix log, presences, episodes, violations, alerts, notifications."""

from alembic import op

revision = "0001"
down_revision = None

SHARD_COUNT = 64

PLACES = """
CREATE TABLE venue (
    venue_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    venue_id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    source_id text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    address text NOT NULL DEFAULT '',
    geometry geometry(Geometry, 4326) NOT NULL,
    raw_geometry geometry NOT NULL,
    datum text NOT NULL,
    imported_at timestamptz NOT NULL,
    UNIQUE (source, source_id)
);
CREATE INDEX venue_geometry ON venue USING gist (geometry);

CREATE TABLE site (
    site_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    source_id text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    geometry geometry(Geometry, 4326) NOT NULL,
    raw_geometry geometry NOT NULL,
    datum text NOT NULL,
    imported_at timestamptz NOT NULL,
    UNIQUE (source, source_id)
);
CREATE INDEX site_geometry ON site USING gist (geometry);

CREATE TABLE venue_incident (
    source text NOT NULL,
    source_id text NOT NULL,
    venue_no bigint NOT NULL REFERENCES venue,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    involves_minor boolean NOT NULL,
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (source, source_id)
);
CREATE INDEX venue_incident_venue ON venue_incident (venue_no);
"""

ZONES = """
-- One row is one version: a changed shape is a new zone_no, so that a decision names the shape it was made with.
CREATE TABLE zone (
    zone_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    zone_id uuid NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('exclusion', 'inclusion')),
    origin text NOT NULL CHECK (origin IN ('condition', 'supervisor', 'boundary', 'site', 'venue')),
    source text NOT NULL,
    source_id text NOT NULL,
    name text NOT NULL,
    category text,
    geometry geometry(Geometry, 4326) NOT NULL,
    radius_m double precision CHECK (radius_m > 0),
    created_at timestamptz NOT NULL,
    superseded_at timestamptz,
    UNIQUE (zone_id, version)
);
CREATE UNIQUE INDEX zone_current ON zone (source, source_id) WHERE superseded_at IS NULL;
CREATE INDEX zone_geometry ON zone USING gist (geometry);
"""

PEOPLE = """
CREATE TABLE subject (
    subject_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id uuid NOT NULL UNIQUE,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    alias text NOT NULL,
    birth_date date NOT NULL
);

CREATE TABLE device (
    device_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    token_hash bytea NOT NULL UNIQUE,
    revoked_at timestamptz
);

CREATE TABLE supervision_order (
    order_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL,
    version integer NOT NULL,
    subject_no bigint NOT NULL REFERENCES subject,
    measure text NOT NULL CHECK (measure IN ('bail', 'residential_surveillance', 'conditional_non_prosecution')),
    document_number text NOT NULL CHECK (document_number <> ''),
    deciding_organ text NOT NULL,
    executing_organ text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL CHECK (valid_to > valid_from),
    superseded_at timestamptz,
    UNIQUE (order_id, version)
);
CREATE INDEX supervision_order_subject ON supervision_order (subject_no);

CREATE TABLE condition (
    condition_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    condition_id uuid NOT NULL,
    order_no bigint NOT NULL REFERENCES supervision_order,
    kind text NOT NULL,
    zone_id uuid,
    categories text[] NOT NULL DEFAULT '{}',
    tolerance_m double precision NOT NULL DEFAULT 0 CHECK (tolerance_m >= 0)
);
CREATE INDEX condition_order ON condition (order_no);

CREATE TABLE recipient (
    recipient_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    role text NOT NULL CHECK (role IN ('guardian', 'prosecutor', 'police')),
    name text NOT NULL,
    phone text NOT NULL,
    rank smallint NOT NULL DEFAULT 1,
    is_blocked boolean NOT NULL DEFAULT false
);
CREATE INDEX recipient_subject ON recipient (subject_no);
"""

LOG = """
-- The fix log. written_by and seq give the order in which a reader may take rows; see ADR 0003.
CREATE TABLE fix (
    subject_no bigint NOT NULL REFERENCES subject,
    fixed_at timestamptz NOT NULL,
    fix_key bigint NOT NULL,
    shard smallint NOT NULL,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    sent_at timestamptz,
    longitude double precision NOT NULL,
    latitude double precision NOT NULL,
    accuracy_m double precision NOT NULL,
    is_accuracy_assumed boolean NOT NULL,
    raw_longitude double precision NOT NULL,
    raw_latitude double precision NOT NULL,
    datum text NOT NULL,
    source text NOT NULL,
    speed_mps double precision,
    altitude_m double precision,
    battery_percent double precision,
    is_mock boolean NOT NULL,
    device_id uuid NOT NULL,
    PRIMARY KEY (subject_no, fixed_at, fix_key)
);
CREATE INDEX fix_log_order ON fix (shard, written_by, seq);

CREATE TABLE fix_set_aside (
    subject_no bigint NOT NULL,
    fixed_at timestamptz NOT NULL,
    fix_key bigint NOT NULL,
    reason text NOT NULL,
    set_aside_at timestamptz NOT NULL,
    PRIMARY KEY (subject_no, fixed_at, fix_key)
);

CREATE TABLE shard (
    shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    seen pg_snapshot NOT NULL DEFAULT '1:1:',
    target pg_snapshot,
    after_xid xid8 NOT NULL DEFAULT '0',
    after_seq bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    fence bigint NOT NULL DEFAULT 0
);
"""

FINDINGS = """
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

CREATE TABLE episode (
    episode_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    condition_no bigint NOT NULL REFERENCES condition,
    zone_no bigint NOT NULL REFERENCES zone,
    tier text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    last_inside_at timestamptz NOT NULL,
    possible_at timestamptz NOT NULL,
    decided_at timestamptz,
    peak_probability double precision NOT NULL,
    fix_count integer NOT NULL,
    is_entry boolean NOT NULL,
    is_undecidable boolean NOT NULL,
    superseded_at timestamptz
);
CREATE INDEX episode_subject ON episode (subject_no, started_at);

CREATE TABLE violation (
    violation_id uuid PRIMARY KEY,
    episode_id uuid NOT NULL REFERENCES episode,
    subject_no bigint NOT NULL REFERENCES subject,
    order_no bigint NOT NULL REFERENCES supervision_order,
    condition_no bigint NOT NULL REFERENCES condition,
    zone_no bigint NOT NULL REFERENCES zone,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'suspected' CHECK (state IN ('suspected', 'confirmed', 'dismissed')),
    started_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    probability double precision NOT NULL,
    engine_version text NOT NULL,
    policy_version text NOT NULL
);
CREATE INDEX violation_subject ON violation (subject_no, decided_at);
"""

ALERTS = """
CREATE TABLE alert (
    alert_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'closed')),
    opened_at timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    is_late boolean NOT NULL
);
CREATE INDEX alert_subject ON alert (subject_no, opened_at);

CREATE TABLE alert_violation (
    alert_id uuid NOT NULL REFERENCES alert,
    violation_id uuid NOT NULL UNIQUE REFERENCES violation,
    PRIMARY KEY (alert_id, violation_id)
);

CREATE TABLE notification (
    notification_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    recipient_id uuid NOT NULL REFERENCES recipient,
    role text NOT NULL,
    phone text NOT NULL,
    template text NOT NULL,
    text text NOT NULL,
    decided_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'delivered', 'failed', 'dead')),
    attempt integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    provider text,
    provider_reference text,
    last_error text
);
CREATE INDEX notification_due ON notification (due_at) WHERE state = 'pending';
CREATE INDEX notification_alert ON notification (alert_id);
"""

# A change of any rule is seen by every evaluator at its next batch: it compares this number, in its own transaction.
RULE_VERSION = """
CREATE TABLE rule_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL
);
INSERT INTO rule_version (version) VALUES (1);
CREATE FUNCTION bump_rule_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rule_version SET version = version + 1;
    RETURN NULL;
END $$;
"""

RULE_TABLES = ("zone", "supervision_order", "condition")

ALL_TABLES = (
    "notification", "alert_violation", "alert", "violation", "episode", "presence", "subject_state", "shard",
    "fix_set_aside", "fix", "recipient", "condition", "supervision_order", "device", "subject", "zone",
    "venue_incident", "site", "venue", "rule_version",
)  # fmt: skip


def upgrade() -> None:
    """Create every table of the main job."""
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    for statements in (PLACES, ZONES, PEOPLE, LOG, FINDINGS, ALERTS, RULE_VERSION):
        op.execute(statements)
    op.execute(f"INSERT INTO shard (shard) SELECT generate_series(0, {SHARD_COUNT - 1})")
    for table in RULE_TABLES:
        op.execute(
            f"CREATE TRIGGER bump_rule_version AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION bump_rule_version()"
        )


def downgrade() -> None:
    """Drop them again."""
    for table in ALL_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION bump_rule_version()")
