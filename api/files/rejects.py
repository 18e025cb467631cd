"""The report of the rows that were rejected, for the person who will mend them."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from api.files.text import shown
from venues.place import Rejected

_COLUMNS = ("line", "reference", "field", "value", "reason")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_rejects(path: Path | str, rejected: Iterable[Rejected]) -> Path:
    """Write ``rejected`` to ``path`` as CSV (UTF-8 with BOM, so that Excel shows Chinese) and return the path.

    The file appears whole or not at all. A text cell that a spreadsheet would run as a formula gets an apostrophe
    before it; a number keeps its sign. Raises OSError if the folder cannot be written.
    """
    target = Path(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([row.line, *map(_inert, (row.reference, row.field, row.value, row.reason))] for row in rejected)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.getvalue().encode("utf-8-sig"))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
    return target


def rejects_path(file: Path, chosen: Path | None = None, *, ending: str = ".rejects.csv") -> Path:
    """Where the rejected rows of ``file`` go: ``chosen``, or the file's name with ``ending`` beside it.

    Where nothing can be written there (a CD, a share, somebody else's folder), in the working folder, or else in the
    one for temporary files: by then the good rows are in, and the rejected ones are told of nowhere else.
    """
    if chosen is not None:
        return chosen
    folders = (file.parent, Path.cwd(), Path(tempfile.gettempdir()))
    return next((folder for folder in folders if is_writable(folder)), file.parent) / f"{file.name}{ending}"


def is_writable(folder: Path) -> bool:
    """Whether a file can be made: what the permissions say is not true of a superuser, nor of every share."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _inert(cell: str) -> str:
    fit = shown(cell, limit=1000)
    return f"'{fit}" if fit.startswith(_FORMULA_STARTS) and not _is_number(fit) else fit


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
