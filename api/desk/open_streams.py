"""How many live streams are open in this process, all together and by account."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from api.errors import TooManyStreamsError

MOST_OF_ACCOUNT = 5
MOST_OF_PROCESS = 200
"""Each asks the database once a second."""


class OpenStreams:
    """Counts them; safe across threads. ``is_ending``: the process stops, and each ends at its next look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[UUID] = Counter()
        self.is_ending = False

    def end(self) -> None:
        """Have all of them end: a page connects again, to whatever runs then."""
        self.is_ending = True

    @contextmanager
    def one_of(self, account_id: UUID) -> Iterator[None]:
        """One more while it lasts. Raises ``TooManyStreamsError``."""
        with self._lock:
            if self._open[account_id] >= MOST_OF_ACCOUNT or self._open.total() >= MOST_OF_PROCESS:
                raise TooManyStreamsError
            self._open[account_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[account_id] -= 1
                if not self._open[account_id]:
                    del self._open[account_id]
