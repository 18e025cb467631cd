"""What officers find about people who are told of a case: the right person, or one who must not be told.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import RULED_BLOCKS, Block
from api.errors import NotThereError, RefusedInputError


def tell_recipient(connection: Connection, recipient_id: UUID) -> None:
    """It is the right person, who is told from now on, whatever they answered. Raises ``NotThereError``.

    So too for whom the case no longer names: they are named by filing the case.
    """
    _rule(connection, recipient_id, None)


def block_recipient(connection: Connection, recipient_id: UUID, *, reason: Block) -> None:
    """Tell nothing from now on, until an officer or a case file says otherwise.

    Raises ``NotThereError``, ``RefusedInputError`` for a reason that is no officer's.
    """
    if reason not in RULED_BLOCKS:
        raise RefusedInputError(f"理由须为 reason: {', '.join(sorted(RULED_BLOCKS))}")
    _rule(connection, recipient_id, reason)


def _rule(connection: Connection, recipient_id: UUID, reason: Block | None) -> None:
    query = text("SELECT rule_on_recipient(:id, :reason)")
    values = {"id": recipient_id, "reason": None if reason is None else str(reason)}
    if connection.execute(query, values).scalar_one() is None:
        raise NotThereError
