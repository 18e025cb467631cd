"""The rules and zones in force, compiled, and reloaded when the database says that they changed."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracking.rules import RuleBook, ZoneBook
from tracking.store import load_orders, load_zones


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Compiled rules and zones of one ``version`` of the rule tables."""

    version: int
    rules: RuleBook
    zones: ZoneBook


def load_books(connection: Connection, current: Books | None = None) -> Books:
    """The books now in force, seen by the caller's transaction; ``current`` itself if nothing changed."""
    version = int(connection.execute(text("SELECT version FROM rule_version")).scalar_one())
    if current is not None and current.version == version:
        return current
    zones = ZoneBook.build(load_zones(connection))
    return Books(version=version, rules=RuleBook.build(load_orders(connection), zones), zones=zones)
