"""By which way a message reaches a person."""

from enum import StrEnum


class Channel(StrEnum):
    """A way to a person, as stored; `voice_task` is work for a human who telephones, and has no gateway."""

    SMS = "sms"
    EMAIL = "email"
    WEBHOOK = "webhook"
    VOICE_TASK = "voice_task"
