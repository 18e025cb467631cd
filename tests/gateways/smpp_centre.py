"""A short message centre (SMPP 3.4) on a TCP socket. Its codec is smpp34, another than the gateway's."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

import smpp34

SYSTEM_ID, PASSWORD = "hulan", "tests-pw"
USER_MESSAGE_REFERENCE, RECEIPTED_MESSAGE_ID, MESSAGE_STATE, QOS_TIME_TO_LIVE = 0x0204, 0x001E, 0x0427, 0x0017
BIND_TRANSCEIVER, UNBIND, SUBMIT_SM, DELIVER_SM, ENQUIRE_LINK = 0x09, 0x06, 0x04, 0x05, 0x15
RESPONSE = 0x80000000


@dataclass(kw_only=True)
class Planned:
    """Of one submit_sm: what status it gets, how late, and after how many bytes of the answer the line goes dead."""

    status: int = 0
    delay_s: float = 0.0
    sent_length: int | None = None


@dataclass
class Centre:
    port: int = 0
    planned: list[Planned] = field(default_factory=list)
    taken: list[smpp34.SubmitSm] = field(default_factory=list)
    binds: list[tuple[str, str]] = field(default_factory=list)
    confirmed: list[tuple[int, int]] = field(default_factory=list)
    """Sequence number and status of each deliver_sm_resp."""
    asked: list[int] = field(default_factory=list)
    """Command ids, as they came."""
    bind_status: int = 0
    before_answer: list[bytes] = field(default_factory=list)
    """Sent before the next answer to a submit_sm."""
    lines: list[socket.socket] = field(default_factory=list)
    to_push: SimpleQueue[bytes] = field(default_factory=SimpleQueue)

    def serve(self, line: socket.socket) -> None:
        self.lines.append(line)
        line.settimeout(0.01)
        with contextlib.suppress(OSError, EOFError):
            while self._answer(line):
                pass
        line.close()

    def _answer(self, line: socket.socket) -> bool:
        """One request, or what there is to push: one thread does both, as TLS does not bear two."""
        try:
            start = line.recv(1)
        except TimeoutError:
            if line is self.lines[-1] and not self.to_push.empty():
                line.sendall(self.to_push.get())
            return True
        length, command, status, sequence = struct.unpack(">LLLL", start + received(line, 16 - len(start)))
        body = received(line, length - 16)
        self.asked.append(command)
        if command == DELIVER_SM | RESPONSE:
            self.confirmed.append((sequence, status))
        elif command == BIND_TRANSCEIVER:
            system_id, password = (part.decode() for part in body.split(b"\0")[:2])
            self.binds.append((system_id, password))
            refused = self.bind_status or (0 if (system_id, password) == (SYSTEM_ID, PASSWORD) else 0x0E)
            # As most centres do: with sc_interface_version.
            line.sendall(pdu(command | RESPONSE, refused, sequence, b"" if refused else b"SMSC\0\x02\x10\x00\x01\x34"))
        elif command == SUBMIT_SM:
            return self._submitted(line, struct.pack(">LLLL", length, command, status, sequence) + body, sequence)
        elif command in {ENQUIRE_LINK, UNBIND}:
            line.sendall(pdu(command | RESPONSE, 0, sequence))
        return bool(command != UNBIND)

    def _submitted(self, line: socket.socket, frame: bytes, sequence: int) -> bool:
        submitted = smpp34.decode(frame)
        assert isinstance(submitted, smpp34.SubmitSm)
        planned = self.planned.pop(0) if self.planned else Planned()
        if planned.status == 0:
            self.taken.append(submitted)
        time.sleep(planned.delay_s)
        for told in self.before_answer:
            line.sendall(told)
        self.before_answer.clear()
        body = f"msg-{len(self.taken)}".encode() + b"\0" if planned.status == 0 else b""
        answer = pdu(SUBMIT_SM | RESPONSE, planned.status, sequence, body)
        line.sendall(answer[: planned.sent_length])
        return planned.sent_length is None

    def push(self, frame: bytes) -> None:
        """To whoever bound last."""
        self.to_push.put(frame)


def received(line: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        try:
            part = line.recv(length - len(parts))
        except TimeoutError:
            continue
        if not part:
            raise EOFError
        parts += part
    return parts


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack(">LLLL", 16 + len(body), command, status, sequence) + body


def receipt_of(reference: str, stat: str, *, sequence: int = 900, tlvs: list[smpp34.Tlv] | None = None) -> bytes:
    """A delivery receipt in the customary words, with or without the optional parameters."""
    words = f"id:{reference} sub:001 dlvrd:001 submit date:2611222213 done date:2611222213 stat:{stat} err:000 text:"
    return smpp34.DeliverSm(
        "8613800000101", "10690000", words.encode(), esm_class=0x04, tlvs=tlvs or [], sequence_number=sequence
    ).encode()


@contextmanager
def a_centre(tls: ssl.SSLContext | None = None) -> Iterator[Centre]:
    centre = Centre()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        centre.port = listener.getsockname()[1]
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                try:
                    secured = line if tls is None else tls.wrap_socket(line, server_side=True)
                except OSError:
                    line.close()
                    continue
                threads.append(threading.Thread(target=centre.serve, args=[secured]))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield centre
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for line in centre.lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
