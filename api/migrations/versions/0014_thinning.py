"""Thinning: of old weeks of the log one fix per some minutes stays, and every fix that a finding rests on."""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLE = """
CREATE TABLE thinning_run (
    thinned_at timestamptz NOT NULL DEFAULT now(),
    partition_name text PRIMARY KEY,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 15),
    removed_count bigint NOT NULL,
    kept_count bigint NOT NULL
);
GRANT SELECT ON thinning_run TO hulan_worker;
"""

# Silence is that of tracking.policy (1800 s), the seven days are those of api.histories; 12 hours are more than the
# filter remembers of somebody who never moves; 3878 are the flags of fixes that decide nothing (tracking.quality).
FIXES = """
CREATE FUNCTION week_to_thin(name text, minutes integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    week timestamptz;
BEGIN
    IF name IS NULL OR NOT EXISTS (SELECT FROM pg_inherits JOIN pg_class ON oid = inhrelid
                                   WHERE inhparent = 'public.fix'::regclass AND relname = name) THEN
        RAISE EXCEPTION '% is no week of the log', name;
    END IF;
    -- More than half a silence, and a thinned track would look silent where it was not.
    IF minutes IS NULL OR minutes NOT BETWEEN 1 AND 15 THEN
        RAISE EXCEPTION 'one fix is kept per 1 to 15 minutes, not per %', minutes;
    END IF;
    week := to_timestamp(right(name, 8), 'YYYYMMDD');
    IF week + interval '7 days' > now() - interval '30 days' THEN
        RAISE EXCEPTION '% stays whole: weeks are thinned when they are 30 days old', name;
    END IF;
    RETURN week;
END $$;

CREATE FUNCTION fixes_to_thin(name text, minutes integer) RETURNS SETOF tid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    week timestamptz := week_to_thin(name, minutes);
BEGIN
    RETURN QUERY EXECUTE format($query$
        WITH finding AS (
            SELECT v.subject_no, least(v.started_at, e.started_at) AS started_at,
                   coalesce(e.ended_at, v.decided_at) AS ended_at
            FROM violation v JOIN episode e USING (episode_id)
            UNION ALL
            -- Whoever was somewhere when the week ended: what comes after it is judged again from its beginning.
            SELECT subject_no, started_at, coalesce(ended_at, 'infinity') FROM episode
            WHERE superseded_at IS NULL AND started_at < $1 + interval '7 days'
                AND coalesce(ended_at, 'infinity') >= $1 + interval '7 days'
        ), proving AS MATERIALIZED (
            SELECT n.subject_no, n.ended_at + interval '1 hour' AS to_at,
                   least(n.started_at - interval '1 hour', coalesce(
                       (SELECT max(g.fixed_at) FROM (
                            SELECT f.fixed_at, f.fixed_at - lag(f.fixed_at) OVER (ORDER BY f.fixed_at) AS gap
                            FROM public.fix f WHERE f.subject_no = n.subject_no
                                AND f.fixed_at BETWEEN n.started_at - interval '7 days' AND n.started_at) AS g
                        WHERE g.gap > interval '30 minutes'),
                       n.started_at - interval '7 days')) AS from_at
            FROM finding n
            WHERE n.started_at < $1 + interval '14 days' AND n.ended_at > $1 - interval '1 hour'
        ), step AS (
            SELECT f.ctid AS place, f.subject_no, f.fixed_at, f.fix_key,
                   (f.flags | coalesce(g.flags, 0)) & 3878 <> 0 AS is_doubtful,
                   lag(f.fixed_at) OVER track AS before, lead(f.fixed_at) OVER track AS after
            FROM public.%I f JOIN shard s USING (shard) LEFT JOIN fix_flag g USING (subject_no, fixed_at, fix_key)
            WHERE (pg_visible_in_snapshot(f.written_by, s.seen) OR s.target IS NOT NULL
                   AND pg_visible_in_snapshot(f.written_by, s.target)
                   AND (f.written_by < s.after_xid OR f.written_by = s.after_xid AND f.seq <= s.after_seq))
                AND NOT EXISTS (SELECT FROM fix_set_aside a WHERE a.subject_no = f.subject_no
                                AND a.fixed_at = f.fixed_at AND a.fix_key = f.fix_key)
            WINDOW track AS (PARTITION BY f.subject_no ORDER BY f.fixed_at, f.fix_key)
        ), ranked AS (
            SELECT place, subject_no, fixed_at, before, after,
                   max(fixed_at) FILTER (WHERE NOT is_doubtful) OVER (PARTITION BY subject_no) AS last_decided_at,
                   row_number() OVER (PARTITION BY subject_no, date_bin($2, fixed_at, $1)
                                      ORDER BY is_doubtful, fixed_at, fix_key) AS rank
            FROM step
        )
        SELECT r.place FROM ranked r
        WHERE r.rank > 1
            AND r.fixed_at - r.before <= $2 AND r.after - r.fixed_at <= $2
            AND r.fixed_at < r.last_decided_at - interval '12 hours'
            AND NOT EXISTS (SELECT FROM proving p WHERE p.subject_no = r.subject_no
                            AND r.fixed_at BETWEEN p.from_at AND p.to_at)
    $query$, name) USING week, make_interval(mins => minutes);
END $$;
COMMENT ON FUNCTION fixes_to_thin(text, integer) IS
    'Stays: the first sure fix of each so many minutes, both ends of each longer gap, the last 12 hours of each '
    'subject, from the last silence to an hour after the end what a violation rests on, '
    'what nobody read, what was set aside';

CREATE FUNCTION thin_fix_week(name text, minutes integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    week timestamptz := week_to_thin(name, minutes);
    removed bigint;
    kept bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(1213549650);  -- HULR: one at a time drops or thins
    IF EXISTS (SELECT FROM thinning_run r
               WHERE r.partition_name = name AND r.minutes >= thin_fix_week.minutes) THEN
        RETURN 0;
    END IF;
    EXECUTE format('
        WITH gone AS (
            DELETE FROM public.%I f USING fixes_to_thin($1, $2) AS t (place) WHERE f.ctid = t.place
            RETURNING f.subject_no, f.fixed_at, f.fix_key
        ), forgotten AS (
            DELETE FROM fix_flag g USING gone WHERE g.subject_no = gone.subject_no AND g.fixed_at = gone.fixed_at
                AND g.fix_key = gone.fix_key
        )
        SELECT count(*) FROM gone', name) USING name, minutes INTO removed;
    EXECUTE format('SELECT count(*) FROM public.%I', name) INTO kept;
    INSERT INTO thinning_run AS r (partition_name, from_at, to_at, minutes, removed_count, kept_count)
    VALUES (name, week, week + interval '7 days', minutes, removed, kept)
    ON CONFLICT (partition_name) DO UPDATE SET thinned_at = now(), minutes = excluded.minutes,
        removed_count = r.removed_count + excluded.removed_count, kept_count = excluded.kept_count;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION week_to_thin(text, integer), fixes_to_thin(text, integer), thin_fix_week(text, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION thin_fix_week(text, integer) TO hulan_worker;
"""


def upgrade() -> None:
    """Nothing is thinned until somebody says after how many days."""
    op.execute(TABLE)
    op.execute(FIXES)
    op.execute("SELECT audit_protect('thinning_run', '')")


def downgrade() -> None:
    """What was thinned stays thin; that it was is no longer on record outside the audit."""
    op.execute("DROP FUNCTION thin_fix_week(text, integer)")
    op.execute("DROP FUNCTION fixes_to_thin(text, integer)")
    op.execute("DROP FUNCTION week_to_thin(text, integer)")
    op.execute("DROP TABLE thinning_run")
