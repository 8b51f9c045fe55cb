"""The pages that the course makes itself, in a real browser: the room, the progress, the certificate.

It needs Chromium (``COURSE_CHROMIUM``, or where systems usually have it) and is skipped without; the rules of axe-core are checked
where its file is at hand (``COURSE_AXE``, or the book's). ``COURSE_SCREENSHOTS`` names a folder for pictures of what it saw.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from course_lib.exercises import pages
from course_lib.exercises.cards import progress_rows
from course_lib.exercises.progress import record
from course_lib.exercises.registry import exercises_of
from course_lib.room.server import RoomServer
from course_lib.room.state import Room

playwright = pytest.importorskip("playwright.sync_api", reason="the browser test needs playwright")

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(os.environ.get("COURSE_AXE") or ROOT / "book" / "_axe" / "axe.min.js")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("COURSE_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 120_000
SIZES = {"wall": (1600, 900), "phone": (390, 844)}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; set COURSE_CHROMIUM to its path")
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="no axe-core here; set COURSE_AXE to its file axe.min.js")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with playwright.sync_playwright() as p:
        running = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield running
        running.close()


@contextmanager
def tab(chromium, scheme: str = "light", size: str = "wall") -> Iterator[object]:
    """A page that fails the test if it asks anybody but this machine, or complains in its console."""
    width, height = SIZES[size]
    page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    trouble: list[str] = []
    page.on("request", lambda one: one.url.startswith(("http://127.0.0.1:", "data:", "file:")) or trouble.append(one.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "console", lambda one: "ERR_CONNECTION_REFUSED" in one.text or trouble.append(one.text) if one.type == "error" else None
    )
    yield page
    page.close()
    assert trouble == []


@contextmanager
def served(room: Room, port: int = 0) -> Iterator[int]:
    server = RoomServer(room, "0.0.0.0", port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.close()
        thread.join()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Forty seats in the middle of lab 02; some are stuck, some are quiet, one was quicker than all."""
    clock = Clock()
    room = Room(tmp_path / "room.json", clock=clock)
    rng = random.Random(5)
    ids = [one.id for one in exercises_of("02")]
    for number in range(1, 41):
        key = f"{number:032x}"
        room.join(number, room.code, key, "a")
        done = min(len(ids), rng.choice([0, 1, 1, 2, 2, 2, 3, 4]))
        marks = {id: ["passed", 1] for id in ids[:done]}
        if done < len(ids) and rng.random() < 0.7:
            marks[ids[done]] = ["failed", rng.randint(1, 5)]
        room.tell(number, key, marks)
    clock.now += 60 * 14
    for row in room.snapshot()["seats"]:  # half of those who were stuck have gone on, and some of these fail at the next one
        key, next_one = f"{row['seat']:032x}", ids[min(len(row["passed"]) + 1, len(ids) - 1)]
        if row["stuck"] and rng.random() < 0.5:
            room.tell(row["seat"], key, {row["stuck"]: ["passed", 9]})
            if next_one != row["stuck"]:
                room.tell(row["seat"], key, {next_one: ["failed", 1]})
        elif rng.random() < 0.75:
            room.tell(row["seat"], key, {})
    for number in (4, 18):
        room.tell(number, f"{number:032x}", {id: ["passed", 1] for id in ids})
    return room


def picture(page, name: str) -> None:
    if folder := os.environ.get("COURSE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def violations(page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => JSON.stringify(result.violations))")
    return [f"{one['id']} ×{len(one['nodes'])}: {one['nodes'][0]['html'][:160]}" for one in json.loads(found)]


def open_room(page, port: int) -> None:
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_text("· live").wait_for()


def test_the_room_is_live_and_goes_on_when_the_server_comes_back(room, chromium):
    with tab(chromium) as page:
        with served(room) as port:
            open_room(page, port)
            picture(page, "room-light")
            assert page.locator("#seats > li").count() == 40
            assert page.get_by_role("heading", name="Where the room is: lab 02, retrieve").is_visible()
            assert f"{room.code[:4]}-{room.code[4:]} SEAT" in page.locator("#commands").inner_text()
            stuck = [row["seat"] for row in room.snapshot()["seats"] if row["stuck"]]
            assert stuck and page.locator("#seats > li.stuck").count() == len(stuck)
            assert sum(len(line.split("seat")[-1].split(",")) for line in page.locator(".long").all_inner_texts()) == len(stuck)
            room.tell(1, f"{1:032x}", {one.id: ["passed", 9] for one in exercises_of("02")})
            page.locator("#seats > li.done", has_text="Seat 1").first.wait_for()
        page.get_by_text("The room does not answer; last seen at").wait_for()
        picture(page, "room-lost")
        with served(room, port):
            page.get_by_text("40 seats have joined · live").wait_for()


def test_the_room_by_keyboard(room, chromium):
    with served(room) as port, tab(chromium) as page:
        open_room(page, port)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Follow the room"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="lab 00, start here").wait_for()
        assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
        room.tell(2, f"{2:032x}", {"00.1": ["passed", 1]})
        page.locator("#exercises").get_by_text("1 passed").first.wait_for()
        assert page.evaluate("document.activeElement.textContent") == "00", "an update takes the focus away"
        page.locator("#seat").focus()
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        page.get_by_text("Seat 7 is free.").wait_for()
        page.get_by_text("39 seats have joined").wait_for()
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Light or dark").press("Enter")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_nothing_that_somebody_wrote_takes_effect_in_the_room(room, chromium):
    room.told = HOSTILE
    with served(room) as port, tab(chromium) as page:
        open_room(page, port)
        assert page.locator("#told").inner_text() == HOSTILE
        assert page.title() == "The room" and page.locator("img").count() == 0


@needs_axe
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_room_breaks_no_rule_of_accessibility(room, chromium, scheme, size):
    with served(room) as port, tab(chromium, scheme, size) as page:
        open_room(page, port)
        picture(page, f"room-{scheme}-{size}")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


@needs_axe
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_progress_and_certificate_as_pages(chromium, tmp_path, scheme, size):
    record("01.1", "passed", 2, "ab" * 32)
    record("01.2", "passed", 2)
    record("01.3", "failed", 2)
    made = {
        "progress": pages.progress_page(progress_rows()),
        "certificate": pages.certificate_page(pages.certificate_data(f"Ada {HOSTILE[:40]}")),
    }
    with tab(chromium, scheme, size) as page:
        for name, text in made.items():
            (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
            page.goto((tmp_path / f"{name}.html").as_uri())
            picture(page, f"{name}-{scheme}-{size}")
            assert page.locator("img").count() == 0 and page.title() != "owned"
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
