"""What a gateway is: hands one message to a provider and says what the provider answered."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a gateway is given. ``idempotency_key`` is the same on every retry of the same notification."""

    idempotency_key: UUID
    phone: str
    text: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took the message. Taken is not delivered."""

    provider: str
    reference: str


class GatewayError(Exception):
    """The provider did not take the message. ``is_final``: retrying cannot help."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Gateway(Protocol):
    """Hands messages to a provider, outside any transaction."""

    def send(self, message: Message) -> Receipt:
        """Hand one message over; raises :class:`GatewayError` when the provider does not take it."""
        ...


class FakeGateway:
    """A gateway for tests: keeps what it was given, and fails on demand."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.failures: list[GatewayError] = []

    def send(self, message: Message) -> Receipt:
        """Raise the next planned failure, or keep the message once per idempotency key."""
        if self.failures:
            raise self.failures.pop(0)
        if all(message.idempotency_key != earlier.idempotency_key for earlier in self.sent):
            self.sent.append(message)
        return Receipt(provider="fake", reference=str(message.idempotency_key))
