"""Coordinate datums of China (placeholder until the engine lands in this branch)."""

from enum import StrEnum


class Datum(StrEnum):
    """The frame in which a coordinate was sent."""

    WGS84 = "WGS84"  # GPS
    GCJ02 = "GCJ02"  # AMap, Tencent, WeChat
    BD09 = "BD09"  # Baidu
    CGCS2000 = "CGCS2000"  # official Chinese surveys; equal to WGS-84 here
