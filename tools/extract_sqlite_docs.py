"""Turn pages of SQLite's documentation (Debian package sqlite3-doc) into the Markdown files of the second corpus.

    python tools/extract_sqlite_docs.py /usr/share/doc/sqlite3 course_lib/corpus/sqlite/docs

The pages are those that ``sqlite_pages.txt`` names. The same package gives the same files, byte for byte.
"""

import argparse
import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from html_tidy import BLOCK, HEADINGS, tidy
from markdownify import MarkdownConverter

NUMBER = r"^([\d. ]+ (?=\D)|\(\d+\) (?!SQLITE_))"
OPTIONS = {"strip": ["a", "b", "i", "em", "strong", "u", "s"], "heading_style": "ATX", "bullets": "-"}
OPTIONS |= {"wrap": True, "wrap_width": None, "escape_asterisks": False, "escape_underscores": False, "escape_misc": False}


def words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def bold_title(item: Tag) -> Tag | None:
    """The bold words with which an element begins, if nothing else stands in the same block."""
    inner = [child for child in item.children if isinstance(child, Tag) or child.strip()] or [item]
    if inner[0].name == "p" and item.name == "li":
        return inner[0] if bold_title(inner[0]) else None
    return inner[0] if inner[0].name == "b" and (len(inner) == 1 or inner[1].name in BLOCK) else None


def rewrite_table(table: Tag) -> None:
    """Write a table of plain cells as a pipe table, without its empty rows and columns; take any other one apart."""
    grid: dict[tuple[int, int], str] = {}
    for y, row in enumerate(table.find_all("tr")):
        for cell in row.find_all(["td", "th"]):
            x = next(x for x in range(999) if (y, x) not in grid)
            for n in range((down := int(cell.get("rowspan", 1))) * int(cell.get("colspan", 1))):
                grid[y + n % down, x + n // down] = words(cell).replace("|", "\\|")
    ys, xs = sorted({y for (y, _), text in grid.items() if text}), sorted({x for (_, x), text in grid.items() if text})
    rows = [[grid.get((y, x), "") for x in xs] for y in ys]
    if len(xs) < 2 or table.find(["table", "pre", "ul", "ol", "blockquote"]):
        for part in [table, *table.find_all(["tr", "td", "th"])]:
            part.name = "div"
        return
    if not all(cell.name == "th" or cell.b for cell in table("tr")[ys[0]](["td", "th"]) if words(cell)):
        rows.insert(0, [""] * len(xs))
    rows.insert(1, ["---"] * len(xs))
    table.name, table["class"], table.string = "pre", "table", "\n".join(f"| {' | '.join(row)} |" for row in rows)


def convert(source: str, page: str) -> str:
    """The Markdown file of one page: front matter, title, text."""
    soup = BeautifulSoup(tidy(source), "html.parser")
    title = words(soup.find(class_="fancy_title") or soup.title)
    junk = soup.select("head, img, hr, form, .nosearch, .imgcontainer, .fancy_toc")
    junk += [p for p in soup("p") if re.match(r"This page last modified|See also lists of|[a-z-]+:( hide| show)?$", words(p))]
    jumps = {li for li in soup("li") if li.a and li.a.get("href", "")[:1] == "#" and words(li) == words(li.a)}
    junk += [group for group in soup(["ul", "ol"]) if jumps.issuperset(group("li"))]
    for tag in [*junk, *(h for h in soup(HEADINGS)[:1] if re.sub(NUMBER, "", words(h)) == title)]:
        tag.decompose()
    for tag in soup.select("table br, dt br, pre pre"):
        tag.insert(0, " " if tag.name == "br" else "")
        tag.unwrap()
    for table in reversed(soup("table")):
        rewrite_table(table)
    for dl in {id(dt.parent): dt.parent for dt in soup("dt")}.values():
        long = len(words(dl).split()) > 25 * len(dl("dt"))  # long definitions get headings, short ones become list items
        for dt in dl("dt", recursive=False):
            if (after := dt.find_next_sibling(["dt", "dd"])).name == "dt":
                after.insert(0, f"{words(dt.extract())}, ")
            else:
                dt.name, dt.string = ("h6", words(dt).strip(", ")) if long else ("li", f"{words(dt)}: {words(after.extract())}")
    for first in soup.select("ol > li:first-child[value]"):
        first.parent["start"] = first["value"]
    for group in soup(["ul", "ol"]):
        titles = [bold_title(li) for li in group.find_all("li", recursive=False)]
        for tag in [*group.find_all("li", recursive=False), group, *titles] if titles and all(titles) else []:
            tag.name = "h6" if tag in titles else "div"
    for tag in [p for p in soup("p") if bold_title(p) and not p.find_parent("li")]:
        tag.name = "h6"
    for tag in soup(["tt", "sup", "center", "blockquote", "dl", "dd"]):
        tag.insert(0, "^" if tag.name == "sup" else "")
        tag.name = {"tt": "code", "sup": "span", "dl": "ul" if tag.li else "div"}.get(tag.name, "div")
    marks, level = sorted({tag.name for tag in soup(HEADINGS[:5], notoc=None)}), 1
    for tag in soup(HEADINGS):
        level = 2 if tag.get("notoc") else marks.index(tag.name) + 2 if tag.name in marks else level
        tag.name, tag.string = f"h{level + (tag.name == 'h6')}", re.sub(NUMBER, "", words(tag))
    text = MarkdownConverter(**OPTIONS, code_language_callback=lambda pre: "".join(pre.get("class", ""))).convert(str(soup))
    text = re.sub(r"(?m)^(##+) .*\s+(?=(##+) )", lambda pair: "" if len(pair[2]) <= len(pair[1]) else pair[0], text)
    text = re.sub(r"(?ms)^ *```table\n(.*?)\n *```$", r"\1", text)
    matter = f"""id: sqlite-{page.replace("/", "-")}
title: {title!r}
kind: reference
family: sqlite
products: []
edition: "3.40.1"
audience: customer
source: official
valid_from: null
valid_to: null
overrules: []
origin: {page}.html"""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", f"---\n{matter}\n---\n# {title}\n\n{text.strip()}\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Turn pages of SQLite's documentation into Markdown files.")
    parser.add_argument("source", type=Path, help="folder of the package's pages")
    parser.add_argument("destination", type=Path, help="folder for the Markdown files")
    arguments = parser.parse_args()
    for page in Path(__file__).with_name("sqlite_pages.txt").read_text().split():
        text = convert((arguments.source / f"{page}.html").read_text(encoding="utf-8"), page)
        (arguments.destination / f"{page.replace('/', '-')}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
