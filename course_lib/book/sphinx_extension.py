"""What this book needs besides Jupyter Book: formulas as MathML, which browsers show and read aloud by themselves, and fewer scripts."""

from __future__ import annotations

import re
from typing import Any


def whole_words(latex: str) -> str:
    r"""A formula in which names of several letters are words, which would else be read, and set, as products of letters.

    >>> whole_words(r"\frac{tf}{mean\_length} + k_1")
    '\\frac{\\text{tf}}{\\text{mean_length}} + k_1'
    """
    return re.sub(
        r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?:\\_[a-zA-Z]+)*", lambda found: rf"\text{{{found[0].replace(chr(92), '')}}}", latex
    )


def formula(latex: str, display: bool) -> str:
    """A formula as MathML."""
    from latex2mathml.converter import convert

    return str(convert(whole_words(latex), display="block" if display else "inline"))


def visit_math(writer: Any, node: Any) -> None:
    """Write a formula within a line."""
    from docutils.nodes import SkipNode

    writer.body.append(formula(node.astext(), display=False))
    raise SkipNode


def visit_math_block(writer: Any, node: Any) -> None:
    """Write a formula on lines of its own; where it is wider than the page it scrolls, by keyboard too."""
    from docutils.nodes import SkipNode

    body = formula(node.astext(), display=True)
    writer.body.append(f'<div class="formula" tabindex="0" role="group" aria-label="Formula">{body}</div>')
    raise SkipNode


def drop_thebe(app: Any, page: str, template: str, context: Any, tree: Any) -> None:
    """Leave out the scripts for live code, which Jupyter Book loads on every page: they would ask the network, and there is no kernel."""
    context["script_files"] = [
        one for one in context["script_files"] if "thebe" not in f"{one.filename} {one.attributes.get('body', '')}".lower()
    ]


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.add_css_file("book.css")
    app.add_js_file("explore.js", defer="defer")
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
