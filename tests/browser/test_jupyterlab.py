"""A person opens lab 01 in a real browser, runs all cells, and moves a slider.

It starts ``course lab`` as the learner does. It needs Chromium (``COURSE_CHROMIUM``, or where systems usually have it) and is
skipped without; ``COURSE_SCREENSHOTS`` names a folder for pictures of what it saw.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the browser test needs playwright")

CHROMIUM = os.environ.get("COURSE_CHROMIUM") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable") if (path := shutil.which(name))),
    None,
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; set COURSE_CHROMIUM to its path"),
    pytest.mark.skipif(sys.platform == "win32", reason="stops the server with a signal of Unix"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


# The first line of the explorer's panel: scores and the number of chunks.
PANEL = """() => [...document.querySelectorAll('.widget-html-content')].map(node => node.textContent)
              .find(text => text.includes('recall@5'))?.split('Answer:')[0]"""

# Idle for five seconds on end: between two cells the kernel is idle for a moment, so one look says too little.
ALL_RAN = """() => { if (document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status !== 'idle') window.idleSince = undefined;
                else window.idleSince ??= Date.now();
                return window.idleSince !== undefined && Date.now() - window.idleSince > 5000 }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lab(tmp_path: Path, models: None) -> Iterator[str]:
    """The address of lab 01, opened by ``course lab 01``."""
    port, runtime = free_port(), tmp_path / "runtime"
    command = [
        sys.executable,
        "-m",
        "course_lib.cli",
        "lab",
        "01",
        "--no-browser",
        "--port",
        str(port),
        "--folder",
        str(tmp_path / "my labs"),
    ]
    environment = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),  # or the tabs of another day open too
    }
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "COURSE_STRICT"):
        environment.pop(name, None)
    process = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 90
        while not (found := list(runtime.glob("jpserver-*.json"))):
            assert process.poll() is None and time.monotonic() < deadline, "JupyterLab did not start"
            time.sleep(0.3)
        token = json.loads(found[0].read_text())["token"]
        yield f"http://127.0.0.1:{port}/lab/tree/01_chunk_and_embed.ipynb?token={token}"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def picture(page, name: str) -> None:
    if folder := os.environ.get("COURSE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def scroll_to(page, selector: str, text: str):
    """The first element with a text, wherever in the notebook it is: JupyterLab draws cells as they come into view."""
    target = page.locator(selector).filter(has_text=text).first
    scroller = page.locator(".jp-WindowedPanel-outer").first
    for _ in range(3):
        scroller.evaluate("node => node.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        at_end = False
        while not at_end:
            if target.count() and target.is_visible():
                target.scroll_into_view_if_needed()
                page.wait_for_timeout(700)
                if target.is_visible():
                    return target
            at_end = scroller.evaluate("node => node.scrollTop + node.clientHeight >= node.scrollHeight - 2")
            scroller.evaluate("node => node.scrollBy(0, 400)")
            page.wait_for_timeout(150)
    raise AssertionError(f"{text!r} is nowhere in the notebook")


def test_lab_01_runs_and_its_slider_moves(lab, tmp_path):
    asked: list[str] = []
    with playwright.sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=CHROMIUM,
            args=FLAGS,
            headless=True,
            viewport={"width": 1280, "height": 1000},
        )
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(90_000)
        page.goto(lab)
        page.locator(".jp-RenderedMarkdown h1", has_text="01 · Chunk and embed").first.wait_for()
        page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'")
        page.wait_for_timeout(3000)  # the indicator says idle before the kernel is connected
        assert page.locator(".Toastify__toast, .jp-toastContainer .Toastify__toast").count() == 0, "a pop-up greets the learner"
        picture(page, "opened")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name=re.compile("^Run All Cells$")).click()
        page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'busy'")
        page.wait_for_function(ALL_RAN, timeout=600_000)
        scroll_to(page, ".jp-OutputArea-output", "01.2 Find the nearest · not attempted yet")
        picture(page, "not-attempted")

        handle = scroll_to(page, ".jupyter-widgets", "Words per chunk").locator(".noUi-handle").first
        page.wait_for_function(f"() => ({PANEL})()")
        before, number = page.evaluate(PANEL), page.locator(".widget-readout").first.inner_text()
        picture(page, "explorer")
        handle.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("old => document.querySelector('.widget-readout').innerText !== old", arg=number)
        page.wait_for_function(f"old => {{ const now = ({PANEL})(); return now && now !== old }}", arg=before, timeout=60_000)
        after = page.evaluate(PANEL)
        picture(page, "explorer-moved")
        assert [re.search(r"recall@5 0\.\d\d", text) is not None for text in (before, after)] == [True, True]
        assert re.findall(r"\d+ chunks", before) != re.findall(r"\d+ chunks", after)

        scroll_to(page, ".jp-OutputArea-output", "Quiz 01").locator("summary").nth(1).click()
        page.get_by_text("Everything after 256 tokens is cut off").first.wait_for(state="visible")
        picture(page, "quiz")
        assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
        context.close()
    outside = [
        url
        for url in asked
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "chrome-extension:"))
    ]
    assert outside == []
