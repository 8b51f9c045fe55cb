"""The one exception that people are meant to read: what happened, and what to do next."""

from __future__ import annotations


class CourseError(Exception):
    """Something that the reader can mend.

    >>> print(CourseError("The disk is full.", "Free 1 GB and start again."))
    The disk is full.
    What to do: Free 1 GB and start again.
    """

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what}\nWhat to do: {todo}")
        self.what, self.todo = what, todo

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()  # in a notebook: the two sentences, without the library's insides
