"""The token view: every token is shown as text, and what is trained on can be told by eye and by ear."""

from __future__ import annotations

import html
import re

import pytest

from course_lib.finetune.examples import Example, make_example
from course_lib.models import language_model
from course_lib.widgets.token_view import TokenView, token_texts


@pytest.fixture(scope="module")
def tokenizer(models):
    return language_model().tokenizer


def shown(page):
    """The tokens as they stand on the page, in order."""
    return [html.unescape(text) for text in re.findall(r'<span title="token [^"]*"[^>]*>([^<]*)</span>', page)]


def test_every_token_is_there_and_its_kind_is_told(tokenizer, models):
    example = make_example(language_model(), [{"role": "user", "content": "It leaks.\nAgain."}], '{"issue": "leak"}')
    view = TokenView(tokenizer, example, "one")
    page = view._repr_html_()
    assert "".join(shown(page)).replace("⏎", "") == tokenizer.decode(example.tokens)
    assert len(shown(page)) == len(example) and "⏎" in page
    headings = re.findall(r'<section aria-label="([^"]+)"', page)
    assert headings == [f"read only, {len(example) - example.trained} tokens", f"trained on, {example.trained} tokens"]
    learned = page.split('<section aria-label="trained on')[1]
    assert "".join(shown(learned)) == '{"issue": "leak"}<|im_end|>'
    assert view.summary in page and f"{len(example)} tokens" in view.summary
    assert repr(view).endswith('Trained on: {"issue": "leak"}<|im_end|>') and "one: " in repr(view)


def test_what_a_ticket_says_is_text(tokenizer, models):
    nasty = '<script>alert(1)</script> <b onmouseover="x">" \u202e &amp;'
    example = make_example(language_model(), [{"role": "user", "content": nasty}], nasty)
    page = TokenView(tokenizer, example, "<i>title</i>")._repr_html_()
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {"div", "p", "strong", "br", "span", "section"}
    assert 'onmouseover="x"' not in page and "&lt;i&gt;title" in page


def test_parts_of_a_character_are_named(tokenizer):
    tokens = tokenizer("🫖", add_special_tokens=False).input_ids
    assert len(tokens) > 1 and "[part of a character]" in token_texts(tokenizer, tokens)
    assert "\ufffd" not in "".join(token_texts(tokenizer, tokens))


def test_colours_are_given_with_their_ink_and_are_not_the_only_sign(tokenizer):
    page = TokenView(tokenizer, Example((5, 6, 7), (False, True, False)))._repr_html_()
    assert page.count("<section") == page.count("</section>") == 3 and "trained on, 1 token<" in page
    assert "background:#ffe08a;color:#1f2430;border-bottom:2px" in page and "background:#ffffff;color:#1f2430" in page
