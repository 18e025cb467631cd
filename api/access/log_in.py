"""Logging in: name and password, then the code; counted before looked at, and under a new session id at each step.

Who logs in, is refused, is locked out or logs out goes into the audit: an account by its id, a name without an account
by a keyed hash, because people type passwords there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.accounts import change_password, normal_name
from api.access.caller import Caller, actor_of
from api.access.passwords import PASSWORDS, Passwords, check_new_password
from api.access.second_factor import start_enrolment, use_code
from api.access.sessions import SessionTimes, end_session, find_session, hash_session, open_session
from api.access.throttle import Attempt, begin_attempt, clear_account, withdraw_attempt
from api.audit import LookKind, name_actor, record_event
from api.errors import NotAllowedError, WrongCredentialsError

NOBODY = "anonymous"
"""The actor of an attempt whose password was not right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """An attempt that was counted. ``is_last``: the next one has to wait if this one fails."""

    attempt: Attempt
    is_last: bool


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
        counted = self._begin(login_name, address, now)
        with self.engine.begin() as connection:
            row = connection.execute(
                text(
                    "SELECT account_no, account_id, password_hash, disabled_at, expires_at, password_expires_at"
                    " FROM account WHERE login_name = :login_name"
                ),
                {"login_name": login_name},
            ).one_or_none()
        is_right = self.passwords.is_right(password, None if row is None else row.password_hash)
        if row is None or not is_right or not _may_log_in(row, now):
            self._note_refusal(counted, None if row is None else row.account_id, actor=NOBODY)
            raise WrongCredentialsError
        new_hash = self.passwords.hash(password) if self.passwords.needs_rehash(row.password_hash) else None
        with self.engine.begin() as connection:
            name_actor(connection, actor=actor_of(row.account_id))
            withdraw_attempt(connection, counted.attempt, now=now)
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
            _note(connection, caller, LookKind.SECOND_FACTOR)
            return start_enrolment(connection, caller.account_no, login_name=caller.login_name, secret=self.secret)

    def by_code(self, caller: Caller, code: str, *, address: str, now: datetime) -> str:
        """A full session's id, in place of the half one. Raises as :meth:`by_password`."""
        counted = self._begin(caller.login_name, address, now)
        with self.engine.begin() as connection:
            name_actor(connection, actor=actor_of(caller.account_id))
            is_right = use_code(connection, caller.account_no, code, secret=self.secret, now=now)
        if not is_right:
            self._note_refusal(counted, caller.account_id, actor=actor_of(caller.account_id))
            raise WrongCredentialsError
        with self.engine.begin() as connection:
            _note(connection, caller, LookKind.LOG_IN)
            withdraw_attempt(connection, counted.attempt, now=now)
            clear_account(connection, counted.attempt.account_key)
            return self._renewed(connection, caller, now)

    def to_new_password(self, caller: Caller, *, old: str, new: str, address: str, now: datetime) -> str:
        """Change the password; every session ends but the caller's, which goes on under a new id.

        Raises ``WeakPasswordError`` too.
        """
        check_new_password(new, old=old, login_name=caller.login_name)
        counted = self._begin(caller.login_name, address, now)
        try:
            with self.engine.begin() as connection:
                _note(connection, caller, LookKind.PASSWORD_CHANGED)
                change_password(connection, caller.account_no, old=old, new=new, now=now, passwords=self.passwords)
                withdraw_attempt(connection, counted.attempt, now=now)
                return self._renewed(connection, caller, now)
        except WrongCredentialsError:
            self._note_refusal(counted, caller.account_id, actor=actor_of(caller.account_id))
            raise

    def log_out(self, caller: Caller, now: datetime) -> None:
        """End the caller's session."""
        assert caller.session_hash is not None
        with self.engine.begin() as connection:
            _note(connection, caller, LookKind.LOG_OUT)
            end_session(connection, caller.session_hash, now=now)

    def find(self, session_id: str, now: datetime, *, is_use: bool = True) -> Caller | None:
        """Whose session it is. ``is_use``: as in :func:`api.access.sessions.find_session`."""
        with self.engine.begin() as connection:
            session_hash = hash_session(session_id, self.secret)
            return find_session(connection, session_hash, times=self.times, now=now, is_use=is_use)

    def _begin(self, login_name: str, address: str, now: datetime) -> _Counted:
        attempt = Attempt.of(login_name=login_name, address=address, secret=self.secret)
        with self.engine.begin() as connection:
            return _Counted(attempt=attempt, is_last=begin_attempt(connection, attempt, now=now))

    def _note_refusal(self, counted: _Counted, account_id: UUID | None, *, actor: str) -> None:
        attempt = counted.attempt
        who = f"name {attempt.account_key.hex()[:12]}" if account_id is None else f"account {account_id}"
        detail = f"{who} from {attempt.address_key.hex()[:12]}"
        with self.engine.begin() as connection:
            name_actor(connection, actor=actor)
            record_event(connection, LookKind.LOG_IN_REFUSED, subject_no=None, detail=detail)
            if counted.is_last:
                record_event(connection, LookKind.LOCKED_OUT, subject_no=None, detail=detail)

    def _renewed(self, connection: Connection, caller: Caller, now: datetime) -> str:
        assert caller.session_hash is not None
        end_session(connection, caller.session_hash, now=now)
        return open_session(connection, caller.account_no, is_full=True, secret=self.secret, times=self.times, now=now)


def _note(connection: Connection, caller: Caller, kind: LookKind) -> None:
    name_actor(connection, actor=actor_of(caller.account_id))
    record_event(connection, kind, subject_no=None, detail=f"account {caller.account_id}")


def _may_log_in(row: Any, now: datetime) -> bool:
    ends = (row.expires_at, row.password_expires_at)
    return row.disabled_at is None and all(end is None or end > now for end in ends)
