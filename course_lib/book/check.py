"""Look over the built pages without a browser: every page is there, links lead somewhere, pictures have words, nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

FETCHING = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src"}
AWAY = ("http:", "https:", "//")


def pages_of(html: Path) -> list[Path]:
    """The pages of a built book."""
    return sorted(path for path in html.rglob("*.html") if not {"_static", "_sources"} & set(path.relative_to(html).parts))


def expected_pages(source: Path) -> list[str]:
    """The pages that there must be, by the table of contents."""
    toc = (source / "_toc.yml").read_text(encoding="utf-8")
    return [f"{name}.html" for name in re.findall(r"^\s*-? ?(?:root|file): (\S+)$", toc, flags=re.MULTILINE)]


def check_pages(html: Path, source: Path) -> list[str]:
    """All that is wrong, one sentence each."""
    problems = [f"{name} was not made." for name in expected_pages(source) if not (html / name).is_file()]
    for page in pages_of(html):
        name = page.relative_to(html).as_posix()
        problems += [f"{name}: {problem}" for problem in check_page(page, html)]
    return problems


@cache
def parsed(page: Path) -> Any:
    """A page as a tree."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(page: Path) -> frozenset[str]:
    """The ids and names on a page."""
    return frozenset(
        str(tag.get("id") or tag.get("name")) for tag in parsed(page).find_all(lambda tag: tag.get("id") or tag.get("name"))
    )


def check_page(page: Path, html: Path) -> Iterator[str]:
    """What is wrong with one page."""
    tree = parsed(page)
    for tag in tree.find_all("img"):
        if tag.get("alt") is None:
            yield f"a picture has no words for those who cannot see it: {str(tag)[:80]}"
    for tag in tree.find_all(list(FETCHING)):
        if str(tag.get(FETCHING[tag.name], "")).startswith(AWAY):
            yield f"it fetches {tag[FETCHING[tag.name]]}"
    for tag in tree.find_all("link", href=True):
        if str(tag["href"]).startswith(AWAY) and "canonical" not in tag.get("rel", []):
            yield f"it fetches {tag['href']}"
    for tag in tree.find_all("a", href=True):
        yield from check_link(str(tag["href"]), page, html)


def check_link(href: str, page: Path, html: Path) -> Iterator[str]:
    """Whether a link within the book leads somewhere; links to other places are not followed."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or href in ("", "#"):
        return
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(html.resolve()) or not target.is_file():
        yield f"a link leads nowhere: {href}"
    elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in anchors(target):
        yield f"a link leads to no place on its page: {href}"
