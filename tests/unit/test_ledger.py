"""The ledger adds up, and a price list says what is wrong with it."""

from __future__ import annotations

import datetime
import threading
import time

import numpy as np
import pytest

from course_lib.errors import CourseError
from course_lib.ledger import Entry, Ledger, percentile, record, stage
from course_lib.prices import PRICES, Price, load_prices


def test_stages_add_up_to_the_whole_and_nothing_is_counted_twice():
    start = time.perf_counter()
    with record() as entry:
        with stage("search"):
            with stage("embed"):
                time.sleep(0.02)
            time.sleep(0.01)
        with stage("search"):
            time.sleep(0.01)
    whole = (time.perf_counter() - start) * 1000
    assert list(sorted(entry.ms)) == ["embed", "search"]
    assert entry.ms["embed"] >= 20 and entry.ms["search"] >= 20
    assert entry.total_ms <= whole  # the inner stage was taken off the outer one


def test_a_stage_that_fails_is_counted_and_the_error_goes_on():
    with record() as entry:
        with pytest.raises(KeyError):
            with stage("search"):
                raise KeyError("x")
        with stage("prompt"):
            pass
    assert list(entry.ms) == ["search", "prompt"]


def test_nobody_writes_unless_asked_and_recordings_do_not_mix():
    with stage("search"):
        pass
    with record() as outer:
        with stage("a"):
            with record() as inner, stage("b"):
                pass
        with stage("c"):
            pass
    assert list(inner.ms) == ["b"] and list(outer.ms) == ["a", "c"]


def test_threads_keep_their_own_entries():
    entries = {}

    def work(name):
        with record() as entry, stage(name):
            time.sleep(0.01)
        entries[name] = entry

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert {name: list(entry.ms) for name, entry in entries.items()} == {"a": ["a"], "b": ["b"], "c": ["c"]}


def test_percentiles_agree_with_numpy():
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 100):
        values = list(rng.random(size))
        for at in (0.0, 0.05, 0.5, 0.95, 1.0):
            assert percentile(values, at) == pytest.approx(np.quantile(values, at))
    for values, at in (([], 0.5), ([1], 1.5)):
        with pytest.raises(ValueError, match="percentile"):
            percentile(values, at)


def test_the_table_has_every_stage_in_the_order_of_the_work():
    ledger = Ledger([Entry({"generate": 90.0, "embed": 10.0, "odd": 5.0}, 100, 10), Entry({"generate": 110.0}, 300, 30)])
    rows = {row.stage: row for row in ledger.rows()}
    assert list(rows) == ["embed", "generate", "odd", "all"]
    assert rows["generate"].p50_ms == 100 and rows["embed"].p50_ms == 5
    assert sum(row.share for name, row in rows.items() if name != "all") == pytest.approx(1)
    assert (ledger.tokens_in, ledger.tokens_out) == (200, 20)
    assert "tokens: 200 in, 20 out (means over 2 questions)" in str(ledger)
    with pytest.raises(ValueError, match="at least one"):
        Ledger([])


def test_entries_without_any_time_make_a_table_too():
    assert Ledger([Entry()]).rows()[-1].p95_ms == 0.0


# --- prices -----------------------------------------------------------------------------------------------------------


def test_costs_by_hand():
    day = datetime.date(2026, 1, 1)
    hosted = Price("h", "hosted", day, usd_per_million_in=3.0, usd_per_million_out=15.0)
    assert hosted.cost(Entry({"generate": 9e9}, 2000, 100)) == pytest.approx(0.0075)
    local = Price("l", "local", day, watts=50, usd_per_kwh=0.30)
    assert local.cost(Entry({"generate": 3.6e6}, 10**9, 10**9)) == pytest.approx(0.015), "50 W for an hour"
    ledger = Ledger([Entry({}, 1000, 0), Entry({}, 3000, 0)])
    assert hosted.cost_of(ledger) == pytest.approx(6.0) and hosted.cost_of(ledger, questions=1) == pytest.approx(0.006)


def test_the_courses_own_list_is_dated_sourced_and_has_both_kinds():
    prices = load_prices()
    assert {price.kind for price in prices.values()} == {"local", "hosted"}
    for price in prices.values():
        assert datetime.date(2025, 1, 1) <= price.as_of and price.source
        assert (price.kind == "local") == (price.watts > 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]\nkind = 'hosted'\nas_of = 2026-01-01\nusd_per_token = 1", "entry 'a': .*usd_per_token"),
        ("[a]\nkind = 'hosted'", "entry 'a': .*as_of"),
        ("[a]\nkind = 'rented'\nas_of = 2026-01-01", "local or hosted"),
        ("[a]\nkind = 'local'\nas_of = 2026-01-01\nwatts = -1", "numbers from 0"),
        ("[a]\nkind = 'local'\nas_of = 2026-01-01\nwatts = '45'", "numbers from 0"),
        ("[a]\nkind = 'local'\nas_of = 2026-01-01\nwatts = true", "numbers from 0"),
        ("[a]\nkind = 'hosted'\nas_of = 2026-01-01\nusd_per_million_in = nan", "numbers from 0"),
        ("[a]\nkind = 'hosted'\nas_of = 'May'", "as_of is a day"),
        ("[a\n", "line 1|cannot be read"),
        ("a = 3", "entry 'a'"),
    ],
)
def test_a_bad_price_list_is_named_with_its_line_of_trouble(tmp_path, text, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(CourseError, match=complaint) as caught:
        load_prices(path)
    assert "mine.toml" in str(caught.value) and PRICES.name in caught.value.todo
    assert path.read_text() == text


def test_a_list_that_is_not_there_is_answered(tmp_path):
    with pytest.raises(CourseError, match="nowhere.toml cannot be read"):
        load_prices(tmp_path / "nowhere.toml")


def test_a_list_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[box]\nkind = 'local'\nas_of = 2026-02-01\nwatts = 200\nusd_per_kwh = 0.1\n")
    assert load_prices(path)["box"].cost(Entry({"generate": 3.6e6})) == pytest.approx(0.02)
