"""The built book in a real browser: what its pages ask the network for, what axe-core says of them, and a PDF of them all."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError
from .check import pages_of

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 300_000  # milliseconds: a machine that does other things as well is slow
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The program Chromium: ``COURSE_CHROMIUM``, or where systems usually have it; ``None`` where there is none."""
    return os.environ.get("COURSE_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Any]:
    """A running browser. Raises :class:`CourseError` where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise CourseError("Playwright, which drives the browser, is not installed.", "pip install playwright") from error
    program = find_chromium()
    if program is None:
        raise CourseError("There is no Chromium on this machine.", "install it, or set COURSE_CHROMIUM to its path.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=PATIENCE)
        try:
            yield running
        finally:
            running.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder over http on this machine, on a free port; the address of its root."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Visit:
    """What a visit of one page showed: requests that left the book, errors of scripts, violations of axe-core's rules."""

    page: str
    how: str
    outside: tuple[str, ...]
    errors: tuple[str, ...]
    violations: tuple[str, ...]


def visit(tab: Any, root: str, page: str, axe: str = "") -> Visit:
    """Open a page, wait until it rests, and look. ``axe`` is the source of axe-core; without it no rules are checked."""
    outside: list[str] = []
    errors: list[str] = []

    def request(one: Any) -> None:
        if not one.url.startswith((root, "data:", "blob:")):
            outside.append(one.url)

    def error(one: Any) -> None:
        errors.append(str(one))

    tab.on("request", request)
    tab.on("pageerror", error)
    tab.goto(root + page, wait_until="networkidle", timeout=PATIENCE)
    violations = axe_violations(tab, axe) if axe else []
    tab.remove_listener("request", request)
    tab.remove_listener("pageerror", error)
    return Visit(page, root.split(":")[0], tuple(outside), tuple(errors), tuple(violations))


def axe_violations(tab: Any, axe: str) -> list[str]:
    """The rules of axe-core (WCAG 2.1 A and AA, and its best practices) that a page breaks: rule, how often, the first place."""
    tab.evaluate(axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => JSON.stringify(result.violations))")
    return [f"{one['id']} ×{len(one['nodes'])}: {one['nodes'][0]['html'][:160]}" for one in json.loads(found)]


def visit_all(html: Path, axe: str = "", dark: bool = False, only: Sequence[str] = ()) -> Iterator[Visit]:
    """Every page (or ``only`` some) over http, with axe-core, at both sizes, and from its folder, for requests and errors.

    ``dark``: the dark colours, over http at one size; nothing else differs.
    """
    names = list(only) or [page.relative_to(html).as_posix() for page in pages_of(html)]
    scheme = "dark" if dark else "light"
    with browser() as running, served(html) as root:
        for size, (width, height) in list(SIZES.items())[: 1 if dark else None]:
            tab = running.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name in names:
                one = visit(tab, root, name, axe)
                yield Visit(one.page, f"http, {size}, {scheme}", one.outside, one.errors, one.violations)
            tab.close()
        tab = running.new_page()
        for name in [] if dark else names:
            one = visit(tab, html.resolve().as_uri() + "/", name)
            yield Visit(one.page, "file", one.outside, one.errors, ())


UNFOLD = """async () => {
  document.querySelectorAll('details').forEach((one) => { one.open = true; });
  for (let frame = 0; frame < 3; frame += 1) await new Promise((next) => requestAnimationFrame(next));
}"""
"""Opens every fold, and waits until that is painted: a page printed before would leave their contents blank."""


def pdf(html: Path, target: Path, order: list[str]) -> int:
    """Print pages one after the other into one PDF, each under its title in the outline; return the number of its pages.

    Raises :class:`CourseError` where there is no browser or nothing that joins PDFs.
    """
    try:
        from pypdf import PdfWriter
    except ImportError as error:
        raise CourseError("pypdf, which joins pages into one PDF, is not installed.", "pip install pypdf") from error
    import io

    book = PdfWriter()
    with browser() as running, served(html) as root:
        tab = running.new_page(color_scheme="light")
        for name in order:
            tab.goto(root + name, wait_until="networkidle", timeout=PATIENCE)
            # On a busy machine the frames alone are not enough: what was folded is printed blank now and then.
            tab.add_style_tag(content="details::details-content { content-visibility: visible !important; }")
            tab.evaluate(UNFOLD)
            title = tab.title().split(" — ")[0]
            printed = tab.pdf(
                format="A4", margin={side: "16mm" for side in ("top", "bottom", "left", "right")}, print_background=True
            )
            book.append(io.BytesIO(printed), outline_item=title)
    partial = target.with_suffix(".partial")
    with partial.open("wb") as stream:
        book.write(stream)
    os.replace(partial, target)
    return len(book.pages)
