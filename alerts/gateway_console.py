"""The embedded default: print each message and append it to a file, once per idempotency key."""

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

from alerts.gateway import GatewayError, Message, Receipt


class ConsoleGateway:
    """Writes messages as JSON lines to ``path``, mode 0600 as they hold phone numbers, and ``show``s each."""

    provider = "console"

    def __init__(self, path: Path, show: Callable[[Message], None]) -> None:
        self._path = path
        self._show = show

    def send(self, message: Message) -> Receipt:
        """Append the message unless its key is already in the file. Raises :class:`GatewayError` if it cannot write."""
        key = str(message.idempotency_key)
        try:
            is_new = self._append_once(key, message)
        except OSError as error:
            raise GatewayError(f"cannot write the message file: {error.strerror}") from error
        if is_new:
            self._show(message)
        return Receipt(provider=self.provider, reference=key)

    def _append_once(self, key: str, message: Message) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            self._path.chmod(0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            start = f'{{"key": "{key}"'.encode()
            # A line cut off by a full disk, perhaps within a character, was not handed over; it is left as it is.
            if any(line.startswith(start) and line.endswith(b'"}') for line in content.splitlines()):
                return False
            if content and not content.endswith(b"\n"):
                file.write(b"\n")
            line = {"key": key, "phone": message.address, "template": message.template, "text": message.text}
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
        return True
