"""What a fix is worth by itself, as it arrives: accepted, accepted with flags, or refused, with the reason.

A flagged fix is stored. Flags in ``DOES_NOT_DECIDE`` keep it from proving anything; the others only say what was
assumed. What a fix is worth beside those before it: ``tracking.quality_sequence``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntFlag

from geo.position import find_position_fault
from tracking.fix import Fix


class FixFlag(IntFlag):
    """What is doubtful about a fix. The numbers are stored: never change one."""

    ACCURACY_ASSUMED = 1  # unknown, 0 or negative: `tracking.fix.DEFAULT_ACCURACY_M` of its source stands for it
    ACCURACY_ABSURD = 2  # react-native-background-geolocation#892: 17 km of error raised an exit
    DECLARED_INVALID = 4  # iOS: CLLocation.horizontalAccuracy below 0 says that the position is invalid
    ALTITUDE_UNKNOWN = 8  # a number that stands for "none"
    CLOCK_AHEAD = 16  # taken after it was received, by no more than clocks differ
    MOCK = 32  # Android isMock, AMap isMock(); a suspicion of tampering, no place (reference/domain.md 4, item 12)
    IMPOSSIBLE_SPEED = 256  # farther from the last accepted fix than any vehicle on the ground takes one
    TELEPORT = 512  # farther than an airliner
    STALE_REPEAT = 1024  # the same observation again under a newer time (WeChat in the background, domain.md 3.1)
    SAME_INSTANT = 2048  # another observation of the very instant was weighed already


FLAG_NAMES: dict[FixFlag, str] = {
    FixFlag.ACCURACY_ASSUMED: "精度未知，按来源取默认值 / accuracy unknown, the default of its source is used",
    FixFlag.ACCURACY_ABSURD: "精度过差，不作依据 / accuracy absurd, decides nothing",
    FixFlag.DECLARED_INVALID: "设备声明定位无效，不作依据 / called invalid by the device, decides nothing",
    FixFlag.ALTITUDE_UNKNOWN: "海拔为占位值，视为未知 / altitude is a placeholder, taken as unknown",
    FixFlag.CLOCK_AHEAD: "设备时钟略快 / the device's clock is a little ahead",
    FixFlag.MOCK: "模拟定位，不作依据 / mock location, decides nothing",
    FixFlag.IMPOSSIBLE_SPEED: "速度不可能，不作依据 / impossible speed, decides nothing",
    FixFlag.TELEPORT: "位置跳变，不作依据 / teleport, decides nothing",
    FixFlag.STALE_REPEAT: "重复的旧定位，不作依据 / stale repeat, decides nothing",
    FixFlag.SAME_INSTANT: "同一时刻已有定位，不作依据 / second fix of one instant, decides nothing",
}
"""In plain words, for people who ask why a fix did not count."""

INTAKE_DOES_NOT_DECIDE = int(FixFlag.ACCURACY_ABSURD | FixFlag.DECLARED_INVALID | FixFlag.MOCK)
"""Found by :func:`find_flags`. Such fixes are no part of the sequence either: nothing is measured against them."""

DOES_NOT_DECIDE = INTAKE_DOES_NOT_DECIDE | int(
    FixFlag.IMPOSSIBLE_SPEED | FixFlag.TELEPORT | FixFlag.STALE_REPEAT | FixFlag.SAME_INSTANT
)
"""A fix with any of these bits is evidence that the device reported, and of nothing about where the subject was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPolicy:
    """The numbers by which fixes are flagged or refused. ``version`` is stored with what they led to."""

    version: str = "quality-1"
    clock_slack_s: float = 300.0
    """A fix from farther in the future than this is refused; one from less is flagged and counts."""
    earliest: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    """Earlier fixes are refused: 1970 and 1980 are what clocks without a battery say."""
    absurd_accuracy_m: float = 10_000.0
    """A cell of the network in open country reaches about so far; beyond, nothing was located."""
    altitude_sentinels_m: tuple[float, ...] = (0.0, -1.0)
    """Exactly these: what Android's getAltitude() and mini programs give when there is none."""
    lowest_altitude_m: float = -500.0
    """The Dead Sea lies at -430. Below are -9999, -999, -777, -32768."""
    highest_altitude_m: float = 8_900.0
    """Chomolungma is 8,849. Above are 9999, 32767, 65535; an airliner's own altitude is lost with them, and unused."""
    top_speed_mps: float = 120.0
    """432 km/h: above every train in China (CR450 400 km/h, Shanghai maglev 431). An airliner in flight is flagged
    until it has landed: a subject in the air is in no zone, and the landing is accepted."""
    teleport_speed_mps: float = 300.0
    """1,080 km/h: faster than an airliner with the wind."""
    accuracy_factor: float = 2.0
    """Accuracy is a 68 % radius; twice it holds 99 % of normal errors. Only what lies beyond both fixes' counts."""
    time_grain_s: float = 1.0
    """Many devices cut times to seconds: two fixes "1 s" apart may be 2 s apart."""
    agreeing_fix_count: int = 3
    """So many fixes in a row that agree with each other at the new place are believed against the old one. The last of
    them counts; those before it stay flagged."""
    stale_fix_count: int = 4
    """The same coordinates and accuracy so many times in a row …"""
    stale_after_s: float = 120.0
    """… over at least so long prove nothing new. Shorter than the dwell, so that a frozen position alone never makes a
    PROBABLE; a receiver that really works changes some digit of its position or accuracy from fix to fix."""
    forget_after_s: float = 1800.0
    """After this long without any fix nothing is measured against the fixes before. Equal to
    ``PresencePolicy.silence_s``: a stretch between two silences is evaluated again alone, and must give the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a fix is not taken: the field as devices and files call it, and the reason without any value in it."""

    field: str
    reason: str


