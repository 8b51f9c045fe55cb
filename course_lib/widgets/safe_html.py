"""Show text that somebody else wrote: escaped, whatever is in it, with spans marked and named."""

from __future__ import annotations

import html
from collections.abc import Sequence

Mark = tuple[int, int, str]
"""A span of a text and what it is: ``(start, end, label)``. An empty label marks without naming."""

INK, PAPER, EDGE, MARKED = "#1f2430", "#ffffff", "#c9ced8", "#ffe08a"
"""Colours of a light card; both ink and paper are given, so that it can be read on a dark page too."""

# A right-to-left override or a character without width can make a text look like another: they are shown by name.
UNSEEN = {code: f"[U+{code:04X}]" for code in (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)}
UNSEEN |= {code: f"[U+{code:04X}]" for code in range(32) if chr(code) not in "\t\n\r"}


def escaped(text: str) -> str:
    """A text as HTML that shows exactly its characters: no tag, no entity and no attribute of it takes effect.

    What a reader could not see (characters without width or that turn the direction) is named.

    >>> escaped('<img src=x onerror="alert(1)"> & \\u202e')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; [U+202E]'
    """
    return html.escape(text.translate(UNSEEN))


def passage_html(text: str, marks: Sequence[Mark] = ()) -> str:
    """A text as a block of HTML, escaped, its line breaks kept, with each span of ``marks`` in a ``<mark>``.

    A label stands at the end of its span, where screen readers read it too. Spans are offsets into ``text``; where two overlap,
    the one that begins first is shown, and what lies outside the text is left out. Links stay text: nothing can be clicked.

    >>> passage_html("Wipe <b>it</b>.", [(5, 14, "1")]).split(">", 1)[1]
    'Wipe <mark style="background:#ffe08a;color:#1f2430">&lt;b&gt;it&lt;/b&gt;<sup> 1</sup></mark>.</div>'
    """
    pieces, at = [], 0
    for start, end, label in sorted(marks):
        start, end = max(start, 0), min(end, len(text))
        if start < at or start >= end:
            continue
        named = f"<sup> {escaped(label)}</sup>" if label else ""
        pieces += [
            escaped(text[at:start]),
            f'<mark style="background:{MARKED};color:{INK}">{escaped(text[start:end])}{named}</mark>',
        ]
        at = end
    pieces.append(escaped(text[at:]))
    look = f"white-space:pre-wrap;overflow-wrap:anywhere;background:{PAPER};color:{INK};line-height:1.4"
    return f'<div style="{look}">{"".join(pieces)}</div>'


def card(inner: str, label: str = "") -> str:
    """HTML on a light card that is readable on a dark page too; ``label`` names it for screen readers. ``inner`` is not escaped."""
    look = f"background:{PAPER};color:{INK};border:1px solid {EDGE};border-radius:6px;padding:.6em .8em;line-height:1.4;margin:.3em 0"
    named = f' role="region" aria-label="{escaped(label)}"' if label else ""
    return f'<div{named} style="{look}">{inner}</div>'
