"""Posting tracks to the real HTTP interface, in the order in which they arrived."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tracking.fix import Fix

WINDOW = timedelta(minutes=5)
"""Fixes are posted in windows of arrival time, everyone's before the next window."""

FIXES_PER_POST = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What the server said to all posts together."""

    stored_count: int
    refused_count: int


def windows(tracks: Mapping[str, Sequence[Fix]]) -> Iterator[tuple[str, Sequence[Fix]]]:
    """(who, fixes) in order of arrival, cut into windows; fixes without an arrival time arrive when they are fixed."""
    parts: dict[tuple[int, str], list[Fix]] = {}
    for who, fixes in tracks.items():
        for fix in fixes:
            parts.setdefault((int(_arrival(fix).timestamp() // WINDOW.total_seconds()), who), []).append(fix)
    for (_, who), fixes in sorted(parts.items(), key=lambda item: item[0]):
        yield who, sorted(fixes, key=_arrival)


def large_parts(tracks: Mapping[str, Sequence[Fix]]) -> Iterator[tuple[str, Sequence[Fix]]]:
    """(who, fixes) person by person, in order of time, in posts as large as the server takes well."""
    for who, fixes in tracks.items():
        ordered = sorted(fixes, key=lambda fix: fix.fixed_at)
        for start in range(0, len(ordered), FIXES_PER_POST):
            yield who, ordered[start : start + FIXES_PER_POST]


def post_all(
    client: httpx.Client,
    parts: Iterator[tuple[str, Sequence[Fix]]],
    tokens: Mapping[str, str],
    *,
    after_each: Callable[[int], None],
) -> Posted:
    """Post every part with its person's device token. Raises ``httpx.HTTPStatusError`` if the server fails."""
    stored = refused = 0
    for who, fixes in parts:
        headers = {"Authorization": f"Bearer {tokens[who]}"}
        answer = client.post("/positions", json={"fixes": [_as_json(fix) for fix in fixes]}, headers=headers)
        if answer.status_code != 422:  # 422: none could be taken, each with its reason
            answer.raise_for_status()
        content = answer.json()
        stored += content["stored"]
        refused += len(content["refused"])
        after_each(len(fixes))
    return Posted(stored_count=stored, refused_count=refused)


class MessageTail:
    """Reads messages as they are written to the gateway's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new_messages(self) -> list[dict[str, Any]]:
        """Complete messages written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]


def _arrival(fix: Fix) -> datetime:
    return fix.received_at or fix.fixed_at


def _as_json(fix: Fix) -> dict[str, Any]:
    return {
        "fixed_at": fix.fixed_at.isoformat(),
        "received_at": _arrival(fix).isoformat(),
        "longitude": fix.longitude,
        "latitude": fix.latitude,
        "datum": str(fix.datum),
        "accuracy_m": fix.accuracy_m,
        "source": str(fix.source),
        "speed_mps": fix.speed_mps,
        "altitude_m": fix.altitude_m,
        "battery_percent": fix.battery_percent,
        "is_mock": fix.is_mock,
    }
