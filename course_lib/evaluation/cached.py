"""Long runs in parts that are kept: what was computed once from the same inputs is read, not computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..places import cache_folder
from . import shipped


def cached(kind: str, inputs: Mapping[str, Any], make: Callable[[], Any], folder: Path | None = None) -> Any:
    """What ``make()`` gives, as JSON knows it; read from the cache where it was made before from the same ``inputs``.

    ``inputs`` must hold everything that the value depends on: the model, the data, the recipe, the prompt. The file is written under
    another name first, so a run that is stopped leaves none that is half written; a damaged one is made again.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     first = cached("sum", {"of": [1, 2]}, lambda: 3, Path(name))
    ...     again = cached("sum", {"of": [1, 2]}, lambda: 4, Path(name))
    >>> first, again
    (3, 3)
    """
    folder = cache_folder() / "evaluations" if folder is None else folder
    path = folder / f"{kind}-{shipped.digest(dict(inputs))[:20]}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["sha256"] == shipped.digest(content["value"]):
            return content["value"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    value = json.loads(json.dumps(make()))
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps({"sha256": shipped.digest(value), "value": value}), encoding="utf-8")
    os.replace(partial, path)
    return value
