"""The effort meter: it times what a person does, and calls an assumption an assumption."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course_lib.corpus.tickets import ISSUES, load_gold_tickets, load_raw_tickets
from course_lib.widgets.effort_meter import INPUTS, Effort, EffortMeter, render_bill

PAIRS = list(zip(load_raw_tickets(), load_gold_tickets()))[:4]


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return EffortMeter(PAIRS, total=336, clock=clock)


def decide(meter, clock, seconds, issue):
    clock.now += seconds
    meter.choice.value = issue
    meter.next.click()


def test_before_the_first_click_all_is_assumed_and_said_so(meter):
    assert "every number below is an assumption" in meter.view.value and "measured" not in meter.view.value.replace(
        "measures", ""
    )
    assert meter.view.value.count("assumed") == 5, "each step of the bill names its source"
    assert "Press Start" in meter.ticket.value and meter.choice.disabled and meter.decisions == []
    assert "40 to 100 hours" in meter.view.value and "lab 07" in meter.view.value


def test_decisions_are_timed_from_the_moment_the_ticket_is_shown(meter, clock):
    clock.now += 500  # nobody has pressed Start: this is not work
    meter.next.click()
    assert "Ticket 1 of 4" in meter.ticket.value and not meter.choice.disabled and meter.next.description == "Next"
    decide(meter, clock, 20, PAIRS[0][1].issue)
    decide(meter, clock, 60, PAIRS[1][1].issue)
    assert [one.seconds for one in meter.decisions] == [20, 60]
    assert meter.choice.index == 0 and meter.choice.label == "choose …", "the next ticket starts without a label"
    assert "median 40 s, from 20 to 60 s" in meter.told and "as a careful reader: 2 of 2" in meter.told
    assert meter.effort.label == meter.fields["label"].value == 40 and meter.effort.differ == 0
    assert "measured, 2 decisions of yours" in meter.view.value
    assert meter.effort.source("reply") == "assumed" and meter.effort.source("label").startswith("measured")


def test_next_without_a_label_loses_nothing_and_the_clock_runs_on(meter, clock):
    meter.next.click()
    clock.now += 10
    meter.next.click()
    assert "Choose an issue first" in meter.ticket.value and "Ticket 1 of 4" in meter.ticket.value and meter.decisions == []
    decide(meter, clock, 5, "leak")
    assert meter.decisions[0].seconds == 15


def test_agreement_with_the_desk_and_with_the_reader(meter, clock):
    meter.next.click()
    for ticket, _ in PAIRS:
        decide(meter, clock, 3, ticket.agent_label)
    right = sum(ticket.agent_label == clean.issue for ticket, clean in PAIRS)
    assert right < 4, "these four show a difference"
    assert f"as the desk: 4 of 4; as a careful reader: {right} of 4" in meter.told
    assert meter.effort.differ == 100 * (4 - right) / 4
    assert meter.ticket.value.count("read it again") == 4 - right and meter.ticket.value.count("<li>") == 4
    assert "All 4 are labelled" in meter.ticket.value and meter.next.disabled and meter.choice.disabled
    meter._press()  # a late click that was on its way
    assert len(meter.decisions) == 4


def test_a_number_of_your_own_is_called_yours(meter):
    meter.fields["reply"].value = 300
    assert meter.effort.reply == 300 and meter.effort.source("reply") == "your number" and "your number" in meter.view.value
    meter.fields["reply"].value = -5
    assert meter.effort.reply == 0


def test_the_bill_adds_up():
    effort = Effort(label=36, reply=72, second=50, differ=20, talk=180, rules=10)
    assert effort.hours(1000) == pytest.approx({"rules": 10, "label": 10, "reply": 20, "second": 5, "talk": 5})
    assert effort.tickets_in(50) == 1000 and effort.tickets_in(5) == 0
    free = replace(effort, label=0, reply=0, talk=0)
    assert free.tickets_in(50) is None and "any number of tickets" in render_bill(free, 10, "")
    page = render_bill(effort, 200, "told")
    assert (
        "<strong>50.0</strong>" in page
        and "200 tickets" in page
        and "10,000 tickets" in page
        and "<strong>410.0</strong>" in page
    )


def test_what_a_ticket_says_is_text(clock):
    nasty = replace(PAIRS[0][0], subject="<img src=x>", body="<script>alert(1)</script>")
    meter = EffortMeter([(nasty, PAIRS[0][1])], total=1, clock=clock)
    meter.next.click()
    assert "<script" not in meter.ticket.value and "&lt;script" in meter.ticket.value and "<img" not in meter.ticket.value
    assert "&lt;b&gt;" in render_bill(Effort(sources={"label": "<b>"}), 1, "<u>") and "<u>" not in render_bill(Effort(), 1, "<u>")


def test_it_has_labels_and_a_state_without_a_kernel(meter):
    assert meter.choice.description == "Issue" and [option[1] for option in meter.choice.options[1:]] == list(ISSUES)
    assert all(meter.fields[name].description == label for name, (label, _) in INPUTS.items())
    bundle = meter._repr_mimebundle_()
    assert bundle["text/html"] == meter.view.value and "application/vnd.jupyter.widget-view+json" in bundle
    assert '<th scope="row"' in meter.view.value and "<caption" in meter.view.value and 'role="status"' in meter.view.value


def test_a_meter_without_tickets_is_refused():
    with pytest.raises(ValueError, match="at least one ticket"):
        EffortMeter([], total=5)
