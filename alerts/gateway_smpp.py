"""SMPP 3.4 through smpplib: one bound transceiver, submit_sm in UCS-2, receipts and replies by deliver_sm.

SMPP has no idempotency key: delivery is at least once. The last 16 bits of the key travel as user_message_reference,
which a centre may hand back. A receipt is confirmed to the centre when the caller of `SmppGateway.poll` comes again and
so has kept it; what was not confirmed when the link went, the centre sends again.
"""

import contextlib
import logging
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alerts.fault import (
    BAD_NUMBER,
    BAD_REQUEST,
    NO_ACCESS,
    NOT_APPROVED,
    NOT_REACHED,
    NOT_UNDERSTOOD,
    PROVIDER_FAILED,
    REFUSED_TEXT,
    TEXT_TOO_LONG,
    THROTTLED,
    UNKNOWN,
    error_of,
    plain_code,
)
from alerts.gateway import TIMEOUT_S, Awaited, DeliveryReport, Message, Polled, Receipt, Reply
from alerts.provider import e164, plain_reference

PROVIDER = "smpp"

_LONGEST_OCTETS = 140
"""Of one short message: 70 characters of UCS-2."""

_LONGEST_PDU = 65_536
_DELIVER_SM, _DELIVER_SM_RESP, _PERMANENT = 0x05, 0x80000005, 0x65
_UCS2 = 0x08
_WANT_RECEIPT = 0x01
_INTERNATIONAL, _ISDN = 1, 1
_IDLE_S = 20.0
"""Unused for longer, a link is tried with enquire_link before a message is trusted to it."""

FAULTS = {
    0x01: TEXT_TOO_LONG,  # RINVMSGLEN
    0x04: PROVIDER_FAILED,  # RINVBNDSTS
    0x05: PROVIDER_FAILED,  # RALYBND
    0x08: PROVIDER_FAILED,  # RSYSERR
    0x0A: NOT_APPROVED,  # RINVSRCADR
    0x0B: BAD_NUMBER,  # RINVDSTADR
    0x0D: NO_ACCESS,  # RBINDFAIL
    0x0E: NO_ACCESS,  # RINVPASWD
    0x0F: NO_ACCESS,  # RINVSYSID
    0x14: THROTTLED,  # RMSGQFUL
    0x15: NOT_APPROVED,  # RINVSERTYP
    0x45: UNKNOWN,  # RSUBMITFAIL
    0x48: NOT_APPROVED,  # RINVSRCTON
    0x49: NOT_APPROVED,  # RINVSRCNPI
    0x50: BAD_NUMBER,  # RINVDSTTON
    0x51: BAD_NUMBER,  # RINVDSTNPI
    0x53: NO_ACCESS,  # RINVSYSTYP
    0x58: THROTTLED,  # RTHROTTLED
    0x64: UNKNOWN,  # RX_T_APPN: temporary
    0x65: BAD_REQUEST,  # RX_P_APPN: permanent
    0x66: REFUSED_TEXT,  # RX_R_APPN: rejected
    0xC1: NOT_APPROVED,  # ROPTPARNOTALLWD
}
"""By command_status (SMPP 3.4, 5.1.3)."""

_FINAL_STATES = {2: True, 3: False, 4: False, 5: False, 8: False}
"""message_state (5.2.28): delivered, expired, deleted, undeliverable, rejected. Others say nothing final."""

