"""Texts that people read, compared with their recorded form; HULAN_RECORD=1 records them anew."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Compare ``text`` with the file ``name`` under tests/golden, or write it there when recording."""
    path = GOLDEN / name
    if os.environ.get("HULAN_RECORD") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is not recorded: run `make record`, read what it wrote, and commit it"
    assert text == path.read_text(encoding="utf-8")
