"""The rules and zones in force, compiled, and reloaded when the database says that they changed."""

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, text

from api.calendars import current_calendar
from tracking.activation import BlockedOrder, activate
from tracking.allowance_store import load_allowances
from tracking.order_store import load_orders
from tracking.rules import RuleBook, ZoneBook
from tracking.store import load_zones

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Compiled rules and zones of one ``version`` of the rule tables. ``blocked``: orders that no calendar covers."""

    version: int
    rules: RuleBook
    zones: ZoneBook
    blocked: tuple[BlockedOrder, ...] = ()


def load_books(connection: Connection, current: Books | None = None) -> Books:
    """The books now in force, seen by the caller's transaction; ``current`` itself if nothing changed."""
    version = int(connection.execute(text("SELECT version FROM rule_version")).scalar_one())
    if current is not None and current.version == version:
        return current
    zones = ZoneBook.build(load_zones(connection))
    active = activate(load_orders(connection), calendar=current_calendar(connection))
    for blocked in active.blocked:
        log.warning("order_blocked", order_no=blocked.order_no, reason=blocked.reason)
    return Books(
        version=version,
        rules=RuleBook.build(active.orders, zones, load_allowances(connection)),
        zones=zones,
        blocked=active.blocked,
    )
