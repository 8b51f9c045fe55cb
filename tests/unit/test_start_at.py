"""Entering in the middle: what a lab needs is checked by its hash, and nothing that was passed is touched."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course_lib import cli
from course_lib.artefacts import adapters_named, check_artefacts, code_of, runs_named
from course_lib.errors import CourseError
from course_lib.evaluation import open_book, shipped
from course_lib.exercises.progress import read_progress, record
from course_lib.finetune import adapters
from course_lib.workspace import find_lab, shipped_labs


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models are others, which nobody checks: a test of hashes of 500 MB is elsewhere."""
    monkeypatch.setenv("COURSE_LM", "/models/a")
    monkeypatch.setenv("COURSE_EMBEDDER", "/models/b")


def start_at(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["start-at", *arguments])
    return result.exit_code, result.output


def test_every_lab_names_files_that_are_there_and_sound():
    found = {number: check_artefacts(path) for number, path in shipped_labs().items()}
    assert all(not wrong for _, wrong in found.values())
    assert found["00"][0] == ["closed_book.json"]
    assert found["04"][0] == ["closed_book.json", "open_book.json", "second_reading.json"]
    assert found["07"][0] == ["tickets.json", "adapter tickets"] and found["08"][0] == ["facts.json", "adapter facts"]
    assert found["09"][0] == ["retriever.json", "adapter reranker", "adapter retriever"]


def test_every_call_that_loads_a_shipped_file_is_noticed():
    """A lab that says ``load_…`` of a run or an adapter in a way that the look over its code does not see would be let in."""
    for path in shipped_labs().values():
        code = code_of(path)
        named_here = re.findall(r"load_adapter\((.*?)[,)]\s*(.*?)\)", code)
        assert all(name.strip('"') in adapters_named(code) for _, name in named_here if '"' in name), path.name
        assert all(name == "alone" for _, name in named_here if '"' not in name), "lab 12 loads the folder that it wrote itself"
        named = [line for line in code.splitlines() if line.startswith("from course_lib.evaluation.")]
        assert code.count("course_lib.evaluation.") == len(named), path.name
        assert {line.split()[1].rpartition(".")[2] for line in named} == set(runs_named(code))


def test_it_says_what_is_there_and_makes_the_notebook(no_models, tmp_path):
    record("01.1", "passed", 2)
    before = read_progress()
    code, said = start_at("4", "--no-open", "--folder", str(tmp_path / "labs"))
    assert code == 0 and "open_book.json: its hash is right" in said and (tmp_path / "labs" / "04_evaluate.ipynb").exists()
    assert "You have passed 1 of the 15 exercises before it" in said
    assert read_progress() == before
    changed = tmp_path / "labs" / "04_evaluate.ipynb"
    mine = json.loads(changed.read_text())
    mine["cells"][0]["source"] = "mine"
    changed.write_text(json.dumps(mine))
    assert start_at("4", "--no-open", "--folder", str(tmp_path / "labs"))[0] == 0
    assert json.loads(changed.read_text())["cells"][0]["source"] == "mine"


def test_a_damaged_run_is_named_and_nothing_is_opened(no_models, tmp_path, monkeypatch):
    damaged = tmp_path / "open_book.json"
    text = shipped.RESULTS.joinpath("open_book.json").read_text(encoding="utf-8")
    damaged.write_text(text.replace('"retrieved"', '"retrievod"', 1), encoding="utf-8")
    assert damaged.read_text(encoding="utf-8") != text
    monkeypatch.setattr(open_book, "RESULTS", damaged)
    code, said = start_at("04", "--folder", str(tmp_path / "labs"))
    assert code == 1 and "FIX  The result file open_book.json cannot be used: its hash differs" in said
    assert "closed_book.json: its hash is right" in said and "python -m course_lib.evaluation.open_book" in said
    assert not (tmp_path / "labs").exists()
    damaged.unlink()
    assert "04_evaluate lacks 1 file" in start_at("04", "--folder", str(tmp_path / "labs"))[1]


def test_a_damaged_adapter_is_named(no_models, tmp_path, monkeypatch):
    shutil.copytree(adapters.SHIPPED, tmp_path / "adapters")
    weights = tmp_path / "adapters" / "tickets" / adapters.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(adapters, "SHIPPED", tmp_path / "adapters")
    code, said = start_at("07", "--folder", str(tmp_path / "labs"))
    assert code == 1 and "The adapter tickets cannot be used: its weights do not match their hash" in said
    assert start_at("08", "--no-open", "--folder", str(tmp_path / "labs"))[0] == 0


def test_a_lab_that_does_not_exist_or_cannot_be_read(tmp_path):
    assert "There is no lab '77'" in start_at("77")[1]
    (tmp_path / "07.ipynb").write_text("{")
    with pytest.raises(CourseError, match="cannot be read"):
        check_artefacts(tmp_path / "07.ipynb")
    assert Path(find_lab("7")).name == "07_lora_on_cpu.ipynb"
