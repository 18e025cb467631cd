"""The ZIP that leaves: the same members give the same bytes, and nothing can hide beside them. Pure.

Members are stored, in the order given, with one fixed time: compression differs between machines, and a time says
nothing that the manifest does not. So a reader can build the file again from its members and compare byte by byte.
"""

import io
import zipfile
from collections.abc import Mapping

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The oldest that a ZIP can say."""


def pack_of(members: Mapping[str, bytes]) -> bytes:
    """The members as a ZIP, in their order."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return written.getvalue()
