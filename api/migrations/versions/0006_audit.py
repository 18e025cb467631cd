"""The audit: a hash chain of everything that was changed, decided or looked at, written by triggers (ADR 0015)."""

from alembic import op

revision = "0006"
down_revision = "0005"

AUDITED_TABLES = {
    "zone": "",
    "subject": "alias,birth_date",
    "device": "token_hash",
    "supervision_order": "",
    "condition": "",
    "recipient": "name,phone",
    "violation": "",
    "alert": "",
    "alert_violation": "",
    "notification": "phone,text",
    "fix_set_aside": "",
    "retention_run": "",
}
"""Table → columns of which no fingerprint is kept, because a short one could be guessed back."""

TABLES = """
CREATE TABLE audit_entry (
    chain integer NOT NULL CHECK (chain >= 0),
    seq bigint NOT NULL CHECK (seq > 0),
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('sha256', 'sm3')),
    kind text NOT NULL,
    actor text NOT NULL,
    login text NOT NULL,
    purpose text NOT NULL,
    request_id text NOT NULL,
    subject_no bigint,
    table_name text,
    row_key text,
    columns text,
    row_hash bytea,
    detail text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE SEQUENCE audit_position OWNED BY audit_entry.position;
CREATE INDEX audit_entry_row ON audit_entry (table_name, row_key, position);
CREATE INDEX audit_entry_subject ON audit_entry (subject_no, position);
CREATE INDEX audit_entry_position ON audit_entry (position);
COMMENT ON COLUMN audit_entry.position IS 'number by which people name an entry: entries of one row are in this order';

CREATE TABLE audit_checkpoint (
    number bigint PRIMARY KEY CHECK (number > 0),
    made_at timestamptz NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('sha256', 'sm3')),
    heads text NOT NULL,
    previous_digest bytea NOT NULL,
    digest bytea NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON COLUMN audit_checkpoint.heads IS 'chain:seq:hash of the last entry of each chain, separated by spaces';
"""

# PostgreSQL has SHA-256 and no SM3 (GB/T 32905-2016).
SM3 = """
CREATE FUNCTION audit_sm3(message bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    mask CONSTANT bigint := 4294967295;
    padded bytea;
    v bigint[] := ARRAY[1937774191, 1226093241, 388252375, 3666478592, 2842636476, 372324522, 3817729613, 2969243214];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; g bigint; h bigint;
    a12 bigint; ss1 bigint; ss2 bigint; tt1 bigint; tt2 bigint; x bigint; t bigint; r integer;
    size integer := octet_length(message);
    digest bytea := '';
BEGIN
    padded := message || '\\x80'::bytea || decode(repeat('00', (119 - size % 64) % 64), 'hex')
        || int8send(size * 8::bigint);
    FOR block IN 0 .. octet_length(padded) / 64 - 1 LOOP
        w := array_fill(0::bigint, ARRAY[68]);
        FOR j IN 0 .. 15 LOOP
            r := block * 64 + j * 4;
            w[j + 1] := (get_byte(padded, r)::bigint << 24) | (get_byte(padded, r + 1) << 16)
                | (get_byte(padded, r + 2) << 8) | get_byte(padded, r + 3);
        END LOOP;
        FOR j IN 17 .. 68 LOOP
            t := w[j - 3];
            x := w[j - 16] # w[j - 9] # (((t << 15) | (t >> 17)) & mask);
            x := x # (((x << 15) | (x >> 17)) & mask) # (((x << 23) | (x >> 9)) & mask);
            t := w[j - 13];
            w[j] := x # (((t << 7) | (t >> 25)) & mask) # w[j - 6];
        END LOOP;
        a := v[1]; b := v[2]; c := v[3]; d := v[4]; e := v[5]; f := v[6]; g := v[7]; h := v[8];
        FOR j IN 0 .. 63 LOOP
            t := CASE WHEN j < 16 THEN 2043430169 ELSE 2055708042 END;
            r := j % 32;
            t := ((t << r) | (t >> (32 - r))) & mask;
            a12 := ((a << 12) | (a >> 20)) & mask;
            x := (a12 + e + t) & mask;
            ss1 := ((x << 7) | (x >> 25)) & mask;
            ss2 := ss1 # a12;
            IF j < 16 THEN
                tt1 := ((a # b # c) + d + ss2 + (w[j + 1] # w[j + 5])) & mask;
                tt2 := ((e # f # g) + h + ss1 + w[j + 1]) & mask;
            ELSE
                tt1 := (((a & b) | (a & c) | (b & c)) + d + ss2 + (w[j + 1] # w[j + 5])) & mask;
                tt2 := (((e & f) | ((mask # e) & g)) + h + ss1 + w[j + 1]) & mask;
            END IF;
            d := c; c := ((b << 9) | (b >> 23)) & mask; b := a; a := tt1;
            h := g; g := ((f << 19) | (f >> 13)) & mask; f := e;
            e := tt2 # (((tt2 << 9) | (tt2 >> 23)) & mask) # (((tt2 << 17) | (tt2 >> 15)) & mask);
        END LOOP;
        v := ARRAY[a # v[1], b # v[2], c # v[3], d # v[4], e # v[5], f # v[6], g # v[7], h # v[8]];
    END LOOP;
    FOR j IN 1 .. 8 LOOP
        digest := digest || substr(int8send(v[j]), 5, 4);
    END LOOP;
    RETURN digest;
END $$;
"""

