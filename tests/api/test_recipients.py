"""Who must not be told stays untold: by an answer, by an officer, by a case file, in any order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text

from alerts.alert import Block, Jurisdiction
from alerts.channel import Channel
from alerts.reason import Because
from alerts.roster import Roster
from alerts.routing import route
from alerts.store import recipients_of
from api.access.accounts import join_case
from api.access.roles import AccountRole
from api.case_file import RecipientIn, check_case
from api.casework.recipients import block_recipient, tell_recipient
from api.errors import NotThereError, RefusedInputError
from api.personal.fields import open_field
from tests.access.people import a_browser, an_official
from tests.alerts.make_alerts import a_case as a_fact
from tests.api.casework_scene import Office, a_case, register
from tests.api.test_casework_routes import command
from tests.make import EVENING, KEYRING
from tracking.order import Measure

MOTHER = {"role": "guardian", "name": "合成监护甲", "phone": "13800000131"}
FATHER = {"role": "guardian", "name": "合成监护乙", "phone": "13800000132", "rank": 2}
SUSPECT = {"is_blocked": True, "blocked_for": "suspect"}


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    yield Office(engine, a_case(recipients=[MOTHER, FATHER]))


def file(engine: Engine, *recipients: dict[str, Any]) -> Any:
    with engine.begin() as connection:
        return register(connection, a_case(recipients=list(recipients)))


def mother(engine: Engine) -> tuple[Any, ...]:
    """Is blocked, why."""
    with engine.connect() as connection:
        row = connection.execute(text("SELECT is_blocked, blocked_for FROM recipient WHERE rank = 1")).one()
    return tuple(row)


def id_of_mother(engine: Engine) -> UUID:
    with engine.connect() as connection:
        found: UUID = connection.execute(text("SELECT recipient_id FROM recipient WHERE rank = 1")).scalar_one()
    return found


def deny(engine: Engine) -> None:
    """As the answer 不是我的孩子 leaves it (tests/guardian/test_page.py)."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE recipient SET denied_at = now(), is_blocked = true, blocked_for = 'not_the_child'"
                " WHERE rank = 1"
            )
        )


@pytest.mark.parametrize("said", [{}, {"is_blocked": False}, {"name": "合成监护丙"}])
def test_filing_the_case_again_does_not_lift_not_my_child(engine: Engine, office: Office, said: dict[str, Any]) -> None:
    deny(engine)
    done = file(engine, MOTHER | said, FATHER)
    assert mother(engine) == (True, "not_the_child")
    assert [str(id_of_mother(engine)) in doubt for doubt in done.doubts] == [True]
    file(engine, FATHER)
    assert mother(engine) == (True, "not_the_child"), "no longer named, and still for the same reason"
    file(engine, MOTHER | SUSPECT, FATHER)
    assert mother(engine) == (True, "suspect")
    file(engine, MOTHER | {"is_blocked": False}, FATHER)
    assert mother(engine) == (True, "not_the_child"), "the suspicion is lifted, what they answered is not"


def test_a_block_is_lifted_by_a_word_and_not_by_silence(engine: Engine, office: Office) -> None:
    file(engine, MOTHER | SUSPECT, FATHER)
    assert mother(engine) == (True, "suspect")
    file(engine, MOTHER, FATHER)
    assert mother(engine) == (True, "suspect")
    file(engine, MOTHER | {"is_blocked": True}, FATHER)
    assert mother(engine) == (True, "suspect"), "the reason that is known"
    file(engine, FATHER)
    assert mother(engine) == (True, "suspect")
    file(engine, MOTHER | {"is_blocked": False}, FATHER)
    assert mother(engine) == (False, None)
    file(engine, MOTHER | {"is_blocked": True}, FATHER)
    assert mother(engine) == (True, "other")


