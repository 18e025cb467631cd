"""Tracks from a file, a folder or an archive: CSV, Parquet, GPX, GeoLife .plt and OwnTracks .rec."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.files.errors import FileError, UnreadableFile
from api.files.tables import Progress
from api.files.track_formats import TrackRead, TrackSource, read_gpx, read_plt, read_rec
from api.files.track_tables import read_csv, read_parquet
from geo.datum import Datum
from venues.place import Rejected

__all__ = ["TrackRead", "read_tracks"]

_READERS: dict[str, Callable[[TrackSource], Iterator[TrackRead]]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".gpx": read_gpx,
    ".plt": read_plt,
    ".rec": read_rec,
}
_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar")
_UTF8_NAME = 0x800  # the flag by which a zip says that a name is UTF-8; Chinese Windows writes GB18030 without it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the caller says of every file."""

    datum: Datum | None
    timezone: tzinfo | None
    progress: Progress | None


def read_tracks(
    path: Path | str,
    *,
    datum: Datum | None = None,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> Iterator[TrackRead]:
    """The tracks of a file, a .tar.gz or .zip archive, or a folder of such, one per subject and file.

    Fixes come as sent, in file order, repeats included; nothing is sorted and no datum converted. A row's own datum
    wins over ``datum``, which wins over what a format implies (.plt, .rec and GPX are WGS-84). Times without an offset
    are read in ``timezone`` (IANA name) and rejected without it. Files are read as the iterator advances; ``progress``
    is told how many rows were read since its last call.

    In a folder or archive a file that is refused as a whole becomes a ``TrackRead`` without fixes, its rejected row at
    line 0. For a single file UnknownDatum, MissingColumn or UnreadableFile is raised, at once; so is UnreadableFile for
    a folder without a file of tracks, and OSError.
    """
    top = Path(path)
    told = _Told(datum=datum, timezone=_zone(timezone), progress=progress)
    if top.is_dir():
        reads = _folder_tracks(top, told)
    elif _is_archive(top):
        reads = _each(_archive_sources(top), told)
    else:
        reads = _file_tracks(top, told)
    first = next(reads, None)
    if first is None:
        if top.is_dir() or top.suffix.casefold() not in _READERS:
            kinds = ", ".join(_READERS)
            raise UnreadableFile(f"{top.name}：没有轨迹文件 / holds no file of tracks ({kinds})")
        return iter(())
    return chain([first], reads)


def _zone(name: str | None) -> tzinfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"时区“{name}”不存在 / no time zone {name!r}: use an IANA name such as Asia/Shanghai"
        ) from error


def _file_tracks(path: Path, told: _Told) -> Iterator[TrackRead]:
    if not _is_track_file(path):
        kinds = ", ".join((*_READERS, *_TAR_SUFFIXES, ".zip"))
        raise UnreadableFile(
            f"{path.name}：不支持的文件类型 / not a kind of file that holds tracks; use one of {kinds}"
        )
    with path.open("rb") as stream:
        source = TrackSource(file=path.name, path=path.absolute(), stream=stream)
        yield from _tracks_of(source, told)


def _each(sources: Iterator[TrackSource], told: _Told) -> Iterator[TrackRead]:
    """The tracks of every source; one that is refused costs no other."""
    for source in sources:
        try:
            yield from _tracks_of(source, told)
        except FileError as error:
            yield _refused(source.file, source.path.stem, error)


def _refused(file: str, subject_ref: str, error: FileError) -> TrackRead:
    refusal = Rejected(line=0, reference=file, field="file", value="", reason=str(error))
    return TrackRead(subject_ref=subject_ref, rejected=(refusal,), file=file)


def _tracks_of(source: TrackSource, told: _Told) -> Iterator[TrackRead]:
    read = _READERS[source.path.suffix.casefold()]
    return read(replace(source, datum=told.datum, timezone=told.timezone, progress=told.progress))


def _is_track_file(path: PurePath) -> bool:
    return path.suffix.casefold() in _READERS and not path.name.startswith(".")


def _folder_tracks(folder: Path, told: _Told) -> Iterator[TrackRead]:
    """The tracks of every file and archive below a folder; a damaged archive costs no other file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _is_archive(path):
            try:
                yield from _each(_archive_sources(path), told)
            except FileError as error:
                yield _refused(path.relative_to(folder).as_posix(), path.stem, error)
        elif path.is_file() and _is_track_file(path):
            with path.open("rb") as stream:
                source = TrackSource(file=path.relative_to(folder).as_posix(), path=path.absolute(), stream=stream)
                yield from _each(iter([source]), told)


def _is_archive(path: Path) -> bool:
    return path.name.casefold().endswith((*_TAR_SUFFIXES, ".zip")) and not path.name.startswith(".")


def _archive_sources(path: Path) -> Iterator[TrackSource]:
    return _zip_sources(path) if path.suffix.casefold() == ".zip" else _tar_sources(path)


def _tar_sources(path: Path) -> Iterator[TrackSource]:
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or not _is_track_file(name):
                    continue
                opened = archive.extractfile(member)
                if opened is not None:
                    yield TrackSource(file=member.name, path=name, stream=io.BytesIO(opened.read()))
    except (tarfile.TarError, EOFError) as error:
        raise UnreadableFile(f"{path.name}：压缩包损坏 / the archive is damaged: {error}") from error


def _zip_sources(path: Path) -> Iterator[TrackSource]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                file = _zip_name(member)
                name = PurePosixPath(file)
                if not member.is_dir() and _is_track_file(name):
                    yield TrackSource(file=file, path=name, stream=io.BytesIO(archive.read(member)))
    except zipfile.BadZipFile as error:
        raise UnreadableFile(f"{path.name}：压缩包损坏 / the archive is damaged: {error}") from error


def _zip_name(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename
