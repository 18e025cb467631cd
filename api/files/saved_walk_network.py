"""A walk network on disk: a folder of columns that is opened by memory map, or one ``.npz`` file to hand on."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.files.errors import UnreadableFile
from geo.walk_network import WalkNetwork

_FORMAT = 1
_ABOUT = "network.json"
_COLUMNS = ("nodes", "start", "longitude", "latitude", "along_m", "length_m")


def save_walk_network(network: WalkNetwork, path: Path) -> None:
    """Write ``network`` to the folder ``path``, or to one file if the name ends in ``.npz``.

    What was there before is replaced when the new one is complete, and stays as it was if writing fails.
    """
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    about = json.dumps({"format": _FORMAT, "network_version": network.network_version})
    try:
        if path.suffix == ".npz":
            with fresh.open("wb") as stream:
                np.savez(stream, allow_pickle=False, about=np.array(about), **network.columns())
        else:
            fresh.mkdir(parents=True)
            for name, column in network.columns().items():
                np.save(fresh / f"{name}.npy", column, allow_pickle=False)
            (fresh / _ABOUT).write_text(about, encoding="utf-8")
            if path.is_dir():
                _check_is_network(path)
                shutil.rmtree(path)
        fresh.replace(path)
    finally:
        if fresh.is_dir():
            shutil.rmtree(fresh)
        fresh.unlink(missing_ok=True)


def load_walk_network(path: Path) -> WalkNetwork:
    """The network that ``save_walk_network`` wrote; a folder is mapped into memory, read only.

    Raises UnreadableFile if anything is missing, or if the columns are not those that were saved.
    """
    try:
        about, columns = _read_file(path) if path.suffix == ".npz" else _read_folder(path)
        told = json.loads(about)
        if told["format"] != _FORMAT:
            raise ValueError(f"its format is {told['format']}, this program reads {_FORMAT}")
        network = WalkNetwork(**columns)  # type: ignore[arg-type] # the hash below vouches for the types
        if network.network_version != told["network_version"]:
            raise ValueError("its columns were changed after it was saved")
    except (OSError, KeyError, TypeError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableFile(
            f"{path.name}：步行路网文件不完整或已损坏，请重新生成 / the saved walk network is damaged or not one: "
            f"{error}; make it anew from the map"
        ) from error
    return network


def _check_is_network(folder: Path) -> None:
    """A folder that holds anything else is not ours to delete."""
    strange = {entry.name for entry in folder.iterdir()} - {_ABOUT, *(f"{name}.npy" for name in _COLUMNS)}
    if strange:
        raise UnreadableFile(
            f"{folder}：该文件夹不是步行路网，未作改动 / the folder holds {sorted(strange)[0]}, so it is no saved walk "
            "network; nothing was written: name another folder"
        )


def _read_folder(path: Path) -> tuple[str, dict[str, NDArray[np.generic]]]:
    columns = {name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _COLUMNS}
    # The same memory, without the memmap class, which compiled loops do not take.
    return (path / _ABOUT).read_text(encoding="utf-8"), {name: np.asarray(column) for name, column in columns.items()}


def _read_file(path: Path) -> tuple[str, dict[str, NDArray[np.generic]]]:
    with np.load(path, allow_pickle=False) as stored:
        columns = {name: stored[name] for name in _COLUMNS}
        about = str(stored["about"])
    for column in columns.values():
        column.flags.writeable = False
    return about, columns
