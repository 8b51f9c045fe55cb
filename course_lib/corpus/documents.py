"""The documents of the course: read from Markdown or HTML, with their front matter, as plain text.

Two corpora travel with the package: ``quillfeather`` (the story, written for this course) and ``sqlite`` (an extract of
SQLite's own documentation). A document is text in Markdown, whatever its file was, so that every later step sees one form.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CORPORA = ("quillfeather", "sqlite")
EDITIONS = ("2025", "2026")


@dataclass(frozen=True)
class Document:
    """One document: its text in Markdown and what its front matter says.

    ``audience`` is ``customer`` or ``staff``; ``source`` is ``official``, ``community`` or ``supplier``. ``valid_from`` and
    ``valid_to`` bound the days on which it holds (``None``: no bound). ``overrules`` names documents that it corrects.
    """

    id: str
    title: str
    text: str = field(repr=False)
    kind: str = "document"
    family: str = ""
    products: tuple[str, ...] = ()
    edition: str = ""
    audience: str = "customer"
    source: str = "official"
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None
    overrules: tuple[str, ...] = ()

    def holds_in(self, edition: str) -> bool:
        """Whether the document is in force in an edition, a year such as ``"2026"``.

        >>> policy = Document("p", "Returns", "…", valid_from=datetime.date(2025, 1, 1), valid_to=datetime.date(2025, 12, 31))
        >>> policy.holds_in("2025"), policy.holds_in("2026")
        (True, False)
        """
        first, last = datetime.date(int(edition), 1, 1), datetime.date(int(edition), 12, 31)
        return (self.valid_from is None or self.valid_from <= last) and (self.valid_to is None or self.valid_to >= first)

    @property
    def metadata(self) -> dict[str, str | list[str]]:
        """What a search may filter by. ``editions`` holds the years in which the document is in force.

        >>> Document("p", "Returns", "…", products=("a",), valid_to=datetime.date(2025, 12, 31)).metadata["editions"]
        ['2025']
        """
        return {
            "document": self.id,
            "kind": self.kind,
            "family": self.family,
            "products": list(self.products),
            "audience": self.audience,
            "source": self.source,
            "editions": [year for year in EDITIONS if self.holds_in(year)],
        }


def parse_markdown(source: str) -> tuple[dict[str, Any], str]:
    """Split a Markdown file into its front matter and its text.

    >>> parse_markdown("---\\nid: a\\nproducts: [x]\\n---\\n# Title\\n")
    ({'id': 'a', 'products': ['x']}, '# Title')

    Raises ``ValueError`` where there is no front matter.
    """
    import yaml

    match = re.match(r"---\n(.*?)\n---\n(.*)", source, flags=re.DOTALL)
    if not match:
        raise ValueError("no front matter: the file must begin with a block between two lines of ---")
    try:
        return yaml.safe_load(match[1]), match[2].strip()
    except yaml.YAMLError as error:
        raise ValueError(f"the front matter is not YAML: {error}") from error


def html_to_markdown(html: str) -> str:
    """Turn an HTML page or fragment into Markdown: ATX headings, pipe tables, ``-`` lists, the text of links.

    >>> html_to_markdown("<h2>Care</h2><p>Wipe <a href='x'>it</a>.</p>")
    '## Care\\n\\nWipe it.'
    """
    from bs4 import BeautifulSoup, Comment
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    for unwanted in soup(["script", "style", "head"]):
        unwanted.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", strip=["a", "img"], escape_asterisks=False, escape_underscores=False, escape_misc=False
    )
    text = converter.convert_soup(soup)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def parse_html(source: str) -> tuple[dict[str, Any], str]:
    """Split an HTML page into the front matter in its ``<meta name=…>`` tags and its text as Markdown."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(source, "html.parser")
    matter: dict[str, Any] = {
        str(tag["name"]): tag.get("content", "") or None for tag in soup.find_all("meta", attrs={"name": True})
    }
    matter["title"] = soup.title.get_text().strip() if soup.title else ""
    for name in ("products", "overrules"):
        matter[name] = [part for part in re.split(r",\s*", matter.get(name) or "") if part]
    return matter, html_to_markdown(source)


def _date(value: Any) -> datetime.date | None:
    if value in (None, "", "null", "None"):
        return None
    return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(str(value))


def read_document(path: Path) -> Document:
    """Read one ``.md`` or ``.html`` file. Raises ``ValueError`` that names the file where its front matter is wrong."""
    source = path.read_text(encoding="utf-8")
    try:
        matter, text = parse_html(source) if path.suffix == ".html" else parse_markdown(source)
        return Document(
            id=str(matter["id"]),
            title=str(matter["title"]),
            text=text,
            kind=str(matter["kind"]),
            family=str(matter["family"]),
            products=tuple(matter.get("products") or ()),
            edition=str(matter["edition"]),
            audience=str(matter["audience"]),
            source=str(matter["source"]),
            valid_from=_date(matter.get("valid_from")),
            valid_to=_date(matter.get("valid_to")),
            overrules=tuple(matter.get("overrules") or ()),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: bad front matter: {error}") from error


@cache
def _all_documents(corpus: str) -> tuple[Document, ...]:
    if corpus not in CORPORA:
        raise ValueError(f"There is no corpus {corpus!r}. There are: {', '.join(CORPORA)}.")
    paths = sorted(path for path in (HERE / corpus / "docs").rglob("*") if path.suffix in (".md", ".html"))
    return tuple(sorted((read_document(path) for path in paths), key=lambda document: document.id))


def load_documents(
    corpus: str = "quillfeather", *, edition: str | None = "2026", audience: str | None = "customer", official: bool = True
) -> list[Document]:
    """Load a corpus, sorted by id.

    ``edition`` keeps what holds in that year (``None``: everything). ``audience="customer"`` leaves internal notes out
    (``None``: everything). ``official=True`` keeps what Quillfeather itself wrote. SQLite's pages have no dates and are all kept.

    >>> any(document.audience == "staff" for document in load_documents())
    False
    """
    return [
        document
        for document in _all_documents(corpus)
        if (edition is None or document.holds_in(edition))
        and (audience is None or document.audience == audience)
        and (not official or document.source == "official")
    ]
