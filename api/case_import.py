"""Registering the cases of a file: the good ones are kept, each of the others is rejected by its line."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.alert import Role
from api.case_file import CaseIn, CasesRead
from api.cases import RecordSealedError, Registered, TermError, register_case
from api.personal.keyring import Keyring
from tracking.age import majority_at
from tracking.calendar import local_day
from venues.place import Rejected


class GuardianMissingError(ValueError):
    """A minor's case that names no guardian, so that nobody of the family could be told."""


REFUSALS = (RecordSealedError, TermError, GuardianMissingError, LookupError)
"""Why a case of the right form is not registered; the message says what to do."""


def register_cases(
    connection: Connection,
    read: CasesRead,
    *,
    keyring: Keyring,
    secret: bytes,
    at: datetime,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[Registered], list[Rejected]]:
    """Register every case of a file that can be; one that cannot is rejected by its line and changes nothing."""
    done: list[Registered] = []
    rejected: list[Rejected] = []
    for line, case in zip(read.lines, read.cases, strict=True):
        try:
            with connection.begin_nested():
                refuse_minor_without_guardian(case, at)
                done.append(register_case(connection, case, keyring=keyring, secret=secret, at=at))
        except REFUSALS as error:
            rejected.append(rejection_of(error, case, line=line))
        if progress is not None:
            progress(1)
    return done, rejected


def rejection_of(error: Exception, case: CaseIn, *, line: int) -> Rejected:
    """One of ``REFUSALS`` as a rejection, with the field that it is about."""
    field, value = _refused_field(error, case)
    return Rejected(line=line, reference=case.reference, field=field, value=value, reason=str(error.args[0]))


def _refused_field(error: Exception, case: CaseIn) -> tuple[str, str]:
    match error:
        case RecordSealedError():
            return "reference", case.reference
        case TermError():
            return "valid_to", local_day(case.valid_to - timedelta(microseconds=1)).isoformat()
        case GuardianMissingError():
            return "recipients", ""
    return "conditions.zone", ""


def refuse_minor_without_guardian(case: CaseIn, at: datetime) -> None:
    """As long as somebody is a minor there is a guardian, if need be the civil affairs office (民法典 27, 32)."""
    has_guardian = any(recipient.role is Role.GUARDIAN for recipient in case.recipients)
    if not has_guardian and max(at, case.valid_from) < min(majority_at(case.birth_date), case.valid_to):
        raise GuardianMissingError(
            "未成年人没有登记监护人：请加监护人及手机；没有近亲属的，填民政部门或居（村）民委员会的联系人"
            "（民法典 27、32）"
            "/ a minor without a guardian: add one with a mobile number, if there is no family that of the civil"
            " affairs office or the residents' committee"
        )