# The same bytes as api.audit_chain writes: each field with its length before it, NULL with the length -1.
HASHING = """
CREATE FUNCTION audit_field(value text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT int4send(coalesce(octet_length(convert_to(value, 'UTF8')), -1)) || coalesce(convert_to(value, 'UTF8'), '') $$;

CREATE FUNCTION audit_algorithm() RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE current_setting('hulan.audit_hash', true) WHEN 'sm3' THEN 'sm3' ELSE 'sha256' END $$;

CREATE FUNCTION audit_hash(algorithm text, content bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE algorithm WHEN 'sm3' THEN audit_sm3(content) ELSE sha256(content) END $$;
"""

# A transaction takes the first chain that no other transaction holds, and keeps it until it ends: nobody ever waits.
# Under REPEATABLE READ the end of a free chain may lie beyond the snapshot: its key is taken then; the next is tried.
APPEND = """
CREATE FUNCTION audit_link(
    chain_wanted integer, kind text, subject_no bigint, table_name text, row_key text, columns text, row_hash bytea,
    detail text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    entry audit_entry;
BEGIN
    SELECT e.seq, e.hash INTO entry.seq, entry.previous_hash FROM audit_entry e
    WHERE e.chain = chain_wanted ORDER BY e.seq DESC LIMIT 1;
    entry.chain := chain_wanted;
    entry.seq := coalesce(entry.seq, 0) + 1;
    entry.previous_hash := coalesce(entry.previous_hash, decode(repeat('00', 32), 'hex'));
    entry.position := nextval('audit_position');
    entry.at := clock_timestamp();
    entry.algorithm := audit_algorithm();
    entry.kind := kind;
    entry.actor := coalesce(nullif(current_setting('hulan.actor', true), ''),
                            'system:' || coalesce(nullif(current_setting('application_name', true), ''), 'unnamed'));
    entry.login := session_user;
    entry.purpose := coalesce(current_setting('hulan.purpose', true), '');
    entry.request_id := coalesce(current_setting('hulan.request_id', true), '');
    entry.subject_no := subject_no;
    entry.table_name := table_name;
    entry.row_key := row_key;
    entry.columns := columns;
    entry.row_hash := row_hash;
    entry.detail := detail;
    entry.hash := audit_hash(
        entry.algorithm,
        entry.previous_hash || audit_field('hulan-audit-1') || audit_field(entry.chain::text)
        || audit_field(entry.seq::text) || audit_field(entry.position::text)
        || audit_field((extract(epoch FROM entry.at) * 1000000)::bigint::text) || audit_field(entry.algorithm)
        || audit_field(entry.kind) || audit_field(entry.actor) || audit_field(entry.login)
        || audit_field(entry.purpose) || audit_field(entry.request_id) || audit_field(entry.subject_no::text)
        || audit_field(entry.table_name) || audit_field(entry.row_key) || audit_field(entry.columns)
        || audit_field(encode(entry.row_hash, 'hex')) || audit_field(entry.detail)
    );
    INSERT INTO audit_entry VALUES (entry.*);
END $$;

CREATE FUNCTION audit_append(
    kind text, subject_no bigint, table_name text, row_key text, columns text, row_hash bytea, detail text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    lock_class CONSTANT integer := 1213353281;
    candidate integer := nullif(current_setting('hulan.audit_chain', true), '')::integer;
BEGIN
    IF candidate IS NOT NULL AND pg_try_advisory_xact_lock(lock_class, candidate) THEN
        PERFORM audit_link(candidate, kind, subject_no, table_name, row_key, columns, row_hash, detail);
        RETURN;
    END IF;
    candidate := 0;
    LOOP
        IF pg_try_advisory_xact_lock(lock_class, candidate) THEN
            BEGIN
                PERFORM audit_link(candidate, kind, subject_no, table_name, row_key, columns, row_hash, detail);
                PERFORM set_config('hulan.audit_chain', candidate::text, true);
                RETURN;
            EXCEPTION WHEN unique_violation THEN
                NULL;
            END;
        END IF;
        candidate := candidate + 1;
    END LOOP;
END $$;

CREATE FUNCTION audit_note(kind text, subject_no bigint, detail text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF kind LIKE 'row\\_%' OR kind !~ '^[a-z_]+$' THEN
        RAISE EXCEPTION 'audit: % is no kind of entry that an application may write', kind;
    END IF;
    PERFORM audit_append(kind, subject_no, NULL, NULL, NULL, NULL, detail);
END $$;
"""