def find_refusal(fix: Fix, *, received_at: datetime, policy: QualityPolicy) -> Refusal | None:
    """Why a fix as sent must not be stored, or ``None``. ``received_at``: aware, when the server got it."""
    fault = find_position_fault(longitude=fix.longitude, latitude=fix.latitude)
    if fault is not None:
        return Refusal(field=fault.field, reason=fault.reason)
    if fix.fixed_at < policy.earliest:
        return _BEFORE_CLOCKS
    if fix.fixed_at > received_at and (fix.fixed_at - received_at).total_seconds() > policy.clock_slack_s:
        return _IN_THE_FUTURE
    return None


def find_flags(fix: Fix, *, received_at: datetime, policy: QualityPolicy) -> int:
    """Bits of :class:`FixFlag` for what is doubtful about a fix as sent, without memory. 0: nothing is."""
    flags = 0
    accuracy_m = fix.accuracy_m
    if accuracy_m is None or not accuracy_m > 0.0:  # NaN too
        flags |= FixFlag.ACCURACY_ASSUMED.value
        if accuracy_m is not None and accuracy_m < 0.0:
            flags |= FixFlag.DECLARED_INVALID.value
    elif accuracy_m > policy.absurd_accuracy_m:
        flags |= FixFlag.ACCURACY_ABSURD.value
    if fix.altitude_m is not None and not _is_altitude(fix.altitude_m, policy):
        flags |= FixFlag.ALTITUDE_UNKNOWN.value
    if fix.fixed_at > received_at:
        flags |= FixFlag.CLOCK_AHEAD.value
    if fix.is_mock:
        flags |= FixFlag.MOCK.value
    return flags


def describe_flags(flags: int) -> tuple[str, ...]:
    """Each flag in plain words, Chinese first."""
    return tuple(words for flag, words in FLAG_NAMES.items() if flags & flag)


def _is_altitude(altitude_m: float, policy: QualityPolicy) -> bool:
    return (
        policy.lowest_altitude_m <= altitude_m <= policy.highest_altitude_m
        and altitude_m not in policy.altitude_sentinels_m
    )


_BEFORE_CLOCKS = Refusal(
    field="fixed_at", reason="时间早于 2000 年，请校准设备时钟 / before the year 2000: set the device's clock"
)
_IN_THE_FUTURE = Refusal(field="fixed_at", reason="时间在未来，请校准设备时钟 / in the future: set the device's clock")
