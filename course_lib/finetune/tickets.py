"""From a ticket to the desk's JSON: the prompt, the house schema, and the marks of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..corpus.tickets import ISSUES, PRIORITIES, WANTS, GoldTicket, RawTicket

Message = dict[str, str]

FIELDS = ("product", "issue", "priority", "order_number", "error_code", "wants")
"""What the desk files of a ticket, in the order of the house schema; ``reply`` follows as the last key."""

FIELDS_WEIGH = 5.0
"""How much the loss of a token before the reply counts against one of the reply, which has half of the tokens and none of the fields."""

SHORT_PROMPT = "File this ticket as the desk's JSON."


RULES_PROMPT = f"""You file tickets for the support desk of Quillfeather. Answer with one line of JSON and nothing else. Its keys, in this order:
product: the product's name without its model number, or null where the ticket does not name it
issue: one of {", ".join(ISSUES)}
priority: urgent (danger), high (the machine cannot be used, or nobody answered before), low (a how-to question), normal (all else)
order_number: like QO-26-004417, or null
error_code: the code that the machine shows, or null
wants: one of {", ".join(WANTS)}
reply: "Hello NAME, what is wrong. Next, what happens now. The bench", 18 to 34 words"""
"""The house's rules in words: what a prompt without examples has to say."""


def ticket_text(ticket: RawTicket) -> str:
    """A ticket as the model reads it: who wrote, subject, the two form fields where they are filled in, and the body."""
    lines = [f"From: {ticket.sender}", f"Subject: {ticket.subject}"]
    lines += [
        f"{name}: {value}" for name, value in (("Product", ticket.product_field), ("Order", ticket.order_field)) if value.strip()
    ]
    return "\n".join(lines) + f"\n\n{ticket.body.strip()}"


def ticket_messages(ticket: RawTicket, system: str = SHORT_PROMPT) -> list[Message]:
    """The conversation that asks for a ticket's JSON."""
    return [{"role": "system", "content": system}, {"role": "user", "content": ticket_text(ticket)}]


def shown_messages(ticket: RawTicket, shots: Sequence[tuple[RawTicket, GoldTicket]] = ()) -> list[Message]:
    """The conversation for an untrained model: the rules, some tickets with their JSON as examples (*few-shot*), then the ticket."""
    messages = [{"role": "system", "content": RULES_PROMPT}]
    for shot, gold in shots:
        messages += [{"role": "user", "content": ticket_text(shot)}, {"role": "assistant", "content": house_json(shot, gold)}]
    return [*messages, {"role": "user", "content": ticket_text(ticket)}]


def house_object(ticket: RawTicket, gold: GoldTicket) -> dict[str, str | None]:
    """What the desk files of a ticket, in the order of the house schema.

    ``product`` is the product's name as far as the ticket gives it: ``"Alder"``, and ``None`` where it gives none.
    The model number is not asked for: who writes "my kettle" does not know it, and the desk's list of customers does. Nor does the reply
    name what the ticket does not: an answer that cannot be read out of its ticket teaches a model to invent.
    """
    text, product, reply = ticket_text(ticket).lower(), None, gold.reply
    if gold.product:
        name, model = gold.product.split("-")
        known = name.capitalize()
        product = known if name in text else None
        if not product or not re.search(rf"\b{model}\b", text):
            reply = reply.replace(f"{known} {model.upper()}", known)
        if not product:
            reply = reply.replace(known, "machine")
    return {"product": product} | {key: getattr(gold, key) for key in FIELDS[1:]} | {"reply": reply}


def house_json(ticket: RawTicket, gold: GoldTicket) -> str:
    """The same as one line of JSON: the answer that the model is to learn."""
    return json.dumps(house_object(ticket, gold), ensure_ascii=False)


