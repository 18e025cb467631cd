"""Logging in: name and password, then the code; counted before looked at, and under a new session id at each step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from api.access.accounts import change_password, normal_name
from api.access.caller import Caller
from api.access.passwords import PASSWORDS, Passwords, check_new_password
from api.access.second_factor import start_enrolment, use_code
from api.access.sessions import SessionTimes, end_session, find_session, hash_session, open_session
from api.access.throttle import Attempt, begin_attempt, clear_account, withdraw_attempt
from api.errors import NotAllowedError, WrongCredentialsError


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """The steps of a log-in. Each is its own transactions; passwords are hashed outside of them."""

    engine: Engine
    secret: bytes
    times: SessionTimes
    passwords: Passwords = PASSWORDS

    def by_password(self, login_name: str, password: str, *, address: str, old_id: str | None, now: datetime) -> str:
        """A half session's id. Raises ``WrongCredentialsError``, ``TooManyAttemptsError``."""
        login_name = normal_name(login_name)
        attempt = self._begin(login_name, address, now)
        with self.engine.begin() as connection:
            row = connection.execute(
                text(
                    "SELECT account_no, password_hash, disabled_at, expires_at, password_expires_at FROM account"
                    " WHERE login_name = :login_name"
                ),
                {"login_name": login_name},
            ).one_or_none()
        is_right = self.passwords.is_right(password, None if row is None else row.password_hash)
        if row is None or not is_right or not _may_log_in(row, now):
            raise WrongCredentialsError
        new_hash = self.passwords.hash(password) if self.passwords.needs_rehash(row.password_hash) else None
        with self.engine.begin() as connection:
            withdraw_attempt(connection, attempt, now=now)
            if new_hash is not None:
                connection.execute(
                    text(
                        "UPDATE account SET password_hash = :new WHERE account_no = :account_no"
                        " AND password_hash = :old"
                    ),
                    {"new": new_hash, "old": row.password_hash, "account_no": row.account_no},
                )
            if old_id is not None:
                end_session(connection, hash_session(old_id, self.secret), now=now)
            return open_session(
                connection, row.account_no, is_full=False, secret=self.secret, times=self.times, now=now
            )

    def enrol(self, caller: Caller) -> str:
        """The ``otpauth://`` address of a new second factor. Raises ``NotAllowedError`` if one is confirmed already."""
        if caller.has_totp:
            raise NotAllowedError
        with self.engine.begin() as connection:
            return start_enrolment(connection, caller.account_no, login_name=caller.login_name, secret=self.secret)

    def by_code(self, caller: Caller, code: str, *, address: str, now: datetime) -> str:
        """A full session's id, in place of the half one. Raises as :meth:`by_password`."""
        attempt = self._begin(caller.login_name, address, now)
        with self.engine.begin() as connection:
            is_right = use_code(connection, caller.account_no, code, secret=self.secret, now=now)
        if not is_right:
            raise WrongCredentialsError
        with self.engine.begin() as connection:
            withdraw_attempt(connection, attempt, now=now)
            clear_account(connection, attempt.account_key)
            return self._renewed(connection, caller, now)

    def to_new_password(self, caller: Caller, *, old: str, new: str, address: str, now: datetime) -> str:
        """Change the password; every session ends but the caller's, which goes on under a new id.

        Raises ``WeakPasswordError`` too.
        """
        check_new_password(new, old=old, login_name=caller.login_name)
        attempt = self._begin(caller.login_name, address, now)
        with self.engine.begin() as connection:
            change_password(connection, caller.account_no, old=old, new=new, now=now, passwords=self.passwords)
            withdraw_attempt(connection, attempt, now=now)
            return self._renewed(connection, caller, now)

    def find(self, session_id: str, now: datetime) -> Caller | None:
        """Whose session it is."""
        with self.engine.begin() as connection:
            return find_session(connection, hash_session(session_id, self.secret), times=self.times, now=now)

    def _begin(self, login_name: str, address: str, now: datetime) -> Attempt:
        attempt = Attempt.of(login_name=login_name, address=address, secret=self.secret)
        with self.engine.begin() as connection:
            begin_attempt(connection, attempt, now=now)
        return attempt

    def _renewed(self, connection: Connection, caller: Caller, now: datetime) -> str:
        assert caller.session_hash is not None
        end_session(connection, caller.session_hash, now=now)
        return open_session(connection, caller.account_no, is_full=True, secret=self.secret, times=self.times, now=now)


def _may_log_in(row: Any, now: datetime) -> bool:
    ends = (row.expires_at, row.password_expires_at)
    return row.disabled_at is None and all(end is None or end > now for end in ends)
