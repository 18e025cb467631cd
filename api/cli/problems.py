"""Errors that whoever types a command can mend: shown in plain words, without a trace."""

from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DBAPIError

from alerts.own_policy import OwnPolicyError
from alerts.own_texts import OwnTextsError
from api.cluster_place import ClusterError
from api.files.errors import FileError
from api.leases import RestoredDatabaseError
from api.personal.keyring import KeyringError
from api.session import NotReadyError
from venues.lead_route import RouteError
from venues.mapping import MappingError
from venues.register_store import RegisterBusyError

FORESEEABLE = (
    ValidationError, ClusterError, NotReadyError, RestoredDatabaseError, KeyringError, OSError, ArgumentError,
    DBAPIError, OwnPolicyError, OwnTextsError, RegisterBusyError, RouteError,
)  # fmt: skip
"""Of settings and the files that they name, the database and the keys."""

PROBLEMS = (*FORESEEABLE, FileError, MappingError, LookupError, ValueError)
"""And of what was typed or read from files."""