def test_a_case_file_says_how_somebody_is_told_and_by_which_unit(engine: Engine, office: Office) -> None:
    told = {"language": "en", "channels": ["email", "sms"], "email": "m@example.test"}
    officer = {"role": "police", "name": "合成民警", "phone": "13800000133", "rank": 3, "unit": "另一合成派出所"}
    assert file(engine, MOTHER | told, FATHER, officer).change == "changed"
    assert file(engine, MOTHER | told, FATHER, officer).change == "unchanged"
    with engine.connect() as connection:
        known = {item.rank: item for item in recipients_of(connection, [office.no])[office.no]}
        row = connection.execute(text("SELECT * FROM recipient WHERE rank = 1")).one()
    assert (known[1].language, known[1].channels) == ("en", (Channel.EMAIL, Channel.SMS))
    assert known[3].unit == "另一合成派出所"
    assert "m@example" not in str(row)
    opened = open_field(
        KEYRING, row.email, key_id=row.key_id, table="recipient", column="email", row_id=row.recipient_id
    )
    assert opened == "m@example.test"
    case = a_fact(measure=Measure.BAIL, jurisdiction=Jurisdiction(police="合成派出所"))
    found = route(case, at=EVENING, recipients=list(known.values()), roster=Roster())
    assert [(item.recipient.rank, item.reason.code) for item in found.passed_over] == [(3, Because.OTHER_UNIT)]
    assert file(engine, MOTHER | {"channels": ["sms"]}, FATHER, officer).change == "changed"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT email FROM recipient WHERE rank = 1")).scalar_one() is None


@pytest.mark.parametrize(
    "said",
    [
        {"channels": []}, {"channels": ["sms", "sms"]}, {"channels": ["email"]}, {"language": "fr"}, {"email": "x"},
        {"unit": "合成派出所"}, {"blocked_for": "not_the_child"}, {"blocked_for": "suspect", "is_blocked": False},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RecipientIn.model_validate(MOTHER | said)


def test_a_recipient_named_twice_and_not_alike_is_refused() -> None:
    content = a_case().model_dump(mode="json") | {"recipients": [MOTHER, MOTHER | SUSPECT]}
    case, faults = check_case(content)
    assert case is None
    assert [fault.field for fault in faults] == ["recipients.1.name"]


def test_who_is_named_again_is_told_again(engine: Engine, office: Office) -> None:
    file(engine, FATHER)
    assert mother(engine) == (True, "no_longer_named")
    file(engine, MOTHER, FATHER)
    assert mother(engine) == (False, None)


def test_an_officer_puts_a_recipient_right(engine: Engine, office: Office) -> None:
    number = id_of_mother(engine)
    deny(engine)
    for who in ("stranger", "supervisor"):
        with office.as_(who) as connection, pytest.raises(NotThereError):
            tell_recipient(connection, number)
    with office.as_("police") as connection, pytest.raises(RefusedInputError):
        block_recipient(connection, number, reason=Block.NOT_THE_CHILD)
    with office.as_("police") as connection:
        block_recipient(connection, number, reason=Block.ABUSER)
    assert mother(engine) == (True, "abuser")
    file(engine, MOTHER, FATHER)
    assert mother(engine) == (True, "abuser")
    with office.as_("prosecutor") as connection:
        tell_recipient(connection, number)
    assert mother(engine) == (False, None)
    assert file(engine, MOTHER, FATHER).doubts == ()
    assert mother(engine) == (False, None)
    file(engine, FATHER)
    with office.as_("police") as connection, pytest.raises(NotThereError):
        tell_recipient(connection, number)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM audit_entry WHERE table_name = 'recipient' AND actor LIKE 'account%'"
        assert connection.execute(text(query)).scalar_one() == 2, "each is on record with who did it"


def test_a_recipient_is_put_right_over_the_web_and_by_command(
    engine: Engine, office: Office, database_url: str, tmp_path: Path
) -> None:
    number = id_of_mother(engine)
    with engine.begin() as connection:
        official = an_official(connection, "web", AccountRole.POLICE)
        join_case(connection, office.no, official.account_no, now=EVENING)
    with a_browser(database_url) as browser:
        browser.log_in(official)
        refused = browser.ask("POST", f"/recipients/{number}/block", json={"reason": "not_the_child"})
        assert refused.status_code == 422
        assert browser.ask("POST", f"/recipients/{number}/block", json={"reason": "suspect"}).status_code == 204
        assert mother(engine) == (True, "suspect")
        assert browser.ask("POST", f"/recipients/{number}/tell").status_code == 204
        assert mother(engine) == (False, None)
    told = command(["recipient", "block", str(number), "other", "--by", "o1"], tmp_path, database_url)
    assert (told.exit_code, mother(engine)) == (0, (True, "other")), told.output
    told = command(["recipient", "tell", str(number), "--by", "o1"], tmp_path, database_url)
    assert (told.exit_code, mother(engine)) == (0, (False, None)), told.output
