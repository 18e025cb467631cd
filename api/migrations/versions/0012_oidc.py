"""Single sign-on: the identity that an account is linked to, and the log-ins by it that are finished."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create both tables. Nothing of them is granted to the application's role."""
    op.execute(
        """
        CREATE TABLE account_identity (
            account_no bigint PRIMARY KEY REFERENCES account,
            issuer text NOT NULL CHECK (issuer <> ''),
            subject text NOT NULL CHECK (subject <> ''),
            linked_at timestamptz NOT NULL,
            UNIQUE (issuer, subject)
        );
        CREATE TABLE oidc_state (
            state_hash bytea PRIMARY KEY,
            used_at timestamptz NOT NULL
        );
        CREATE INDEX oidc_state_used ON oidc_state (used_at);
        ALTER TABLE account_identity ENABLE ROW LEVEL SECURITY;
        ALTER TABLE oidc_state ENABLE ROW LEVEL SECURITY;
        SELECT audit_protect('account_identity', 'subject');
        GRANT SELECT ON account_identity TO hulan_gate;
        GRANT SELECT, INSERT, DELETE ON oidc_state TO hulan_gate;
        GRANT SELECT (kind) ON account TO hulan_gate;
        CREATE POLICY every_row_for_hulan_gate ON account_identity FOR SELECT TO hulan_gate USING (true);
        CREATE POLICY every_row_for_hulan_gate ON oidc_state TO hulan_gate USING (true) WITH CHECK (true);
        """
    )


def downgrade() -> None:
    """Remove them again."""
    op.execute("DROP TABLE account_identity")
    op.execute("DROP TABLE oidc_state")
    op.execute("REVOKE SELECT (kind) ON account FROM hulan_gate")
