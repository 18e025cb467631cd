"""``hulan``: the command line, assembled from its groups."""

import signal
import sys
from collections.abc import Callable
from typing import Any

import typer

from api.cli import account, demo, inspect, load, quality, run

app = typer.Typer(
    name="hulan",
    help="护栏 Hulan：监管对象电子围栏与未成年人禁入场所。Geofences for people under a judicial measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
imports = typer.Typer(help="从文件导入。Import from files.", no_args_is_help=True)
maps = typer.Typer(help="地图。Maps.", no_args_is_help=True)

_COMMANDS: tuple[Callable[..., None], ...] = (
    run.up, run.serve, run.worker, run.migrate, run.retention, inspect.replay, inspect.explain, quality.simulate,
    quality.quality, demo.demo,
)  # fmt: skip
_IMPORTS: tuple[Callable[..., None], ...] = (
    load.venues, load.sites, load.zones, load.boundaries, load.incidents, load.cases, load.fixes,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
for command in _IMPORTS:
    imports.command()(command)
maps.command("venues")(inspect.map_venues)
app.add_typer(imports, name="import")
app.add_typer(maps, name="map")
for name in ("account", "token", "device", "division", "team"):
    app.add_typer(getattr(account, name), name=name)


def main() -> None:
    """Entry point. SIGTERM and SIGHUP end the command as Ctrl-C does, so that what it started is stopped too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    app()


def _leave(number: int, _frame: Any) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
