"""Papers as they are handed out: the report of an archived measurement, the draft of a recommendation.

Each one is noted in the audit, in the transaction that shows it: commit before anything leaves.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from api.audit import LookKind, record_event
from api.distance import DistanceRefusedError, kept_network
from api.errors import MeasurementUnavailableError, NotThereError
from api.evidence.font import load_fonts
from api.files.errors import FileError
from api.lead_present import present_of
from api.leads import lead_of
from api.papers.measurement_report import measurement_pdf
from api.papers.recommendation import Paper, draft_of, load_template
from api.papers.recommendation_files import recommendation_pdf, recommendation_word
from venues.distance_store import archived_text
from venues.measurement import Measurement, MeasurementError, measured_again


class PaperKind(StrEnum):
    """In which form a paper is handed out."""

    WORD = "docx"
    PDF = "pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An archived measurement, made again. ``is_same``: it comes out under the hash that it was archived under."""

    made: Measurement
    is_same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDesk:
    """Where walk networks and fonts lie. Without ``data_dir`` there are no networks."""

    data_dir: Path | None = None
    assets_dir: Path | None = None

    def measurement_report(self, connection: Connection, measurement_hash: str) -> bytes:
        """The report (PDF) of an archived measurement, to the byte as it was first made.

        Raises ``NotThereError`` for one that the caller does not see, and ``MeasurementUnavailableError`` if it cannot
        be made again here, or comes out differently.
        """
        content = archived_text(connection, measurement_hash)
        if content is None:
            raise NotThereError
        try:
            checked = checked_measurement(content, measurement_hash, data_dir=self.data_dir)
        except (DistanceRefusedError, MeasurementError, FileError) as error:
            raise MeasurementUnavailableError from error
        if not checked.is_same:
            raise MeasurementUnavailableError
        record_event(connection, LookKind.MEASUREMENT, subject_no=None, detail=f"measurement {measurement_hash}")
        load_fonts(self.assets_dir)
        return measurement_pdf(checked.made)

    def recommendation(
        self,
        connection: Connection,
        lead_id: UUID,
        kind: PaperKind,
        *,
        procuratorate: str,
        on: date,
        is_urgent: bool,
        document_number: str = "",
        template: Paper | None = None,
    ) -> bytes:
        """The draft of a recommendation, made ``on`` a day of Asia/Shanghai. Raises ``NotThereError``."""
        lead = lead_of(connection, lead_id)
        draft = draft_of(
            lead, template or load_template(), procuratorate=procuratorate, on=on, is_urgent=is_urgent,
            document_number=document_number, present=present_of(connection, lead).findings,
        )  # fmt: skip
        record_event(connection, LookKind.RECOMMENDATION, subject_no=None, detail=f"lead {lead_id}: {kind}")
        if kind is PaperKind.WORD:
            return recommendation_word(draft)
        load_fonts(self.assets_dir)
        return recommendation_pdf(draft)


def checked_measurement(content: str, measurement_hash: str, *, data_dir: Path | None) -> Checked:
    """The archived text measured again, with the network that it names.

    Raises DistanceRefusedError if that network is not kept here, ``FileError`` if it is damaged, and MeasurementError.
    """
    version = json.loads(content)["given"]["network_version"]
    if version is not None and data_dir is None:
        raise DistanceRefusedError("未设数据目录，无法取得路网 / no data folder, no walk network")
    network = None if version is None or data_dir is None else kept_network(str(version), data_dir)
    made = measured_again(content, network)
    return Checked(made=made, is_same=made.hash == measurement_hash == hashlib.sha256(content.encode()).hexdigest())
