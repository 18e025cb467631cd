"""Flags that fixes got beside those before them (``tracking.quality_sequence``), kept with the other results."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from geo.postgis import insert_columns
from tracking.fix import FixBatch
from tracking.presence_rows import to_instant


def save_fix_flags(connection: Connection, fixes: FixBatch, flags: NDArray[np.int32]) -> int:
    """Keep the flags (int32 ``[n]``) of those fixes that have any; returns how many. A repeat replaces its flags."""
    rows = np.flatnonzero(flags)
    return insert_columns(
        connection,
        "fix_flag",
        {
            "subject_no": ("bigint", fixes.subject_no[rows].tolist()),
            "fixed_at": ("timestamptz", [to_instant(instant) for instant in fixes.fixed_at[rows].tolist()]),
            "fix_key": ("bigint", fixes.fix_key[rows].tolist()),
            "flags": ("integer", flags[rows].tolist()),
        },
        on_conflict="ON CONFLICT (subject_no, fixed_at, fix_key) DO UPDATE SET flags = excluded.flags",
    )


def forget_fix_flags(connection: Connection, since: Mapping[int, datetime]) -> int:
    """Before subjects are evaluated again, each from an aware instant on: what was flagged there, is no longer."""
    return connection.execute(
        text(
            "DELETE FROM fix_flag f"
            " USING unnest(CAST(:subject_nos AS bigint[]), CAST(:starts AS timestamptz[])) AS w (subject_no, since)"
            " WHERE f.subject_no = w.subject_no AND f.fixed_at >= w.since"
        ),
        {"subject_nos": list(since), "starts": list(since.values())},
    ).rowcount


def flags_of(connection: Connection, fixes: FixBatch) -> NDArray[np.int32]:
    """All flags of the fixes of one subject, int32 ``[n]``: of intake and of the sequence."""
    if len(fixes) == 0:
        return fixes.flags
    rows = connection.execute(
        text(
            "SELECT (extract(epoch FROM fixed_at) * 1000000)::bigint, fix_key, flags FROM fix_flag"
            " WHERE subject_no = :subject_no AND fixed_at BETWEEN :since AND :until"
        ),
        {
            "subject_no": int(fixes.subject_no[0]),
            "since": to_instant(int(fixes.fixed_at.min())),
            "until": to_instant(int(fixes.fixed_at.max())),
        },
    )
    found = {(row[0], row[1]): row[2] for row in rows}
    names = zip(fixes.fixed_at.tolist(), fixes.fix_key.tolist(), strict=True)
    return fixes.flags | np.array([found.get(name, 0) for name in names], dtype=np.int32)
