"""One export from the question to the signed ZIP: a person's track, or the evidence of an alert, for an account.

All of it is one transaction: the look is checked, the audit written, the rows counted and read, the run kept. If more
rows would leave than may, nothing of that stays, and the refusal is noted by itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.caller import Caller, as_account
from api.audit import LookKind, record_event
from api.errors import ExportLimitError, LookMissingError, NotThereError, RefusedInputError, SpanTooNarrowError
from api.evidence.case import read_case
from api.evidence.making import make_evidence
from api.explaining import MARGIN
from api.exporting.manifest import Contents, SignedPack, sign_pack
from api.exporting.packing import Packing
from api.exporting.runs import ExportRun, check_rows, own_entry, record_run, rows_allowed
from api.exporting.stamp import Stamp
from api.exporting.track import read_track
from api.exporting.track_files import TrackFormat, track_file
from api.histories import LOOK_BACK
from api.ids import new_id
from api.look_policy import Look, SightKind
from api.looks import find_look, note_look
from api.request_ids import current_request_id
from tracking.policy import PresencePolicy

MOST_ROWS = 200_000
"""In one export, approved or not: half a year of a fix a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOut:
    """A finished export."""

    export_id: UUID
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSpan:
    """What a look must span for the evidence of an alert (aware), and how many rows would leave."""

    from_at: datetime
    to_at: datetime
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Hands out packs; one per process."""

    engine: Engine
    packing: Packing
    now: Callable[[], datetime]

    def export_track(self, caller: Caller, *, subject_id: UUID, look_id: UUID | None, wanted: TrackFormat) -> HandedOut:
        """The fixes of a subject within the span of a look of kind export.

        Raises ``NotThereError``, ``LookMissingError``, ``ApprovalMissingError``, ``ExportLimitError``, and
        ``RefusedInputError`` for a look without a span.
        """
        with self._transaction(caller, look_id) as connection:
            subject_no = _scalar(connection, "SELECT subject_no FROM subject WHERE subject_id = :id", subject_id)
            look = self._look(connection, caller, look_id, subject_no, SightKind.EXPORT)
            if look.from_at is None or look.to_at is None:
                raise RefusedInputError("a look at an export needs a span")
            allowed = rows_allowed(connection, look)
            most = MOST_ROWS if allowed is None else min(allowed, MOST_ROWS)
            rows = read_track(connection, subject_no, from_at=look.from_at, to_at=look.to_at, most=most + 1)
            check_rows(len(rows), allowed)
            if len(rows) > MOST_ROWS:
                raise RefusedInputError("more rows than one export may have")
            stamp = self._stamp(caller, look)
            name = f"track.{wanted}"
            note_look(
                connection, look, account_id=caller.account_id, detail=f"export {stamp.export_id} rows {len(rows)}"
            )
            pack = sign_pack(
                Contents(
                    kind=SightKind.EXPORT,
                    subject_id=subject_id,
                    alert_id=None,
                    members={name: track_file(rows, stamp, wanted)},
                    row_counts={name: len(rows)},
                    track_rows=len(rows),
                ),
                stamp,
                audit=own_entry(connection),
                versions={"hulan": version("hulan")},
                algorithms=self.packing.algorithms,
                key=self.packing.key,
            )
            record_run(connection, _run(look, stamp, pack, track_rows=len(rows), alert_id=None))
        return HandedOut(export_id=stamp.export_id, content=pack.content)

    def export_evidence(self, caller: Caller, *, alert_id: UUID, look_id: UUID | None) -> HandedOut:
        """The evidence pack of an alert under a look of kind evidence.

        Raises as :meth:`export_track`, and ``SpanTooNarrowError`` when the look does not reach back to the last
        silence: what was decided could not be weighed again.
        """
        with self._transaction(caller, look_id) as connection:
            subject_no = _scalar(connection, "SELECT subject_no FROM alert WHERE alert_id = :id", alert_id)
            look = self._look(connection, caller, look_id, subject_no, SightKind.EVIDENCE)
            span = evidence_span(connection, alert_id)
            if look.from_at is None or look.to_at is None or look.from_at > span.from_at or look.to_at < span.to_at:
                raise SpanTooNarrowError
            allowed = rows_allowed(connection, look)
            case = read_case(
                connection, str(alert_id), keyring=self.packing.keyring, is_synthetic=self.packing.is_synthetic
            )
            check_rows(len(case.fixes), allowed)
            stamp = self._stamp(caller, look)
            note_look(
                connection,
                look,
                account_id=caller.account_id,
                detail=f"alert {alert_id} export {stamp.export_id} rows {len(case.fixes)}",
            )
            pack = make_evidence(
                case,
                stamp,
                audit=own_entry(connection),
                key=self.packing.key,
                algorithms=self.packing.algorithms,
                assets_dir=self.packing.assets_dir,
            )
            record_run(connection, _run(look, stamp, pack, track_rows=len(case.fixes), alert_id=alert_id))
        return HandedOut(export_id=stamp.export_id, content=pack.content)

    @contextmanager
    def _transaction(self, caller: Caller, look_id: UUID | None) -> Iterator[Connection]:
        try:
            with as_account(self.engine, caller.account_id) as connection:
                yield connection
        except ExportLimitError:
            with as_account(self.engine, caller.account_id) as connection:
                query = text("SELECT subject_no FROM look WHERE look_id = :id")
                subject_no = connection.execute(query, {"id": look_id}).scalar()
                detail = f"look {look_id} more rows than may leave without approval"
                record_event(connection, LookKind.EXPORT_REFUSED, subject_no=subject_no, detail=detail)
            raise

    def _look(
        self, connection: Connection, caller: Caller, look_id: UUID | None, subject_no: int, kind: SightKind
    ) -> Look:
        if look_id is None:
            raise LookMissingError
        return find_look(
            connection, look_id, account_no=caller.account_no, subject_no=subject_no, kind=kind, now=self.now()
        )

    def _stamp(self, caller: Caller, look: Look) -> Stamp:
        return Stamp(
            export_id=new_id(),
            made_by=caller.login_name,
            made_at=self.now(),
            purpose_code=look.purpose_code,
            purpose=look.purpose,
            request_id=current_request_id(),
        )


def evidence_span(connection: Connection, alert_id: UUID) -> EvidenceSpan:
    """What a look must span for the evidence of an alert that the account sees. Raises ``NotThereError``."""
    silence = timedelta(seconds=PresencePolicy().silence_s)
    row = connection.execute(
        text("SELECT * FROM evidence_span(:alert_id, :margin, :silence, :back)"),
        {"alert_id": alert_id, "margin": MARGIN, "silence": silence, "back": LOOK_BACK[-1]},
    ).one_or_none()
    if row is None:
        raise NotThereError
    return EvidenceSpan(**row._mapping)


def _run(look: Look, stamp: Stamp, pack: SignedPack, *, track_rows: int, alert_id: UUID | None) -> ExportRun:
    return ExportRun(
        export_id=stamp.export_id,
        kind=look.kind,
        account_no=look.account_no,
        made_by=stamp.made_by,
        subject_no=look.subject_no,
        alert_id=alert_id,
        look_id=look.look_id,
        track_rows=track_rows,
        lodging_rows=0,
        manifest_hash=pack.manifest_hash,
    )


def _scalar(connection: Connection, query: str, wanted: UUID) -> int:
    found = connection.execute(text(query), {"id": wanted}).scalar()
    if found is None:
        raise NotThereError
    return int(found)
