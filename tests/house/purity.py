"""Imports each pure module on its own and prints, as JSON, which forbidden libraries that loaded.

Run as ``python -P purity.py ROOT [MODULE ...]``; without modules it takes every pure one under ROOT. Each import
happens in a fork of its own, so that no module hides behind what an earlier one loaded. For the whole house the fork is
one of an interpreter that holds the numerical libraries already, which take a second to load, and nothing else.
"""

import importlib
import json
import os
import sys
from pathlib import Path

PURE_PACKAGES = ("geo", "venues", "tracking", "alerts", "maps")
"""Where a file is pure unless its name says otherwise. All of ``api`` is the edge."""

PRELOADED = ("numpy", "numba", "scipy.special", "shapely", "pyproj", "h3")
"""Slow and free of anything forbidden; checked to be so before the first fork."""

FORBIDDEN = frozenset(
    {
        "aiohttp", "alembic", "apscheduler", "duckdb", "fastapi", "flask", "ftplib", "geoalchemy2", "http.server",
        "httpx", "imaplib", "psycopg", "psycopg2", "requests", "smtplib", "splink", "sqlalchemy", "sqlite3",
        "starlette", "structlog", "telnetlib", "typer", "urllib3", "uvicorn", "websockets", "xmlrpc",
    }
)  # fmt: skip
"""Databases, networks and the web. ``ssl``, ``socket`` and ``urllib`` are not here: SciPy and numba load them at once,
so that their presence says nothing; ruff's TID251 keeps our own files from naming them.
"""


def is_pure(path: Path) -> bool:
    """Whether the rule by file name makes this file of a pure package a pure one (design.md, section 3, rule 2)."""
    if path.parts[-2:] == ("geo", "postgis.py") or path.name.endswith("store.py"):
        return False
    return path.name == "gateway.py" or not path.name.startswith("gateway")


def pure_modules(root: Path) -> list[str]:
    """Dotted names of the pure modules under a project's root, packages included."""
    files = [path for package in PURE_PACKAGES for path in sorted((root / package).rglob("*.py")) if is_pure(path)]
    names = [".".join(path.relative_to(root).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in names]


def loaded_by(root: Path, module: str) -> list[str]:
    """Forbidden libraries that importing ``module`` alone loads, found in a child process."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            answer = _import_and_look(root, module)
        except BaseException as error:
            answer = [f"not importable: {type(error).__name__}: {error}"]
        with os.fdopen(write_end, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: list[str] = json.loads(text)
    return found


def _import_and_look(root: Path, module: str) -> list[str]:
    found = importlib.import_module(module)
    if not Path(str(found.__file__)).is_relative_to(root):
        return [f"imported from {found.__file__}, which is not under {root}"]
    return forbidden_now()


def forbidden_now() -> list[str]:
    """Forbidden libraries in ``sys.modules`` of this process."""
    return sorted(FORBIDDEN & set(sys.modules))


def main(root: Path, modules: list[str]) -> None:
    """Print ``{module: [forbidden library, ...]}``; clean modules map to an empty list."""
    sys.path.insert(0, str(root))
    for name in PRELOADED:
        importlib.import_module(name)
    if forbidden_now():
        raise SystemExit(
            f"the preloaded libraries load {forbidden_now()} themselves: take the culprit out of PRELOADED"
        )
    json.dump({module: loaded_by(root, module) for module in modules or pure_modules(root)}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
