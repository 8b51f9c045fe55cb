"""The claims that people make about RAG and fine-tuning, each with what the shipped runs measured so far."""

from __future__ import annotations

from .explorables import Data, Interval, calculator
from .results import table, with_interval


def told(values: Interval) -> str:
    """A share with its interval and the number of questions."""
    return f"{with_interval(*values[:3])}, n {values[3]:.0f}"


def claims_table(data: Data | None = None) -> str:
    """The table of the decision page: claim, where it is measured, what came out."""
    data = data or calculator()
    right, cites, filed, fresh, general = (data[name] for name in ("right", "cites", "tickets", "fresh", "general"))
    seconds = sorted(data["training"]["facts"])
    rows = [
        (
            "RAG reflects changed data at once; a fine-tuned model is a snapshot",
            "05, 08",
            f"after the change the new passage was in the prompt for {told(fresh['after'])}; "
            f"a refresh by training took {seconds[0]} to {seconds[-1]} s",
        ),
        (
            "RAG can cite its source; a fine-tuned model cannot",
            "03, 04",
            f"asked to cite, the untrained model did in {told(cites['model'])}; "
            f"a program's citations held a needed fact in {told(cites['program'])}",
        ),
        (
            "Fine-tuning wins on style, tone and output schema",
            "07",
            f"valid JSON: by a prompt {told(filed['prompt']['valid'])}, trained {told(filed['trained']['valid'])}; all fields right: "
            f"{told(filed['prompt']['whole'])} and {told(filed['trained']['whole'])}",
        ),
        (
            "RAG adds latency: it makes a longer prompt",
            "04, 07",
            f"tokens of a prompt with three passages {data['questions']['open']['in']:.0f}, without {data['questions']['closed']['in']:.0f} "
            f"(SQLite); with rules and five tickets {filed['prompt']['in']:.0f}, trained {filed['trained']['in']:.0f}",
        ),
        (
            "Fine-tuning is a poor way to add facts; it can forget",
            "08",
            f"taught facts asked in new words: {told(right['taught'])}, in a trained wording {told(right['trained wording'])}; general knowledge "
            f"before {told(general['before'])}, after {told(general['after'])}",
        ),
        (
            "RAG fails where retrieval pulls the wrong chunks",
            "04",
            f"right with retrieved passages {told(right['retrieved'])}, with the right ones {told(right['gold'])}, with none {told(right['closed'])}",
        ),
        (
            "Data preparation is the hidden cost of fine-tuning",
            "06",
            "your own minutes, on lab 06's meter; the claim of 40 to 100 hours stays open",
        ),
        ("Serious systems do both: the tuned model for skill and style, retrieval for freshness", "10, 11", "not measured yet"),
    ]
    return "\n".join(table(["claim", "lab", "measured"], rows, numbers=False))
