"""A zone index on disk: one ``.npy`` file per array, so that it can be mapped and is shared between processes."""

import shutil
from pathlib import Path

import numpy as np

from geo.index import ZoneIndex

_FORMAT = 4  # raise it when the meaning of an array changes


def save_zone_index(index: ZoneIndex, folder: Path) -> None:
    """Write ``index`` into a new ``folder``. It appears whole or not at all. FileExistsError when it is there."""
    if folder.exists():
        raise FileExistsError(f"{folder} exists: save into a new folder, then switch readers over")
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, array in index.to_arrays().items():
        np.save(unfinished / f"{name}.npy", array)
    np.save(unfinished / "format.npy", np.array([_FORMAT]))
    unfinished.rename(folder)


def load_zone_index(folder: Path, *, mapped: bool = True) -> ZoneIndex:
    """The index saved in ``folder``: mapped (read when touched, shared by processes) or read at once.

    FileNotFoundError when there is none, ValueError for one that another version wrote.
    """
    files = {path.stem: path for path in folder.glob("*.npy")}
    if "format" not in files:
        raise FileNotFoundError(f"{folder} holds no zone index: save one there with save_zone_index")
    found = int(np.load(files.pop("format"))[0])
    if found != _FORMAT:
        raise ValueError(f"{folder} has format {found}, this version reads {_FORMAT}: build the index anew and save it")
    return ZoneIndex.from_arrays(
        {name: np.load(path, mmap_mode="r" if mapped else None) for name, path in files.items()}
    )
