"""Accounts of people: made, given a role, disabled, unlocked, and moved to a new password."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.access.passwords import PASSWORDS, Passwords, make_password
from api.access.roles import ADMINISTRATORS, AccountRole, kind_of
from api.access.second_factor import forget_secret
from api.access.sessions import end_sessions_of
from api.errors import WrongCredentialsError
from api.ids import new_id

FIRST_PASSWORD_LIVES = timedelta(hours=72)
"""Until it must have been changed: a slip of paper is not a password for good."""


class AccountError(ValueError):
    """An account cannot be made or changed as asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """A person who shall have an account. ``staff_number`` names the person: nobody has two accounts."""

    login_name: str
    staff_number: str
    display_name: str
    roles: frozenset[AccountRole]
    division_code: str | None = None
    expires_at: datetime | None = None


def normal_name(login_name: str) -> str:
    """The one form of a name, so that 'Wang', 'wang' and the full-width 'ｗａｎｇ' are one account."""
    return unicodedata.normalize("NFKC", login_name).casefold().strip()


def create_account(
    connection: Connection, draft: AccountDraft, *, now: datetime, passwords: Passwords = PASSWORDS
) -> tuple[UUID, str]:
    """A new account and its first password, which is shown once. Raises :class:`AccountError`."""
    kinds = {kind_of(role) for role in draft.roles}
    if len(kinds) != 1 or len(draft.roles & ADMINISTRATORS) > 1:
        raise AccountError(
            "三类管理员互斥，也不能兼任办案人员；至少需要一个角色"
            " / one person holds one administrator role and then no other; at least one role is needed"
        )
    account_id = new_id()
    values = {
        "account_id": account_id,
        "kind": next(iter(kinds)),
        "login_name": normal_name(draft.login_name),
        "staff_number": normal_name(draft.staff_number),
        "display_name": draft.display_name,
        "division_no": _division_no(connection, draft.division_code),
        "now": now,
        "expires_at": draft.expires_at,
    }
    _check_unused(connection, values)
    password = make_password()
    account_no = connection.execute(
        text(
            "INSERT INTO account (account_id, kind, login_name, staff_number, display_name, division_no, password_hash,"
            " password_expires_at, created_at, expires_at) VALUES (:account_id, :kind, :login_name, :staff_number,"
            " :display_name, :division_no, :password_hash, :password_expires_at, :now, :expires_at)"
            " RETURNING account_no"
        ),
        values | {"password_hash": passwords.hash(password), "password_expires_at": now + FIRST_PASSWORD_LIVES},
    ).scalar_one()
    for role in sorted(draft.roles):
        connection.execute(
            text(
                "INSERT INTO account_role (account_no, role, kind, granted_at) VALUES (:account_no, :role, :kind, :now)"
            ),
            {"account_no": account_no, "role": role, "kind": values["kind"], "now": now},
        )
    return account_id, password


def _check_unused(connection: Connection, values: dict[str, Any]) -> None:
    if not values["login_name"] or not values["staff_number"]:
        raise AccountError("登录名和工号不能为空 / log-in name and staff number must not be empty")
    taken = connection.execute(
        text("SELECT 1 FROM account WHERE login_name = :login_name OR staff_number = :staff_number"), values
    ).first()
    if taken is not None:
        raise AccountError(
            "登录名或工号已有账号，一人只能有一个账号"
            " / the log-in name or the staff number has an account: one person, one account"
        )


def _division_no(connection: Connection, code: str | None) -> int | None:
    if code is None:
        return None
    found = connection.execute(text("SELECT division_no FROM division WHERE code = :code"), {"code": code}).scalar()
    if found is None:
        raise AccountError(f"没有区划 {code} / there is no division {code}: add it with `hulan division add`")
    return int(found)


def add_division(connection: Connection, *, code: str, name: str, parent_code: str | None) -> None:
    """Add a division to the tree of jurisdictions, or rename a known one. A parent is fixed once."""
    connection.execute(
        text(
            "INSERT INTO division (code, name, parent_no) VALUES (:code, :name, :parent_no)"
            " ON CONFLICT (code) DO UPDATE SET name = :name"
        ),
        {"code": code, "name": name, "parent_no": _division_no(connection, parent_code)},
    )