ROWS = """
CREATE FUNCTION audit_rows_query(audited oid, personal text, source text) RETURNS text LANGUAGE sql STABLE AS $$
    WITH attribute AS (
        SELECT a.attname::text AS name, coalesce(a.attnum = ANY (i.indkey), false) AS is_key,
               a.attname::text = ANY (string_to_array(personal, ',')) AS is_personal
        FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = audited AND a.attnum > 0 AND NOT a.attisdropped
    )
    SELECT format(
        'SELECT %s AS key, %s AS subject, %s AS columns, %s AS content FROM %s n',
        CASE WHEN count(*) FILTER (WHERE is_key) = 1
            THEN max(format('n.%I::text', name)) FILTER (WHERE is_key)
            ELSE 'ARRAY[' || string_agg(format('n.%I::text', name), ',' ORDER BY name COLLATE "C") FILTER (WHERE is_key)
                || ']::text' END,
        CASE WHEN bool_or(name = 'subject_no') THEN 'n.subject_no' ELSE 'NULL::bigint' END,
        coalesce(string_agg(
            CASE WHEN is_personal THEN quote_literal(name || ':-')
            ELSE format('%L || substr(encode(sha256(audit_field(n.%I::text)), ''hex''), 1, 4)', name || ':', name) END,
            ' || '','' || ' ORDER BY name COLLATE "C") FILTER (WHERE NOT is_key), quote_literal('')),
        coalesce(string_agg(format('audit_field(%L) || audit_field(n.%I::text)', name, name), ' || '
            ORDER BY name COLLATE "C") FILTER (WHERE NOT is_key), quote_literal('') || '::bytea'),
        source
    ) FROM attribute
$$;

CREATE FUNCTION audit_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET extra_float_digits = 1
SET bytea_output = 'hex' SET intervalstyle = 'postgres' AS $$
DECLARE
    changed record;
    algorithm text := audit_algorithm();
    before text := 'SELECT NULL::text AS key, NULL::bigint AS subject, NULL::text AS columns, NULL::bytea AS content'
        ' LIMIT 0';
    after text := before;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        before := audit_rows_query(TG_RELID, TG_ARGV[0], 'old_rows');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := audit_rows_query(TG_RELID, TG_ARGV[0], 'new_rows');
    END IF;
    FOR changed IN EXECUTE format(
        'SELECT coalesce(n.key, o.key) AS key, coalesce(n.subject, o.subject) AS subject, n.columns, n.content,'
        ' CASE WHEN o.key IS NULL THEN ''row_inserted'' WHEN n.key IS NULL THEN ''row_deleted'''
        ' ELSE ''row_updated'' END AS kind FROM (%s) o FULL JOIN (%s) n ON n.key = o.key'
        ' WHERE o.key IS NULL OR n.key IS NULL OR o.content <> n.content', before, after)
    LOOP
        PERFORM audit_append(changed.kind, changed.subject, TG_TABLE_NAME, changed.key, changed.columns,
                             audit_hash(algorithm, changed.content), '');
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit: % of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Puts a table under audit, with an entry for each row that is there already.
CREATE FUNCTION audit_protect(audited regclass, personal text) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET extra_float_digits = 1
SET bytea_output = 'hex' SET intervalstyle = 'postgres' AS $$
DECLARE
    found record;
    name text := (SELECT relname FROM pg_class WHERE oid = audited);
BEGIN
    FOR found IN EXECUTE audit_rows_query(audited, personal, audited::text) || ' ORDER BY 1' LOOP
        PERFORM audit_append('row_registered', found.subject, name, found.key, found.columns,
                             audit_hash(audit_algorithm(), found.content), '');
    END LOOP;
    EXECUTE format('CREATE TRIGGER audit_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION audit_rows(%L)', audited, personal);
    EXECUTE format('CREATE TRIGGER audit_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows'
                   ' NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_rows(%L)', audited, personal);
    EXECUTE format('CREATE TRIGGER audit_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION audit_rows(%L)', audited, personal);
    EXECUTE format('CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON %s'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()', audited);
END $$;
"""