_FINAL_WORDS = {"DELIVRD": True, "EXPIRED": False, "DELETED": False, "UNDELIV": False, "REJECTD": False}
"""``stat:`` of the customary text of a receipt (appendix B)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppAccount:
    """A link to a short message centre. ``sender``: the number people see. ``signature`` is put before the text."""

    host: str
    port: int = 2775
    system_id: str
    password: str = field(repr=False)
    sender: str
    signature: str
    tls: ssl.SSLContext | None


class SmppGateway:
    """Implements `Gateway` and `Polls`; binds at first use, and anew after a failure. Safe from several threads."""

    provider = PROVIDER
    tells_by_itself = True

    def __init__(self, account: SmppAccount, *, timeout_s: float = TIMEOUT_S) -> None:
        self._account = account
        self._timeout_s = timeout_s
        self._link: Any = None
        self._used_at = 0.0
        self._lock = threading.RLock()
        self._heard: list[Any] = []
        self._told: list[Any] = []

    def send(self, message: Message) -> Receipt:
        """submit_sm, and its answer. Raises :class:`GatewayError`."""
        number = e164(message.address)
        text = encode(message.text, self._account.signature)
        with self._lock, self._failures_told():
            self._bind_if_needed()
            asked = self._link.send_message(
                source_addr=self._account.sender,
                dest_addr_ton=_INTERNATIONAL,
                dest_addr_npi=_ISDN,
                destination_addr=number.removeprefix("+"),
                short_message=text,
                data_coding=_UCS2,
                registered_delivery=_WANT_RECEIPT,
                user_message_reference=message.idempotency_key.int & 0xFFFF,
            )
            answer = self._answer_to(asked)
        if answer.status != 0:
            raise error_of(FAULTS.get(answer.status, UNKNOWN), f"0x{answer.status:08X}")
        reference = plain_reference((answer.message_id or b"").decode("ascii", "replace"))
        return Receipt(provider=PROVIDER, reference=reference or str(message.idempotency_key))

    def poll(self, awaited: Sequence[Awaited] = ()) -> Polled:  # noqa: ARG002 # the centre tells all by itself
        """Confirm what the last call told, and tell what has come since. Raises :class:`GatewayError`."""
        with self._lock, self._failures_told():
            self._bind_if_needed()
            for pdu in self._told:
                self._respond("deliver_sm_resp", pdu)
            self._told = []
            while self._is_readable():
                self._take(self._link.read_pdu())
            self._told, self._heard = self._heard, []
            now = datetime.now(UTC)
            items = [item for pdu in self._told if (item := read_deliver(pdu, now)) is not None]
        return Polled(
            reports=tuple(item for item in items if isinstance(item, DeliveryReport)),
            replies=tuple(item for item in items if isinstance(item, Reply)),
        )

    def close(self) -> None:
        """Unbind, if that works, and hang up. What was not confirmed will come again."""
        with self._lock:
            if self._link is not None:
                with contextlib.suppress(Exception):
                    self._link.unbind()
            self._drop()

    @contextlib.contextmanager
    def _failures_told(self) -> Iterator[None]:
        """The link's failures as `GatewayError`; after one, the link is dropped."""
        from smpplib.exceptions import ConnectionError as LinkError  # noqa: PLC0415 # only where SMPP is used
        from smpplib.exceptions import PDUError, UnknownCommandError  # noqa: PLC0415

        try:
            yield
        except (LinkError, OSError) as error:
            self._drop()
            raise error_of(NOT_REACHED, type(error).__name__) from None
        except PDUError as error:
            self._drop()
            status = error.args[1] if len(error.args) > 1 else -1
            raise error_of(FAULTS.get(status, PROVIDER_FAILED), f"0x{status & 0xFFFFFFFF:08X}") from None
        except (UnknownCommandError, struct.error, ValueError, LookupError, TypeError) as error:
            self._drop()
            raise error_of(NOT_UNDERSTOOD, type(error).__name__) from None

    def _bind_if_needed(self) -> None:
        if self._link is not None and time.monotonic() - self._used_at > _IDLE_S and not self._is_alive():
            self._drop()
        if self._link is None:
            link = open_link(self._account, self._timeout_s)
            self._link = link
            link.connect()
            link.bind_transceiver(system_id=self._account.system_id, password=self._account.password)
            self._used_at = time.monotonic()

    def _is_alive(self) -> bool:
        from smpplib import smpp  # noqa: PLC0415
        from smpplib.exceptions import ConnectionError as LinkError  # noqa: PLC0415

        asked = smpp.make_pdu("enquire_link", client=self._link)
        try:
            self._link.send_pdu(asked)
            self._answer_to(asked)
        except (LinkError, OSError):
            return False
        return True

    def _answer_to(self, asked: Any) -> Any:
        """Read until the answer comes; keeps what else is told. Raises ``TimeoutError``."""
        until = time.monotonic() + self._timeout_s
        while time.monotonic() < until:
            pdu = self._link.read_pdu()
            self._used_at = time.monotonic()
            if pdu.is_response() and pdu.sequence == asked.sequence:
                return pdu
            self._take(pdu)
        raise TimeoutError

    def _take(self, pdu: Any) -> None:
        """What the centre says of itself."""
        self._used_at = time.monotonic()
        if pdu.command == "deliver_sm":
            self._heard.append(pdu)
        elif pdu.command == "enquire_link":
            self._respond("enquire_link_resp", pdu)
        elif pdu.command == "unbind":
            raise ConnectionResetError("the centre unbinds")

    def _respond(self, command: str, pdu: Any) -> None:
        from smpplib import smpp  # noqa: PLC0415

        answer = smpp.make_pdu(command, client=self._link)
        answer.sequence = pdu.sequence
        self._link.send_pdu(answer)

    def _is_readable(self) -> bool:
        return self._link.has_unread() or bool(select.select([self._link.line], [], [], 0)[0])

    def _drop(self) -> None:
        link, self._link, self._heard, self._told = self._link, None, [], []
        if link is not None:
            link.hang_up()


