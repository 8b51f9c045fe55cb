"""Make the notebooks from their sources: ``course build``.

``solutions/NN_slug.py`` is what authors edit. From it come ``solutions/NN_slug.ipynb``, executed, and ``labs/NN_slug.ipynb``, with
answers removed. Nothing else writes these files, and a test compares them with what the sources say.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import LABS
from ..places import cache_folder
from .rules import check_recap, check_run, describe, source_problems
from .source import make_lab, read_source, without_markers

TIMEOUT = 600


def repository() -> Path:
    """The clone that holds the sources. Raises :class:`CourseError` where the package was installed without one."""
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / "solutions").is_dir() and (root / "pyproject.toml").is_file():
            return root
    raise CourseError("The sources of the labs are not here.", "run `course build` in a clone of the course.")


def to_text(notebook: Any) -> str:
    """A notebook as the text of its file."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def execute(notebook: Any, folder: Path) -> Any:
    """Run every cell in a fresh kernel. Raises :class:`CourseError` with the cell's error."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    kept = os.environ.pop("PYTEST_VERSION", None)  # a run for readers, even if a test asks for it
    try:
        NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            store_widget_state=True,
            coalesce_streams=True,  # or the file would depend on how fast the lines came
        ).execute()
    except CellExecutionError as error:
        raise CourseError(f"A cell failed.\n{error}", "mend the source and build again.") from error
    finally:
        if kept is not None:
            os.environ["PYTEST_VERSION"] = kept
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day: they would change the file at every build
        if cell.cell_type == "code":
            cell.outputs = [tidy(output) for output in cell.outputs if not is_noise(output)]
    return settle_widget_ids(notebook)


def settle_widget_ids(notebook: Any) -> Any:
    """Give widgets the same ids at every build, in the order in which they were made; by themselves they are random."""
    import nbformat

    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    text = nbformat.writes(notebook)
    for number, id in enumerate(state, start=1):
        text = text.replace(id, f"{number:032x}")
    return nbformat.reads(text, as_version=4)


def is_noise(output: Any) -> bool:
    """Progress bars on stderr: they show how fast a machine was, not what came out."""
    return bool(output.output_type == "stream" and output.name == "stderr")


def tidy(output: Any) -> Any:
    """An output without what belongs to one run or one machine: addresses in memory, folders."""
    if "text" in output:
        output.text = re.sub(r" at 0x[0-9a-f]+", "", output.text)
        output.text = re.sub(r"^You are root, and PostgreSQL .*\n", "", output.text, flags=re.MULTILINE)  # few readers are
        for place, name in ((sys.executable, "python"), (str(cache_folder()), "your cache folder"), (str(Path.home()), "~")):
            output.text = output.text.replace(place, name)
    return output


def build(lab: str, run: bool = True) -> list[str]:
    """Build one lab; return what is wrong with it. Files are written only where nothing is."""
    root, stem = repository(), LABS[lab]
    source = read_source(root / "solutions" / f"{stem}.py")
    problems = source_problems(source, lab)
    if problems:
        return problems
    (root / "labs").mkdir(exist_ok=True)
    (root / "labs" / f"{stem}.ipynb").write_text(to_text(make_lab(source)), encoding="utf-8")
    if run:
        solution = execute(without_markers(source), root / "solutions")
        problems = [*check_run(solution), *check_recap(solution)]
        target = root / "solutions" / f"{stem}.ipynb"
        # A recap that contradicts its run is written as well, beside: the author needs to see the numbers.
        target = target.with_suffix(".draft.ipynb") if problems else target
        target.write_text(to_text(solution), encoding="utf-8")
    return problems


def drift(lab: str) -> list[str]:
    """How the committed notebooks differ from what the source makes; nothing where they agree."""
    import nbformat

    root, stem = repository(), LABS[lab]
    source = read_source(root / "solutions" / f"{stem}.py")
    problems = source_problems(source, lab)
    lab_path, solution_path = root / "labs" / f"{stem}.ipynb", root / "solutions" / f"{stem}.ipynb"
    if not lab_path.exists() or lab_path.read_text(encoding="utf-8") != to_text(make_lab(source)):
        problems.append(f"{lab_path.name} in labs is not what its source makes: run course build {lab}")
    if not solution_path.exists():
        return [*problems, f"{solution_path.name} in solutions is missing: run course build {lab}"]
    solution = nbformat.read(solution_path, as_version=4)
    expected = without_markers(source)
    if [(c.id, c.cell_type, c.source, c.metadata) for c in solution.cells] != [
        (c.id, c.cell_type, c.source, c.metadata) for c in expected.cells
    ] or solution.metadata.get("course") != expected.metadata["course"]:
        problems.append(f"{solution_path.name} in solutions is not what its source makes: run course build {lab}")
    return [*problems, *check_run(solution), *check_recap(solution)]


def main(labs: list[str], run: bool = True, check: bool = False) -> int:
    """Build (or with ``check`` compare) labs; all of them where none is named. Returns an exit code."""
    failed = False
    for lab in labs or list(LABS):
        start = time.perf_counter()
        problems = drift(lab) if check else build(lab, run)
        failed = failed or bool(problems)
        form = describe(read_source(repository() / "solutions" / f"{LABS[lab]}.py"))
        print(f"lab {lab}: {'; '.join(problems) if problems else 'OK'} ({form}; {time.perf_counter() - start:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