CHECKPOINTS = """
-- The last entry of each chain; one index probe per chain.
CREATE FUNCTION audit_heads() RETURNS TABLE (chain integer, seq bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE head AS (
        (SELECT e.chain, e.seq, e.hash FROM audit_entry e ORDER BY e.chain DESC, e.seq DESC LIMIT 1)
        UNION ALL
        SELECT below.chain, below.seq, below.hash FROM head, LATERAL (
            SELECT e.chain, e.seq, e.hash FROM audit_entry e WHERE e.chain < head.chain
            ORDER BY e.chain DESC, e.seq DESC LIMIT 1
        ) below
    )
    SELECT head.chain, head.seq, head.hash FROM head ORDER BY head.chain
$$;

CREATE FUNCTION audit_last_checkpoint() RETURNS audit_checkpoint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT c FROM audit_checkpoint c ORDER BY number DESC LIMIT 1 $$;

CREATE FUNCTION audit_save_checkpoint(checkpoint audit_checkpoint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ INSERT INTO audit_checkpoint SELECT checkpoint.* $$;
"""

GUARDS = """
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
REVOKE ALL ON audit_entry, audit_checkpoint, audit_position FROM PUBLIC;
REVOKE ALL ON FUNCTION
    audit_link(integer, text, bigint, text, text, text, bytea, text),
    audit_append(text, bigint, text, text, text, bytea, text), audit_protect(regclass, text) FROM PUBLIC;
"""

DOWN = """
DROP FUNCTION audit_rows() CASCADE;
DROP FUNCTION audit_refuse() CASCADE;
DROP FUNCTION audit_protect(regclass, text);
DROP FUNCTION audit_rows_query(oid, text, text);
DROP FUNCTION audit_note(text, bigint, text);
DROP FUNCTION audit_append(text, bigint, text, text, text, bytea, text);
DROP FUNCTION audit_link(integer, text, bigint, text, text, text, bytea, text);
DROP FUNCTION audit_heads();
DROP FUNCTION audit_last_checkpoint();
DROP FUNCTION audit_save_checkpoint(audit_checkpoint);
DROP FUNCTION audit_hash(text, bytea);
DROP FUNCTION audit_algorithm();
DROP FUNCTION audit_field(text);
DROP FUNCTION audit_sm3(bytea);
DROP TABLE audit_entry, audit_checkpoint;
"""


def upgrade() -> None:
    """Create the chain and put every table of people, rules and decisions under audit."""
    for statements in (TABLES, SM3, HASHING, APPEND, ROWS, CHECKPOINTS, GUARDS):
        op.execute(statements)
    for table, personal in AUDITED_TABLES.items():
        op.execute(f"SELECT audit_protect('{table}', '{personal}')")


def downgrade() -> None:
    """Drop the chain: whoever goes down exports it first."""
    op.execute(DOWN)
