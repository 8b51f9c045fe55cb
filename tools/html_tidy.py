"""Write out the end tags that an HTML page leaves to the browser, for parsers that do not know the rules of HTML."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
BLOCK = {"p", "ul", "ol", "dl", "div", "table", "pre", "blockquote", "center", "hr", *HEADINGS}
CELLS = {"li", "dt", "dd", "td", "th"}
# A start tag closes an open element of the first set, looked for outwards as far as one of the second.
CLOSES = {tag: ({"p", *HEADINGS}, {*CELLS, "div", "blockquote", "center", "table"}) for tag in BLOCK}
CLOSES |= {"li": ({"li"}, {"ul", "ol"}), "dt": ({"dt", "dd"}, {"dl"}), "dd": ({"dt", "dd"}, {"dl"})}
CLOSES |= {"tr": ({"tr"}, {"table"}), "td": ({"td", "th"}, {"tr", "table"}), "th": ({"td", "th"}, {"tr", "table"})}


class Tidy(HTMLParser):
    """Collect in ``out`` the page with the end tags that it leaves out, so that every parser sees the tree a browser sees."""

    def __init__(self) -> None:
        super().__init__()
        self.out = ""
        self.open: list[str] = []

    def close_one(self, tags: set[str], barrier: set[str]) -> None:
        depth = next((n for n in reversed(range(len(self.open))) if self.open[n] in tags | barrier), None)
        if depth is not None and self.open[depth] in tags:
            self.out += "".join(f"</{tag}>" for tag in reversed(self.open[depth:]))
            del self.open[depth:]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.close_one(*CLOSES.get(tag, (set(), set())))
        self.out += self.get_starttag_text() or ""
        self.open += [tag] if tag not in ("br", "img", "hr", "input", "meta", "link", "wbr") else []

    def handle_endtag(self, tag: str) -> None:
        self.close_one({tag}, set() if tag in BLOCK | CELLS else BLOCK | CELLS)

    def handle_data(self, data: str) -> None:
        self.out += html.escape(data, quote=False)


def tidy(source: str) -> str:
    """The page with every end tag in place, without its scripts, styles, drawings and comments.

    >>> tidy("<ul><li>one<li><p>two<p>three</ul>")
    '<ul><li>one</li><li><p>two</p><p>three</p></li></ul>'
    """
    parser = Tidy()
    dropped = r"(?s)<(script|style|svg)\b.*?</\1>|<!--.*?-->|<p>(?=\s*(<a name=[^>]*></a>\s*)?<(dt|li)\b)"
    parser.feed(re.sub(dropped, "", source).replace("&nbsp;", " "))
    parser.close()
    return parser.out
