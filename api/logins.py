"""As whom each process logs in to the database, and whether that login can do no more than it needs (ADR 0017)."""

from enum import StrEnum

from sqlalchemy import Connection, text


class Login(StrEnum):
    """The logins of the embedded database; on a server of one's own they may have other names."""

    OWNER = "hulan"
    """Owns the tables: migrations, and commands that an administrator types."""
    WEB = "hulan_web"
    """The web process: role ``hulan_gate``, and ``hulan_app`` within ``as_account``."""
    WORKER = "hulan_service"
    """The worker: role ``hulan_worker``."""


ROLE_OF = {Login.WEB: "hulan_gate", Login.WORKER: "hulan_worker"}
"""Login → the role whose rights it has (migration 0008)."""

_RIGHTS = text("""
SELECT r.rolname AS name, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication AS is_mighty,
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
               AND c.relname IN ('subject', 'fix', 'audit_entry') AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
           AS is_owner,
       pg_has_role(r.oid, CAST(:own AS name), 'USAGE') AS has_own,
       pg_has_role(r.oid, CAST(:other AS name), 'MEMBER') AS has_other
FROM pg_roles r WHERE r.rolname = session_user
""")


def find_login_fault(connection: Connection, login: Login) -> str | None:
    """What is wrong with the rights of this connection for a process that should have those of ``login``.

    In Chinese and English; ``None`` if nothing is, and for the owner, of whom nothing is asked.
    """
    if login is Login.OWNER:
        return None
    own = ROLE_OF[login]
    other = next(role for role in ROLE_OF.values() if role != own)
    found = connection.execute(_RIGHTS, {"own": own, "other": other}).one()
    if found.is_mighty or found.is_owner:
        return (
            f"登录角色 {found.name} 能绕过行级安全（超级用户、BYPASSRLS、CREATEROLE、REPLICATION 或表的所有者）："
            f"请改用只属于 {own} 的角色"
            f" / login {found.name} could get around row-level security (superuser, BYPASSRLS, CREATEROLE, REPLICATION,"
            f" or owner of the tables): use one that belongs to {own} only"
        )
    if not found.has_own:
        return (
            f"登录角色 {found.name} 缺少权限：请执行 GRANT {own} TO {found.name}"
            f" / login {found.name} lacks its rights: GRANT {own} TO {found.name}"
        )
    if found.has_other:
        return (
            f"登录角色 {found.name} 还属于 {other}：请执行 REVOKE {other} FROM {found.name}"
            f" / login {found.name} belongs to {other} too: REVOKE {other} FROM {found.name}"
        )
    return None
