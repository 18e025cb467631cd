"""``hulan``: the command line, assembled from its groups."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import typer

from api.cli import account, audit, demo, evidence, inspect, keys, load, quality, run, seal, subject

app = typer.Typer(
    name="hulan",
    help="护栏 Hulan：监管对象电子围栏与未成年人禁入场所。Geofences for people under a judicial measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
imports = typer.Typer(help="从文件导入。Import from files.", no_args_is_help=True)
personal_keys = typer.Typer(help="个人信息的密钥。Keys of personal fields.", no_args_is_help=True)
maps = typer.Typer(help="地图。Maps.", no_args_is_help=True)
packs = typer.Typer(help="证据包。Evidence packs.", no_args_is_help=True)
audits = typer.Typer(help="审计。The audit.", no_args_is_help=True)

_COMMANDS: tuple[Callable[..., None], ...] = (
    run.up, run.serve, run.worker, run.migrate, run.retention, inspect.replay, inspect.explain, inspect.fsck,
    quality.simulate, quality.quality, demo.demo,
)  # fmt: skip
_IMPORTS: tuple[Callable[..., None], ...] = (
    load.venues, load.sites, load.zones, load.boundaries, load.incidents, load.cases, load.fixes,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
for command in _IMPORTS:
    imports.command()(command)
maps.command("venues")(inspect.map_venues)
for name, command in (
    ("list", keys.list_keys), ("new", keys.new), ("rotate", keys.rotate_keys), ("destroy", keys.destroy),
):  # fmt: skip
    personal_keys.command(name)(command)
for command in (audit.verify, audit.checkpoint, audit.show, audit.notices):
    audits.command()(command)
for command in (evidence.make, evidence.verify):
    packs.command()(command)
app.add_typer(imports, name="import")
app.add_typer(personal_keys, name="keys")
app.add_typer(maps, name="map")
app.add_typer(audits, name="audit")
app.add_typer(packs, name="evidence")
app.add_typer(seal.seal, name="seal")
app.add_typer(subject.subject, name="subject")
for name in ("account", "token", "device", "division", "team"):
    app.add_typer(getattr(account, name), name=name)


def main() -> None:
    """Entry point. SIGTERM and SIGHUP end the command as Ctrl-C does, so that what it started is stopped too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # The audit names the process that changed a row when nobody else is named.
    os.environ.setdefault("PGAPPNAME", " ".join(["hulan", *sys.argv[1:2]]))
    app()


def _leave(number: int, _frame: Any) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
