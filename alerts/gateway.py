"""What a gateway is: hands one message to a provider, and tells what became of it.

Taken is not delivered: a :class:`Receipt` says that the provider has the message, a :class:`DeliveryReport` that the
person's device has it, or never will. Docs: decision 0026.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from alerts.channel import Channel

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 10.0
"""An answer takes at most both together: all that is claimed at a time must fit ``AlertPolicy.claim``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a gateway is given. ``idempotency_key`` is the same on every retry of the same notification."""

    idempotency_key: UUID
    channel: Channel = Channel.SMS
    address: str = field(repr=False)
    """A telephone number (11 digits, or E.164), an e-mail address, or what the receiver of the webhook knows."""
    text: str = field(repr=False)
    template: str
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Name and value of what the template leaves open, in the order of the template."""
    language: str = "zh"
    is_repeat: bool = False
    """An earlier try may have been taken without our hearing of it: who can look that up, does so first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took the message. Taken is not delivered."""

    provider: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of a message that was taken; final. ``reason`` is the provider's code, never its words."""

    provider: str
    reference: str
    """As in the :class:`Receipt`; empty if the provider tells the key only."""
    idempotency_key: UUID | None = None
    """If the provider hands it back: finds a message whose sender died before it could keep the reference."""
    is_delivered: bool
    at: datetime
    reason: str
    is_proven: bool = True
    """False: came by a callback that the provider does not sign. Ask (:meth:`Polls.poll`) before acting on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a person answered. Whose number ``phone`` is, is for the edge to find. ``is_proven``: as above."""

    provider: str
    phone: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    is_proven: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A message that was taken at ``sent_at`` (aware), and of which nothing final is known."""

    idempotency_key: UUID
    reference: str
    address: str = field(repr=False)
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What a provider told when asked, or by a callback. Told again is possible: keep each once."""

    reports: tuple[DeliveryReport, ...] = ()
    replies: tuple[Reply, ...] = ()


class GatewayError(Exception):
    """The provider did not take the message. ``reason`` is for operators, zh / en, and names nobody.

    ``is_final``: nothing helps this message on this channel; go on to the next channel. ``is_budget_hit`` (final): the
    number has had its share, says the provider. ``is_provider_down``: this provider would refuse any message now;
    another one may take it. None of them: try again later.

    ``is_taken_possible``: the message may be with the provider all the same, since its answer was not heard; then
    nobody but this provider is tried again. Unless it is said, so it is of every error that is not final.
    """

    def __init__(
        self,
        reason: str,
        *,
        is_final: bool = False,
        is_provider_down: bool = False,
        is_budget_hit: bool = False,
        is_taken_possible: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final or is_budget_hit
        self.is_provider_down = is_provider_down
        self.is_budget_hit = is_budget_hit
        self.is_taken_possible = not self.is_final if is_taken_possible is None else is_taken_possible


class BadCallbackError(ValueError):
    """A callback that is not of the provider's form."""


class BadSignatureError(BadCallbackError):
    """A callback that was not signed by the provider, or too long ago."""


class Gateway(Protocol):
    """Hands messages to a provider, outside any transaction."""

    @property
    def provider(self) -> str:
        """Its name, as in receipts and reports."""
        ...

    def send(self, message: Message) -> Receipt:
        """Hand one message over; raises :class:`GatewayError` when the provider does not take it."""
        ...


@runtime_checkable
class Polls(Protocol):
    """A gateway that can be asked what became of messages."""

    @property
    def provider(self) -> str:
        """As of :class:`Gateway`."""
        ...

    @property
    def tells_by_itself(self) -> bool:
        """Whether it tells on the line that it is sent on: each worker with a line of its own must ask then."""
        ...

    def poll(self, awaited: Sequence[Awaited]) -> Polled:
        """What is known by now. Raises :class:`GatewayError`. A caller that comes again has kept the last answer."""
        ...


class FakeGateway:
    """A gateway for tests: keeps what it was given, and fails on demand."""

    provider = "fake"

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.failures: list[GatewayError] = []

    def send(self, message: Message) -> Receipt:
        """Raise the next planned failure, or keep the message once per idempotency key."""
        if self.failures:
            raise self.failures.pop(0)
        if all(message.idempotency_key != earlier.idempotency_key for earlier in self.sent):
            self.sent.append(message)
        return Receipt(provider=self.provider, reference=str(message.idempotency_key))
