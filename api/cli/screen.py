"""What the command line shows: one console, one kind of table, one kind of progress bar, errors in plain words."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import DBAPIError

# A pipe or a CI log has no width of its own.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """A line on standard error, as text."""
    err.print(line, markup=False)


def show_table(rows: Sequence[tuple[str, ...]], *, title: str | None = None) -> None:
    """A table whose first row is its heading. Cells are shown as text whatever they hold."""
    table = Table(title=title, title_justify="left")
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows[1:]:
        table.add_row(*[cell.replace("[", r"\[") for cell in row])
    out.print(table)


@contextmanager
def progress(label: str, total: float | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar; the yielded function is told how much more is done."""
    with bar_of(label) as (begin, advance):
        if total is not None:
            begin(total)
        yield advance


@contextmanager
def bar_of(label: str) -> Iterator[tuple[Callable[[float], None], Callable[[int], None]]]:
    """A progress bar whose total is known later: the first function is told it, the second how much more is done."""
    with _bar(out) as bar:
        task = bar.add_task(label, total=None)
        yield lambda total: bar.update(task, total=total), lambda count: bar.update(task, advance=count)


@contextmanager
def bar_of_stages(label: str, *, console: Console = out) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar of work in stages: the function is told which one begins, how many are done, and of how many."""
    with _bar(console) as bar:
        task = bar.add_task(label, total=None)
        yield lambda stage, done, of: bar.update(task, description=stage, completed=done, total=of, refresh=True)


def _bar(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def plain_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn foreseeable errors into one message and exit code 1: no traceback for what the user can mend."""
    try:
        yield
    except kinds as error:
        message = _message(error)
        err.print(f"错误 / error: {message}", style="red", markup=False)
        raise typer.Exit(1) from error


def _message(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return _settings_message(error)
    if isinstance(error, DBAPIError):  # its text may quote a row
        state = getattr(error.orig, "sqlstate", None) or ""
        return f"数据库出错 / the database failed: {type(error.orig).__name__} {state}".strip()
    return str(error)


def _settings_message(error: ValidationError) -> str:
    lines = [
        f"HULAN_{str(item['loc'][0]).upper()}: {item['msg']}"
        if item["loc"]
        else item["msg"].removeprefix("Value error, ")
        for item in error.errors(include_input=False, include_url=False)
    ]
    return "；".join(lines)
