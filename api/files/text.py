"""The encoding of a text file: UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030 as Chinese Excel writes it."""

import codecs
import io
import re
from typing import BinaryIO

_CHUNK = 1 << 20
_BROKEN = re.compile("[\ud800-\udfff]")  # how surrogateescape writes a byte that it cannot decode
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_DAMAGE_SHARE = (
    0.1  # of the non-ASCII characters: GB18030 text read as UTF-8 is nearly all damage, damaged UTF-8 is not
)


def open_text(stream: BinaryIO) -> io.TextIOWrapper:
    """``stream`` (seekable, at any position) as text from its start, line ends untouched.

    Bytes that do not belong to the encoding become lone surrogates, so that the rows that hold them can be rejected and
    the others kept: see :func:`is_damaged`.
    """
    encoding = detect_encoding(stream)
    stream.seek(0)
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


def detect_encoding(stream: BinaryIO) -> str:
    """The encoding of ``stream``, which is read from its start to its end, 1 MiB at a time.

    A file with a few broken bytes among good UTF-8 is UTF-8, not GB18030: otherwise one bad byte would turn every
    Chinese name of the file into other characters without a word.
    """
    stream.seek(0)
    head = stream.read(4)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8" if _is_utf8(stream) or _is_mostly_utf8(stream) else "gb18030"


def is_damaged(text: str) -> bool:
    """True if ``text`` holds bytes that are not of the file's encoding, or a NUL, which no database column takes."""
    return _UNSTORABLE.search(text) is not None


def shown(text: str, *, limit: int = 200) -> str:
    """``text`` fit for a report: broken bytes as ``\\xNN``, at most ``limit`` characters."""
    fit = _UNSTORABLE.sub(_escaped, text)
    return fit if len(fit) <= limit else fit[:limit] + "…"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\u{code:04x}" if code and not 0xDC80 <= code <= 0xDCFF else f"\\x{code & 0xFF:02x}"


def _is_utf8(stream: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    stream.seek(0)
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    good, bad = 0, 0
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        text = decoder.decode(chunk)
        broken = len(_BROKEN.findall(text))
        bad += broken
        good += len(_NOT_ASCII.findall(text)) - broken
    return bad <= good * _DAMAGE_SHARE
