"""``hulan``: the command line, assembled from its groups. Only what the first word asks for is imported."""

import importlib
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

import typer

_TOP = {
    "up": "run", "serve": "run", "worker": "run", "migrate": "run", "retention": "run", "replay": "inspect",
    "explain": "inspect", "fsck": "inspect", "simulate": "quality", "quality": "quality", "demo": "demo",
}  # fmt: skip
"""Command → module of ``api.cli`` that holds it under the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A group of commands. ``commands``: name → function of the module; without any, the group is the module's own.

    ``elsewhere``: name → the module that holds it instead.
    """

    module: str
    help: str = ""
    commands: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)


_GROUPS = {
    "import": _Group(
        module="load",
        help="从文件导入。Import from files.",
        commands={
            name: name
            for name in ("venues", "sites", "gates", "doors", "zones", "boundaries", "incidents", "cases", "fixes")
        },
        elsewhere={"cases": "load_cases", "gates": "distance", "doors": "venue_seen"},
    ),
    "keys": _Group(
        module="keys",
        help="个人信息的密钥。Keys of personal fields.",
        commands={"list": "list_keys", "new": "new", "rotate": "rotate_keys", "destroy": "destroy"},
    ),
    "map": _Group(module="inspect", help="地图。Maps.", commands={"venues": "map_venues"}),
    "audit": _Group(
        module="audit",
        help="审计。The audit.",
        commands={name: name for name in ("verify", "checkpoint", "show", "notices")},
    ),
    "evidence": _Group(
        module="evidence", help="证据包。Evidence packs.", commands={"make": "make", "verify": "verify"}
    ),
    "texts": _Group(
        module="texts", help="短信措辞。What messages say.", commands={"lint": "lint", "show": "show"}
    ),
    "venue": _Group(module="venue"),
    "outbox": _Group(module="outbox"),
    "alert": _Group(module="desk"),
    "roster": _Group(module="desk"),
    "distance": _Group(
        module="distance",
        help="学校周边距离规则。The law of distance.",
        commands={
            "evaluate": "evaluate", "list": "list_findings", "changes": "changes", "show": "show_venue",
            "gate": "show_gate", "rules": "rules", "report": "report", "verify": "verify",
        },
    ),
    "lead": _Group(module="lead"),
    "seal": _Group(module="seal"),
    "order": _Group(module="casework"),
    "exemption": _Group(module="casework"),
    "leave": _Group(module="casework"),
    "suspected": _Group(module="casework"),
    "recipient": _Group(module="casework"),
    "task": _Group(module="casework"),
    "calendar": _Group(module="calendar"),
    "subject": _Group(module="subject"),
    "account": _Group(module="account"),
    "token": _Group(module="account"),
    "device": _Group(module="account"),
    "division": _Group(module="account"),
    "team": _Group(module="account"),
}  # fmt: skip


def assemble(word: str | None = None) -> typer.Typer:
    """The command line, or only what ``word`` names: importing all of it takes seconds. A word of ours or not."""
    app = typer.Typer(
        name="hulan",
        help="护栏 Hulan：监管对象电子围栏与未成年人禁入场所。Geofences for people under a judicial measure.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_nothing)  # a command line of one command would else not want its name
    is_known = word in _TOP or word in _GROUPS
    for name, module in _TOP.items():
        if not is_known or name == word:
            app.command(name)(getattr(_module(module), name))
    for name, group in _GROUPS.items():
        if not is_known or name == word:
            app.add_typer(_group(name, group), name=name)
    return app


def _nothing() -> None:
    pass


def _group(name: str, group: _Group) -> typer.Typer:
    module = _module(group.module)
    if not group.commands:
        return getattr(module, name)  # type: ignore[no-any-return] # each such module has a Typer of this name
    built = typer.Typer(help=group.help, no_args_is_help=True)
    for command, function in group.commands.items():
        holder = _module(group.elsewhere[command]) if command in group.elsewhere else module
        built.command(command)(getattr(holder, function))
    return built


def _module(name: str) -> Any:
    return importlib.import_module(f"api.cli.{name}")


def main() -> None:
    """Entry point. SIGTERM and SIGHUP end the command as Ctrl-C does, so that what it started is stopped too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # The audit names the process that changed a row when nobody else is named.
    os.environ.setdefault("PGAPPNAME", " ".join(["hulan", *sys.argv[1:2]]))
    assemble(next(iter(sys.argv[1:]), None))()


def _leave(number: int, _frame: Any) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
