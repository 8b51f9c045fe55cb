"""How the commands talk: lines that are never wrapped, in colour where there are colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(stderr: bool = False) -> Console:
    """The terminal, or whatever stands in its place."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def lively(terminal: Console) -> bool:
    """Whether somebody watches: bars and tables are for terminals, plain lines for everything else."""
    return terminal.is_terminal and not terminal.is_dumb_terminal


def say(*parts: str, style: str | None = None, stderr: bool = False) -> None:
    """Print one line, never wrapped; the first part in colour where there are colours."""
    from rich.text import Text

    text = Text().append(parts[0], style or "")
    for part in parts[1:]:
        text.append(" " + part)
    console(stderr).print(text, soft_wrap=True)


def printable(text: str) -> str:
    """A text that a file brought along, without the signs that would steer a terminal.

    >>> printable("a\\x1b[31mred")
    'a?[31mred'
    """
    return "".join(one if one.isprintable() or one in "\n " else "?" for one in text)
