"""Where the public data sets lie on this machine; a test that needs an absent one is skipped with the reason."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_file(name: str) -> Path:
    """The file ``name`` of the shared data; skips the test when it is not there."""
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"public data set {name} is not on this machine ({_FOLDER})")
    return path
