"""The example of book/another-vector-store.md: it keeps the contract, and the page shows this very code."""

from __future__ import annotations

import re
from pathlib import Path

from contract import D, StoreContract
from sqlite_store import SqliteStore

ROOT = Path(__file__).resolve().parents[2]


# [page]
class TestSqliteStore(StoreContract):
    shared = True  # several programs may have it open

    def open(self, place, dimension=D):
        return SqliteStore(dimension, place)


# [/page]


def test_the_page_shows_the_code_that_is_tested():
    page = (ROOT / "book" / "another-vector-store.md").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    adapter = (Path(__file__).parent / "sqlite_store.py").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    assert shown == [
        adapter[adapter.index("class SqliteStore") :],
        here.split("# [page]\n")[1].split("\n\n\n# [/page]")[0] + "\n",
    ]
