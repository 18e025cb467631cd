"""Papers as they are handed out: the report of an archived measurement, the draft of a recommendation.

Each one is noted in the audit, in the transaction that shows it: commit before anything leaves.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from api.audit import LookKind, record_event
from api.distance import DistanceRefusedError, WalkedBy, kept_network, measure_pair
from api.errors import MeasurementUnavailableError, NothingToMeasureError, NotThereError
from api.evidence.font import load_fonts
from api.files.errors import FileError
from api.lead_present import present_of
from api.leads import lead_of
from api.papers.measurement_report import measurement_pdf
from api.papers.recommendation import Paper, draft_of, load_template
from api.papers.recommendation_files import recommendation_pdf, recommendation_word
from geo.walk_network import WalkNetwork
from venues.distance_history import days_to_evaluate
from venues.distance_law import DistanceLaw
from venues.distance_rule import by_precedence
from venues.distance_store import last_run, load_places, load_stored_law, rules_of_pair
from venues.measurement import Measurement, MeasurementError, measured_again
from venues.measurement_store import archived_text, keep_measurement


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

    def measure(self, connection: Connection, *, venue_id: UUID, site_id: str, on: date, at: datetime) -> Measurement:
        """The venue measured against the school by the rules of the last evaluation, and archived in the caller's name.

        Raises ``NotThereError`` for a pair about which nothing is said that the caller sees, ``NothingToMeasureError``
        if a rule or a paper of the venue began or ended since, the register has a category of it that was not judged
        and a rule is about, or the rules bind the two no more, and ``MeasurementUnavailableError`` without the walk
        network.
        """
        said = rules_of_pair(connection, venue_id=venue_id, site_id=site_id)
        before = last_run(connection)
        if said is None or before is None:
            raise NotThereError
        walked = None
        if before.network_version is not None:
            try:
                network = self._network(before.network_version)
            except (DistanceRefusedError, FileError) as error:
                raise MeasurementUnavailableError from error
            walked = WalkedBy(network=network, network_on=before.network_on)
        try:
            made = measure_pair(
                connection, DistanceLaw(rules=by_precedence(said.rules)), on=on, venue_id=said.venue_id,
                site_id=site_id, walked=walked, division=said.division,
            )  # fmt: skip
        except (DistanceRefusedError, MeasurementError) as error:
            raise NothingToMeasureError from error
        law = load_stored_law(connection, said.division)
        # The day asked for last is evaluated in any case: asked for tomorrow, what is left are days of change.
        places = load_places(connection, venue_id=said.venue_id)
        *changes, _ = days_to_evaluate(law, places, since=before.law_day, until=on + timedelta(days=1))
        new = made.given.venue.categories - said.categories
        if changes or any(rule.venue_categories & new for rule in law.in_force(on)):
            raise NothingToMeasureError
        if not keep_measurement(connection, made, at=at):
            raise NotThereError
        return made

    def _network(self, version: str) -> WalkNetwork:
        if self.data_dir is None:
            raise DistanceRefusedError("未设数据目录，无法取得路网 / no data folder, no walk network")
        return kept_network(version, self.data_dir)

    def measurement_report(self, connection: Connection, measurement_hash: str) -> bytes:
        """The report (PDF) of an archived measurement, to the byte as it was first made.

        Raises ``NotThereError`` for one that the caller does not see, and ``MeasurementUnavailableError`` if it cannot
        be made again here, or comes out differently.
        """
        content = archived_text(connection, measurement_hash)
        if content is None:
            raise NotThereError
        try:
            checked = checked_measurement(content, measurement_hash, network_of=self._network)
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


def checked_measurement(content: str, measurement_hash: str, *, network_of: Callable[[str], WalkNetwork]) -> Checked:
    """The archived text measured again; ``network_of`` gives the network of the version that it names.

    Raises MeasurementError, and what ``network_of`` raises.
    """
    try:
        version = json.loads(content)["given"]["network_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise MeasurementError(f"存档不是测量记录 / the archive is no measurement: {error}") from error
    made = measured_again(content, None if version is None else network_of(str(version)))
    return Checked(made=made, is_same=made.hash == measurement_hash == hashlib.sha256(content.encode()).hexdigest())
