"""A large class, graded in one go and once more with a kill in the middle: the gradebooks must be the same.

    python benchmarks/resume.py                                200 submissions of lab 01 with two workers; some minutes twice
    python benchmarks/resume.py --submissions 12 --lab 02      a quick look

The kill is SIGKILL to every process of the run, as a power cut would be. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from classes import write_class


def command(folder: Path, book: Path, options: argparse.Namespace, *more: str) -> list[str]:
    """The command line of one run."""
    own = [
        "grade",
        str(folder),
        "--out",
        str(book),
        "--lab",
        options.lab,
        "--jobs",
        str(options.jobs),
        "--sandbox",
        options.sandbox,
    ]
    return [sys.executable, "-m", "course_lib.cli", *own, "--seed", "7", *more]


def done(book: Path) -> list[str]:
    """The keys of the results so far, in the order in which they came; half a line does not count."""
    path, keys = book.with_suffix("") / "results.jsonl", []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            keys.append(str(json.loads(line)["key"]))
        except (ValueError, KeyError):
            continue
    return keys


def kill_everything(process: subprocess.Popen[bytes]) -> None:
    """End a run and all that it started, without warning."""
    import psutil

    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    for one in below:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def main() -> None:
    """Grade, grade with a kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--lab", default="01")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sandbox", default="auto", help="auto, bwrap or none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        worth = write_class(top / "in", options.lab, options.submissions)
        whole, part = top / "whole.csv", top / "part.csv"
        start = time.perf_counter()
        subprocess.run(command(top / "in", whole, options), check=True)
        seconds = time.perf_counter() - start
        process = subprocess.Popen(command(top / "in", part, options), start_new_session=True)
        while len(done(part)) < options.submissions // 2:
            if process.poll() is not None:
                raise SystemExit("The run ended before it could be killed.")
            time.sleep(0.02)
        kill_everything(process)
        before = len(done(part))
        subprocess.run(command(top / "in", part, options, "--resume"), check=True)
        keys, same = done(part), part.read_bytes() == whole.read_bytes()
        rows = [json.loads(line) for line in (whole.with_suffix("") / "results.jsonl").read_text(encoding="utf-8").splitlines()]
        right = sum({one["exercise"]: one["points"] for one in row["exercises"]} == worth[row["learner"]] for row in rows)
    print(
        f"{options.submissions} submissions of lab {options.lab}, {options.jobs} workers: {seconds / options.submissions:.2f} s each."
    )
    print(f"Points as they should be: {right} of {options.submissions}.")
    print(
        f"Killed after {before}, resumed: {len(keys)} results, {len(set(keys))} different; gradebooks {'the same' if same else 'DIFFER'}."
    )
    if not same or right < options.submissions or not len(keys) == len(set(keys)) == options.submissions:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