def schema_problems(value: Any) -> list[str]:
    """Where a value breaks the house schema; empty where it keeps it.

    The schema is strict: an object with these seven keys in this order; ``issue``, ``priority`` and ``wants`` from their lists; product,
    order number and error code a text of their form, or null; the reply a text.

    >>> schema_problems({"issue": "leak"})
    ['the keys are issue, not product, issue, priority, order_number, error_code, wants, reply']
    """
    if not isinstance(value, dict):
        return ["it is not an object"]
    wanted = (*FIELDS, "reply")
    if tuple(value) != wanted:
        return [f"the keys are {', '.join(map(str, value)) or 'missing'}, not {', '.join(wanted)}"]
    problems = [
        f"{name} is {value[name]!r}"
        for name, allowed in (("issue", ISSUES), ("priority", PRIORITIES), ("wants", WANTS))
        if value[name] not in allowed
    ]
    forms = {"product": r"[A-Z][a-z]+", "order_number": r"QO-[0-9]{2}-[0-9]{6}", "error_code": r"[A-Z][A-Z0-9-]*[0-9]+"}
    for name, form in forms.items():
        if value[name] is not None and not (isinstance(value[name], str) and re.fullmatch(form, value[name])):
            problems.append(f"{name} is {value[name]!r}")
    if not isinstance(value["reply"], str):
        problems.append("the reply is no text")
    return problems


def in_house_voice(reply: str) -> bool:
    """Whether a reply keeps the house's form: greets, says one plain sentence, then the next step, and signs; short, and never shouts.

    >>> in_house_voice("Hello Ms Reyes, your Teasel G1 is dead and nobody came to collect it. Next, tell us a day and we come. The bench")
    True
    >>> in_house_voice("So sorry to hear that!")
    False
    """
    form = re.fullmatch(r"Hello .+?, .+\. Next, .+\. The bench", reply, re.DOTALL)
    return bool(form) and "!" not in reply and 18 <= len(reply.split()) <= 34


@dataclass(frozen=True)
class Filed:
    """The marks of one answer: valid JSON of the house schema, fields right (of six), all right, and the reply in the house's voice."""

    valid: bool
    fields_right: int
    whole: bool
    voice: bool


def mark_ticket(answer: str, wanted: Mapping[str, str | None]) -> Filed:
    """Mark an answer against the wanted object, as strictly as a program that has to read it: nothing may stand before or after the object.

    >>> from course_lib.corpus.tickets import load_gold_tickets, load_raw_tickets
    >>> wanted = house_object(load_raw_tickets()[0], load_gold_tickets()[0])
    >>> mark_ticket(json.dumps(wanted), wanted)
    Filed(valid=True, fields_right=6, whole=True, voice=True)
    >>> mark_ticket("Sure! " + json.dumps(wanted), wanted)
    Filed(valid=False, fields_right=0, whole=False, voice=False)
    """
    try:
        value = json.loads(answer)
    except ValueError:
        return Filed(False, 0, False, False)
    if schema_problems(value):
        return Filed(False, 0, False, False)
    right = sum(value[name] == wanted[name] for name in FIELDS)
    return Filed(True, right, right == len(FIELDS), in_house_voice(value["reply"]))


def ticket_scores(filed: Sequence[Filed]) -> Mapping[str, float]:
    """The shares over many answers: ``valid``, ``fields`` (of all fields), ``whole`` and ``voice``, each from 0 to 1.

    Raises ``ValueError`` where there are none.
    """
    if not filed:
        raise ValueError("a share needs at least one answer")
    return {
        "valid": sum(one.valid for one in filed) / len(filed),
        "fields": sum(one.fields_right for one in filed) / (len(filed) * len(FIELDS)),
        "whole": sum(one.whole for one in filed) / len(filed),
        "voice": sum(one.voice for one in filed) / len(filed),
    }


def fields_right(answer: str, wanted: Mapping[str, str | None]) -> int | None:
    """How many fields of a model's answer are as wanted; ``None`` where the answer as a whole is not one JSON object with the wanted keys in
    their order.

    Values must be equal in kind and in every letter: the text ``"null"`` is not ``null``. Unlike :func:`mark_ticket` it knows no schema.

    >>> wanted = {"product": "Alder", "error_code": None}
    >>> fields_right('{"product": "Alder", "error_code": "null"}', wanted)
    1
    >>> fields_right('Sure! {"product": "Alder", "error_code": null}', wanted) is None
    True
    """
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(value, dict) or list(value) != list(wanted):
        return None
    return sum(value[key] == wanted[key] for key in wanted)
