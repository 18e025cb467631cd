"""Who comes with a code or a token: throttled, looked up, answered; each visit one transaction after the count."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from alerts.alert import AlertState
from alerts.answer import Answer
from alerts.link import LinkPolicy, hash_of_code, read_code, read_token
from alerts.policy import AlertPolicy
from alerts.templates import BUILT_IN, Catalogue
from api.clock import SystemClock
from api.guardian.answering import OpenedLink, answer, hold_link
from api.guardian.throttle import count_try, take_back_try


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A good link as it is after the visit. ``ticket``: its code or token, as the form sends it back."""

    link: OpenedLink
    ticket: str
    at: datetime
    is_answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianDesk:
    """One per process. ``key``: :func:`alerts.link.link_key`."""

    engine: Engine
    key: bytes
    clock: SystemClock
    links: LinkPolicy = field(default_factory=LinkPolicy)
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    catalogue: Catalogue = BUILT_IN

    def visit(self, ticket: str, *, address: str, chosen: Answer | None) -> Visit | None:
        """What is there for a code or token, after the answer if one is given; ``None`` if there is nothing.

        An answer about a closed alert is not taken. Raises ``TooManyAttemptsError``. What is no
        code is counted too.
        """
        now = self.clock.now()
        link_id = read_token(ticket, key=self.key)
        if link_id is not None:
            with self.engine.begin() as connection:
                return self._visit(connection, ticket, now, chosen, link_id=link_id)
        if not ticket:
            return None
        code = read_code(ticket)
        self._count(address, now, is_code=bool(code))
        if not code:
            return None
        with self.engine.begin() as connection:
            visit = self._visit(connection, code, now, chosen, token_hash=hash_of_code(code, key=self.key))
            if visit is not None:
                take_back_try(connection, address, key=self.key)
            return visit

    def _count(self, address: str, now: datetime, *, is_code: bool) -> None:
        """Committed before anything is looked up: tries made at the same moment cannot all slip through."""
        with self.engine.connect() as connection:
            try:
                count_try(connection, address, is_code=is_code, key=self.key, now=now, policy=self.links)
            finally:
                connection.commit()

    def _visit(
        self,
        connection: Connection,
        ticket: str,
        now: datetime,
        chosen: Answer | None,
        *,
        token_hash: bytes | None = None,
        link_id: UUID | None = None,
    ) -> Visit | None:
        def held() -> OpenedLink | None:
            return hold_link(connection, now=now, policy=self.links, token_hash=token_hash, link_id=link_id)

        link = held()
        if link is None:
            return None
        if chosen is None or link.alert.state is AlertState.CLOSED:
            return Visit(link=link, ticket=ticket, at=now, is_answered=False)
        answer(connection, link, chosen, now=now, policy=self.alerts)
        return Visit(link=held() or link, ticket=ticket, at=now, is_answered=True)