def open_link(account: SmppAccount, timeout_s: float) -> Any:
    """A client of smpplib, not yet connected. TLS checks the centre's name, which smpplib does not ask for."""
    from smpplib import consts, smpp  # noqa: PLC0415 # only where SMPP is used
    from smpplib.client import Client  # noqa: PLC0415

    class Link(Client):  # type: ignore[misc] # smpplib has no types
        _socket: Any
        line: Any
        state: Any

        def _create_socket(self) -> Any:
            self.line = super()._create_socket() if account.tls is None else self._tls_socket(account.tls)
            return self.line

        def _tls_socket(self, context: ssl.SSLContext) -> ssl.SSLSocket:
            plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            plain.settimeout(timeout_s)
            return context.wrap_socket(plain, server_hostname=account.host)

        def read_pdu(self) -> Any:
            """As smpplib's, but a deliver_sm that it cannot parse is refused for good: else it would come for ever."""
            while True:
                head = self._recv_exact(16)
                length, command_id, _, sequence = struct.unpack(">LLLL", head)
                if not 16 <= length <= _LONGEST_PDU:
                    raise ValueError(length)
                frame = head + self._recv_exact(length - 16)
                try:
                    pdu = smpp.parse_pdu(frame, client=self, allow_unknown_opt_params=True)
                except (struct.error, ValueError, LookupError, TypeError):
                    if command_id != _DELIVER_SM:
                        raise
                    self.line.sendall(struct.pack(">LLLL", 17, _DELIVER_SM_RESP, _PERMANENT, sequence) + b"\0")
                    continue
                if not pdu.is_error():
                    self.state = consts.STATE_SETTERS.get(pdu.command, self.state)
                return pdu

        def has_unread(self) -> bool:
            return isinstance(self.line, ssl.SSLSocket) and self.line.pending() > 0

        def hang_up(self) -> None:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    # At level DEBUG smpplib writes every PDU, number and text in hexadecimal.
    logging.getLogger("hulan.smpp").disabled = True
    return Link(account.host, account.port, timeout=timeout_s, logger_name="hulan.smpp", allow_unknown_opt_params=True)


def encode(text: str, signature: str) -> bytes:
    """UCS-2 of the text behind its signature 【…】. Raises a final `GatewayError` beyond one short message."""
    signed = text if text.startswith("【") or not signature else f"【{signature}】{text}"
    octets = signed.encode("utf-16-be")
    if len(octets) > _LONGEST_OCTETS:
        raise error_of(TEXT_TOO_LONG)
    return octets


def read_deliver(pdu: Any, now: datetime) -> DeliveryReport | Reply | None:
    """What a deliver_sm says; ``None`` if nothing final. The times of centres have no zone: ``now`` is when it came."""
    body = pdu.short_message or pdu.message_payload or b""
    if (pdu.esm_class or 0) & 0x3C == 0x04:
        return _read_receipt(pdu, body, now)
    if (pdu.esm_class or 0) & 0x40 and body:
        body = body[1 + body[0] :]
    text = body.decode("utf-16-be" if pdu.data_coding == _UCS2 else "latin-1", "replace")
    number = (pdu.source_addr or b"").decode("ascii", "replace")
    return Reply(provider=PROVIDER, phone=number, text=text, at=now)


def _read_receipt(pdu: Any, body: bytes, now: datetime) -> DeliveryReport | None:
    customary = body.decode("latin-1")
    said_id = re.search(r"\bid:(\S+)", customary)
    said_state = re.search(r"\bstat:([A-Z]{7})", customary)
    known_id = (pdu.receipted_message_id or b"").decode("ascii", "replace").rstrip("\0")
    if said_id and said_id[1][:-1] == known_id:  # sent without its NUL, of which smpplib takes the last letter for
        known_id = said_id[1]
    reference = plain_reference(known_id or (said_id[1] if said_id else ""))
    if pdu.message_state is not None:
        is_delivered = _FINAL_STATES.get(pdu.message_state)
    else:
        is_delivered = _FINAL_WORDS.get(said_state[1]) if said_state else None
    if is_delivered is None or not reference:
        return None
    reason = plain_code(said_state[1] if said_state else f"state_{pdu.message_state}")
    return DeliveryReport(provider=PROVIDER, reference=reference, is_delivered=is_delivered, at=now, reason=reason)