def account_no_of(connection: Connection, login_name: str) -> int:
    """The account with this name; raises :class:`AccountError`."""
    found = connection.execute(
        text("SELECT account_no FROM account WHERE login_name = :login_name"), {"login_name": normal_name(login_name)}
    ).scalar()
    if found is None:
        raise AccountError("没有这个账号 / there is no such account")
    return int(found)


def disable_account(connection: Connection, account_no: int, *, now: datetime) -> None:
    """From now on nobody is let in with it; its sessions end, its tokens and its place in case teams too."""
    values = {"account_no": account_no, "now": now}
    for statement in (
        "UPDATE account SET disabled_at = coalesce(disabled_at, :now) WHERE account_no = :account_no",
        "UPDATE api_token SET revoked_at = :now WHERE account_no = :account_no AND revoked_at IS NULL",
        "UPDATE case_member SET left_at = greatest(:now, joined_at) WHERE account_no = :account_no AND left_at IS NULL",
    ):
        connection.execute(text(statement), values)
    end_sessions_of(connection, account_no, now=now)


def reset_totp(connection: Connection, account_no: int, *, now: datetime) -> str:
    """For a lost telephone: the second factor is forgotten, and a new first password is returned, shown once.

    Both, because whoever knows the old password could otherwise enrol a telephone of their own.
    """
    password = make_password()
    forget_secret(connection, account_no)
    _set_password(connection, account_no, PASSWORDS.hash(password), expires_at=now + FIRST_PASSWORD_LIVES)
    end_sessions_of(connection, account_no, now=now)
    return password


def change_password(
    connection: Connection, account_no: int, *, old: str, new: str, now: datetime, passwords: Passwords = PASSWORDS
) -> None:
    """Replace the password by one that was checked, and end every session. Raises ``WrongCredentialsError``."""
    stored = connection.execute(
        text("SELECT password_hash FROM account WHERE account_no = :account_no FOR UPDATE"), {"account_no": account_no}
    ).scalar_one()
    if not passwords.is_right(old, stored):
        raise WrongCredentialsError
    _set_password(connection, account_no, passwords.hash(new), expires_at=None)
    end_sessions_of(connection, account_no, now=now)


def _set_password(connection: Connection, account_no: int, password_hash: str, *, expires_at: datetime | None) -> None:
    connection.execute(
        text(
            "UPDATE account SET password_hash = :password_hash, password_expires_at = :expires_at"
            " WHERE account_no = :account_no"
        ),
        {"password_hash": password_hash, "expires_at": expires_at, "account_no": account_no},
    )


def join_case(connection: Connection, subject_no: int, account_no: int, *, now: datetime) -> None:
    """Put an officer on the team of a subject's case; to be on it already is no error."""
    connection.execute(
        text(
            "INSERT INTO case_member (subject_no, account_no, joined_at) SELECT :subject_no, :account_no, :now"
            " WHERE NOT EXISTS (SELECT FROM case_member WHERE subject_no = :subject_no"
            " AND account_no = :account_no AND left_at IS NULL)"
        ),
        {"subject_no": subject_no, "account_no": account_no, "now": now},
    )


def leave_case(connection: Connection, subject_no: int, account_no: int, *, now: datetime) -> None:
    """Take an officer off the team."""
    connection.execute(
        text(
            "UPDATE case_member SET left_at = greatest(:now, joined_at)"
            " WHERE subject_no = :subject_no AND account_no = :account_no AND left_at IS NULL"
        ),
        {"subject_no": subject_no, "account_no": account_no, "now": now},
    )


def set_jurisdiction(connection: Connection, subject_no: int, division_code: str) -> None:
    """Say which division a subject's case belongs to. Raises :class:`AccountError` for an unknown one."""
    connection.execute(
        text(
            "INSERT INTO subject_jurisdiction (subject_no, division_no) VALUES (:subject_no, :division_no)"
            " ON CONFLICT (subject_no) DO UPDATE SET division_no = :division_no"
        ),
        {"subject_no": subject_no, "division_no": _division_no(connection, division_code)},
    )
