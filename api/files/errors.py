"""Why a whole file is refused. What is wrong with one row is a ``Rejected``, and costs that row only."""


class FileError(ValueError):
    """A file that cannot be read as a whole. The message says what is wrong and what to do, Chinese first."""


class UnreadableFile(FileError):  # noqa: N818 - the name says what is true, as in the house's contract
    """Not the format it claims to be, damaged, or of a kind Hulan does not read."""


class MissingColumn(FileError):  # noqa: N818
    """A table without a column that every row needs."""


class UnknownDatum(FileError):  # noqa: N818
    """Coordinates whose datum neither the file nor the caller states: a wrong guess is 400-1,250 m."""


def unknown_datum(file: str) -> UnknownDatum:
    """The refusal of ``file``, with what to do."""
    return UnknownDatum(
        f"{file}：缺少 datum 列，无法确定坐标系，整个文件未导入。请加 --datum WGS84、GCJ02（高德、腾讯）、BD09（百度）"
        f"或 CGCS2000 / no datum column and no CRS: nothing was read. Add --datum GCJ02 (AMap, Tencent), BD09 (Baidu), "
        f"WGS84 (GPS) or CGCS2000, or a datum column"
    )


def missing_column(file: str, *, wanted: str, accepted: tuple[str, ...], found: tuple[str, ...]) -> MissingColumn:
    """The refusal of ``file`` for want of the column ``wanted``, one of the names ``accepted``."""
    return MissingColumn(
        f"{file}：缺少 {wanted} 列，可用列名：{'、'.join(accepted)} / no {wanted} column: "
        f"name it one of {', '.join(accepted)}; the file has {', '.join(found) or 'no columns'}"
    )
