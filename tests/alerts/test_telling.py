"""A text that may not be said is replaced by a neutral one and is work for an officer; alerting goes on."""

from dataclasses import replace

from alerts.alert import Role, TaskKind
from alerts.event import EventKind
from alerts.history import HistoryKind
from alerts.templates import BUILT_IN, Catalogue
from tests.alerts.alert_ledger import Ledger
from tests.alerts.make_alerts import a_case


def without(*template_ids: str) -> Catalogue:
    return Catalogue(templates={key: item for key, item in BUILT_IN.templates.items() if key[0] not in template_ids})
