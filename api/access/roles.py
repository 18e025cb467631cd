"""The roles an account may have, and the scopes a token of it may carry."""

from enum import StrEnum


class AccountKind(StrEnum):
    """An account is one of these for good; the database ties each role to its kind."""

    OFFICER = "officer"
    ADMINISTRATOR = "administrator"


class AccountRole(StrEnum):
    """What a person with an account does. Guardians and subjects have no account."""

    PROSECUTOR = "prosecutor"
    POLICE = "police"
    SUPERVISOR = "supervisor"
    LEADER = "leader"
    SYSTEM_ADMINISTRATOR = "system_administrator"
    SECURITY_ADMINISTRATOR = "security_administrator"
    AUDIT_ADMINISTRATOR = "audit_administrator"


class Scope(StrEnum):
    """What a token may be used for; never more than its account may do."""

    CASES_READ = "cases:read"
    VENUES_READ = "venues:read"
    ACCOUNTS_READ = "accounts:read"
    METRICS_READ = "metrics:read"


ADMINISTRATORS = frozenset(
    {AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.SECURITY_ADMINISTRATOR, AccountRole.AUDIT_ADMINISTRATOR}
)
"""None of them reads a case, and no person holds two."""

OFFICERS = frozenset(AccountRole) - ADMINISTRATORS

EVERYONE = frozenset(AccountRole)


def kind_of(role: AccountRole) -> AccountKind:
    """The kind of account that may hold a role."""
    return AccountKind.ADMINISTRATOR if role in ADMINISTRATORS else AccountKind.OFFICER


def scopes_open_to(roles: frozenset[AccountRole]) -> frozenset[Scope]:
    """The scopes that a token of an account with these roles may carry."""
    scopes = {Scope.VENUES_READ} if roles & OFFICERS else set()
    if roles & OFFICERS:
        scopes.add(Scope.CASES_READ)
    if roles & {AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.SECURITY_ADMINISTRATOR}:
        scopes.add(Scope.ACCOUNTS_READ)
    if AccountRole.SYSTEM_ADMINISTRATOR in roles:
        scopes.add(Scope.METRICS_READ)
    return frozenset(scopes)
