"""The time zone of every date and clock time that people read, and of birthdays."""

from zoneinfo import ZoneInfo

LOCAL_TIME = ZoneInfo("Asia/Shanghai")
"""Asia/Shanghai: instants are UTC inside, and of this zone on screen, in messages and in the law's days."""
