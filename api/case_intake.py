"""Cases that officers filed over the web, registered by a worker: each once, in a transaction of its own.

The transaction runs as ``hulan_registrar`` (migration 0019), which reaches the cases of the account that asked. Nothing
about a case of somebody else is told: it is not there.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import InterfaceError, OperationalError

from api.access.caller import actor_of
from api.audit import name_actor
from api.case_file import CaseIn, CasesRead
from api.case_import import register_cases
from api.cases import Registered
from api.ids import shard_of, subject_id_for
from api.personal.fields import current_key, open_field, seal_row
from api.personal.keyring import Keyring, KeyringError
from api.personal.sealing import SealError
from venues.place import Rejected

log = structlog.get_logger()

TABLE = "case_intake"
KEPT = timedelta(days=30)
"""How long it can be read what became of a file; the audit has it for good."""

NOT_THERE = "没有这一项 / not there"
_NOT_READ = "内容已损坏，请重新提交 / what was filed is damaged: file it again"
_NOT_STORED = "无法登记，请核对各项内容；仍不行请联系管理员 / cannot be registered: check it, or ask the administrator"

_CLAIM = text("""
SELECT i.*, a.account_id FROM case_intake i JOIN account a USING (account_no) WHERE i.done_at IS NULL
ORDER BY i.asked_at, i.intake_id, i.line LIMIT 1 FOR UPDATE OF i SKIP LOCKED
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """What became of one case of a file. ``change``: of ``api.cases.Change``; ``None`` while it waits, or rejected."""

    reference: str
    change: str | None = None
    doubts: Sequence[str] = ()
    rejected: Sequence[dict[str, str]] = ()

    def written(self) -> str:
        """As it is sealed."""
        return json.dumps(asdict(self))


def outcome_of(written: str) -> CaseOutcome:
    """What :meth:`CaseOutcome.written` wrote."""
    return CaseOutcome(**json.loads(written))


def told(item: Rejected) -> dict[str, str]:
    """A rejection as the officer is told; what cannot be written as text is replaced."""
    fields = {"field": item.field, "value": item.value, "reason": item.reason}
    return {name: words.encode(errors="replace").decode() for name, words in fields.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    outcome: CaseOutcome
    subject_no: int | None = None
    token: str | None = field(default=None, repr=False)


def register_waiting(engine: Engine, keyring: Keyring, *, secret: bytes, at: datetime) -> bool:
    """Register or reject the case that waits longest and that no other worker holds; False if there is none.

    ``secret``: of the tokens of devices. Raises ``KeyringError``, and what says that the database is away: the case
    then waits on. Whatever else is wrong with a case costs that case and never the worker.
    """
    with as_registrar(engine) as connection:
        row = connection.execute(_CLAIM).one_or_none()
        if row is None:
            return False
        connection.execute(text("SELECT set_config('hulan.account_id', :id, true)"), {"id": str(row.account_id)})
        name_actor(connection, actor=actor_of(row.account_id), purpose=f"case-file {row.intake_id}")
        _save(connection, keyring, row.item_id, _settled(connection, row, keyring, secret=secret, at=at))
    return True


def forget_case_files(engine: Engine, *, at: datetime) -> int:
    """Delete what was done long ago; returns how many cases of files that were."""
    with as_registrar(engine) as connection:
        done = connection.execute(text("DELETE FROM case_intake WHERE done_at < :before"), {"before": at - KEPT})
        return done.rowcount


@contextmanager
def as_registrar(engine: Engine) -> Iterator[Connection]:
    """One transaction under the role that registers cases."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE hulan_registrar"))
        yield connection


def _settled(connection: Connection, row: Any, keyring: Keyring, *, secret: bytes, at: datetime) -> _Settled:
    filed = CaseOutcome(reference="")
    nested = connection.begin_nested()
    try:
        filed = outcome_of(_opened(keyring, row, "result", row.result))
        case = CaseIn.model_validate_json(_opened(keyring, row, "content", row.content))
        found = _admitted_and_registered(connection, row, case, keyring, secret=secret, at=at)
    except (OperationalError, InterfaceError, KeyringError):
        raise
    except Exception as error:  # one case must not hold up the others, nor stop what watches people
        nested.rollback()
        log.warning("case_not_registered", intake_id=str(row.intake_id), line=row.line, error=type(error).__name__)
        return _refused(filed, _NOT_READ if isinstance(error, SealError) else _NOT_STORED)
    if isinstance(found, Registered):
        nested.commit()
        outcome = CaseOutcome(reference=filed.reference, change=str(found.change), doubts=found.doubts)
        return _Settled(outcome=outcome, subject_no=found.subject_no, token=found.token)
    nested.rollback()  # nobody stays who was added for a case that is not taken
    return _Settled(outcome=CaseOutcome(reference=filed.reference, rejected=[told(item) for item in found]))


def _opened(keyring: Keyring, row: Any, column: str, sealed: bytes) -> str:
    return open_field(keyring, sealed, key_id=row.key_id, table=TABLE, column=column, row_id=row.item_id)


def _refused(filed: CaseOutcome, reason: str) -> _Settled:
    item = Rejected(line=0, reference="", field="", value="", reason=reason)
    return _Settled(outcome=CaseOutcome(reference=filed.reference, rejected=[told(item)]))


def _admitted_and_registered(
    connection: Connection, row: Any, case: CaseIn, keyring: Keyring, *, secret: bytes, at: datetime
) -> Registered | list[Rejected]:
    subject_id: UUID = subject_id_for(case.reference)
    admitted = connection.execute(
        text("SELECT admit_case(:item, :subject_id, :shard, :alias, :born)"),
        {
            "item": row.item_id, "subject_id": subject_id, "shard": shard_of(subject_id), "alias": case.alias,
            "born": case.birth_date,
        },
    ).scalar_one()  # fmt: skip
    if admitted is None:
        return [Rejected(line=row.line, reference="", field="reference", value="", reason=NOT_THERE)]
    read = CasesRead(cases=(case,), rejected=(), lines=(row.line,))
    done, rejected = register_cases(connection, read, keyring=keyring, secret=secret, at=at)
    return done[0] if done else rejected


def _save(connection: Connection, keyring: Keyring, item_id: UUID, settled: _Settled) -> None:
    """The outcome takes the place of the content, sealed like it."""
    key = current_key(connection, keyring)
    texts = {"result": settled.outcome.written()} | ({} if settled.token is None else {"token": settled.token})
    sealed = seal_row(key, table=TABLE, row_id=item_id, values=texts)
    connection.execute(
        text(
            "UPDATE case_intake SET content = NULL, result = :result, token = :token, key_id = :key_id,"
            " subject_no = :subject_no, done_at = now() WHERE item_id = :item_id"
        ),
        {
            "result": sealed["result"], "token": sealed.get("token"), "key_id": key.key_id,
            "subject_no": settled.subject_no, "item_id": item_id,
        },
    )  # fmt: skip
