"""Category mappings from TOML files: the built-in ones by name, a user's own by path."""

import tomllib
from importlib.resources import files
from pathlib import Path

from api.files.errors import UnreadableFile
from venues.mapping import CategoryMapping, parse_mapping


def built_in_mappings() -> tuple[str, ...]:
    """The names that :func:`load_mapping` knows without a file, for example ``osm``."""
    folder = files("venues") / "mappings"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_mapping(path_or_name: Path | str) -> CategoryMapping:
    """The built-in mapping of that name (``osm``, ``amap``, ``hulan``), else the TOML file at that path.

    Raises UnreadableFile if there is neither or it is not TOML, and MappingError, which names the key, if its content
    is not a mapping.
    """
    name = str(path_or_name)
    built_in = built_in_mappings()
    if name in built_in:
        text = (files("venues") / "mappings" / f"{name}.toml").read_text("utf-8")
    else:
        path = Path(path_or_name)
        if not path.is_file():
            raise UnreadableFile(
                f"没有映射“{name}”：请用 {'、'.join(built_in)} 或一个 TOML 文件的路径 / no mapping {name!r}: "
                f"use {', '.join(built_in)} or the path of a TOML file"
            )
        text = path.read_bytes().decode("utf-8-sig", "replace")
    try:
        return parse_mapping(tomllib.loads(text), name=Path(name).stem)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableFile(f"映射 {name} 不是合法的 TOML / mapping {name} is not valid TOML: {error}") from error
