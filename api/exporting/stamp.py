"""Who took data out, when and what for: written into every file that leaves. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tracking.local_time import LOCAL_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One export. ``made_by``: an account, or ``cli:`` and a user; ``made_at``: aware; ``purpose``: free words."""

    export_id: UUID
    made_by: str
    made_at: datetime
    purpose_code: str
    purpose: str
    request_id: str = ""

    @property
    def watermark(self) -> str:
        """One line: account, local time, purpose code, export id."""
        local = self.made_at.astimezone(LOCAL_TIME)
        return f"{self.made_by} {local:%Y-%m-%d %H:%M:%S} {self.purpose_code} {self.export_id}"


def local_time(instant: datetime | None) -> str:
    """An instant as people read it, Asia/Shanghai, to the second; an en dash for none."""
    return "–" if instant is None else f"{instant.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}"
