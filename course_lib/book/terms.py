"""The glossary's terms: read from its page, and linked where a lab's page uses one for the first time."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What must stay as it is: code, formulas, links, roles, tags, headings, and the line of objectives.
KEPT = re.compile(
    r"```.*?```|\{[\w:-]+\}`[^`]*`|`[^`]*`|\$\$.*?\$\$|(?<!\\)\$[^$]+?(?<!\\)\$|!?\[[^\]]*\]\([^)]*\)|<[^>]+>|^#+ .*?$",
    flags=re.DOTALL | re.MULTILINE,
)


def glossary_terms(page: str) -> list[str]:
    """The terms of a page's ``{glossary}`` block, in order: its lines that are not indented.

    >>> glossary_terms("# G\\n\\n```{glossary}\\nBM25\\n  A score.\\n\\nnDCG\\n  A measure.\\n```\\n")
    ['BM25', 'nDCG']
    """
    block = re.search(r"```\{glossary\}\n(.*?)\n```", page, flags=re.DOTALL)
    lines = block[1].splitlines() if block else []
    return [line.strip() for line in lines if line and not line[0].isspace() and not line.startswith(":")]


class TermLinker:
    """Links each term where it is met first; :meth:`link` is called with one text of a page after the other.

    >>> linker = TermLinker(["BM25", "passage"])
    >>> linker.link("**BM25** ranks passages: `BM25`.")
    '**{term}`BM25`** ranks {term}`passages <passage>`: `BM25`.'
    >>> linker.link("BM25 again.")
    'BM25 again.'
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self._left = {term.lower(): term for term in terms}
        words = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w-])({words})(s?)(?![\w-])", flags=re.IGNORECASE) if terms else None

    def link(self, text: str) -> str:
        """The text with a ``{term}`` role at each term that no earlier text had; code, formulas, links and headings stay."""
        if self._pattern is None:
            return text
        pieces, at = [], 0
        for kept in KEPT.finditer(text):
            pieces += [self._pattern.sub(self._role, text[at : kept.start()]), kept[0]]
            at = kept.end()
        return "".join([*pieces, self._pattern.sub(self._role, text[at:])])

    def _role(self, found: re.Match[str]) -> str:
        term = self._left.pop(found[1].lower(), None)
        if term is None:
            return found[0]
        shown = " ".join(found[0].split())
        return f"{{term}}`{shown}`" if shown == term else f"{{term}}`{shown} <{term}>`"
