"""What is shown while a command is at work."""

import io

from rich.console import Console

from api.cli.screen import bar_of_stages


def test_each_stage_is_shown_by_name_and_count_and_a_pipe_gets_none_of_it() -> None:
    for is_terminal in (True, False):
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=is_terminal, width=100)
        with bar_of_stages("评估 evaluating", console=console) as told:
            told("读取登记册 reading the register", 0, 1)
            told("2026-11-10 保存 storing", 2, 7)
            told("2026-11-30", 7, 7)
        for words in ("reading the register", "0/1", "2026-11-10 保存 storing", "2/7", "7/7"):
            assert (words in shown.getvalue()) == is_terminal, words
