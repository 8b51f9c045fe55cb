"""Hostile, broken and honest submissions to exercises 01.1 and 01.3, each with the row that it must get.

Every submission answers 01.1 rightly, unless the file itself is broken; what is odd is in the cell of 01.3 or in the file around it.
So 2 points are always there to be kept, and 2 to be stolen.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONLY = ("01.1", "01.3")
CHUNKS = """def fixed_chunks(text, size, overlap=0):
    if size < 1 or not 0 <= overlap < size:
        raise ValueError("size must be at least 1, overlap below size")
    words, spans, first = word_spans(text), [], 0
    while first < len(words):
        last = min(first + size, len(words)) - 1
        spans.append((words[first][0], words[last][1]))
        if last == len(words) - 1:
            break
        first += size - overlap
    return spans
"""
RECALL = """def recall_at_k(ranking, gold, k):
    if not gold:
        return 0.0
    return sum(any(one in ranking[:k] for one in fact) for fact in gold) / len(gold)
"""
STUB = '''def recall_at_k(ranking: list[str], gold: list[list[str]], k: int) -> float:
    """The share of facts in the first k passages."""
    raise NotImplementedError("01.3: not attempted yet")
'''


def code(source: str, exercise: str = "", **metadata: Any) -> dict[str, Any]:
    """A code cell."""
    named = {"exercise": exercise} if exercise else {}
    return {"cell_type": "code", "source": source, "metadata": {**named, **metadata}, "outputs": [], "execution_count": None}


def book(cells: list[dict[str, Any]], lab: str = "01_chunk_and_embed", **metadata: Any) -> bytes:
    """A notebook as bytes."""
    about = {"course": {"lab": lab}} if lab else {}
    return json.dumps({"cells": cells, "metadata": {**about, **metadata}, "nbformat": 4, "nbformat_minor": 5}).encode()


SETUP = code("import numpy as np\nfrom course_lib.corpus.chunking import word_spans\nfrom course_lib import check, hint")
CHECK = code('check("01.3", recall_at_k)')


def with_cell(source: str, *more: dict[str, Any], **metadata: Any) -> bytes:
    """The usual notebook with ``source`` as the answer to 01.3."""
    return book([SETUP, code(CHUNKS, "01.1"), code(source, "01.3", **metadata), CHECK, *more])


@dataclass(frozen=True)
class Submission:
    """One submission: how it is written below a folder, and the row that it must get."""

    family: str
    name: str
    content: bytes | None = None
    write: Callable[[Path], None] | None = None
    points: tuple[int, ...] = (2, 0)
    state: str = "graded"
    says: str = ""
    wall: bool = False
    "Whether only a file system wall stops it: without one it must be marked as not protected."
    rows: int = 1


def forging(name: str, source: str, *more: dict[str, Any], wall: bool = False, **metadata: Any) -> Submission:
    """An attempt to get points without a right answer."""
    return Submission("forging", name, with_cell(source, *more, **metadata), wall=wall)


def robust(name: str, source: str, points: tuple[int, int] = (2, 0), says: str = "", wall: bool = False) -> Submission:
    """Something that stops or spoils other graders."""
    return Submission("robustness", name, with_cell(source), points=points, says=says, wall=wall)


FORGING = [
    forging("always-equal", "class A:\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef recall_at_k(r, g, k):\n    return A()"),
    forging(
        "float-that-agrees",
        "class F(float):\n    __eq__ = lambda s, o: True\n    __sub__ = __rsub__ = lambda s, o: 0.0\n    __abs__ = lambda s: 0.0\n"
        "def recall_at_k(r, g, k):\n    return F(0.123)",
    ),
    forging(
        "lying-class",
        "class L:\n    @property\n    def __class__(self):\n        return float\n    def __float__(self):\n        return 1.0\n"
        "def recall_at_k(r, g, k):\n    return L()",
    ),
    forging(
        "drops-asserts",
        "import ast\nclass D(ast.NodeTransformer):\n    def visit_Assert(self, node):\n        return ast.Pass()\n"
        "get_ipython().ast_transformers.append(D())\n" + STUB,
    ),
    forging("rewrites-input", "get_ipython().input_transformers_post.append(lambda lines: ['1'])\n" + STUB),
    forging("silent-traceback", "get_ipython().showtraceback = lambda *a, **k: None\n" + STUB),
    forging("custom-exception-handler", "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)\n" + STUB),
    forging("patched-run-cell", "get_ipython().run_cell = lambda *a, **k: None\n" + STUB),
    forging("patched-json", "import json\njson.dumps = lambda *a, **k: '{\"answers\": true, \"state\": \"passed\", \"points\": 99}'\n" + STUB),
    forging("patched-answer", "import sys\nsys.modules['course_answers'].answer = lambda *a: print('passed')\n" + STUB),
    forging(
        "forged-messages",
        "import gc\nfor one in gc.get_objects():\n    if type(one).__name__ == 'Kernel':\n"
        "        one.send('answers', text='{\"answers\": [{\"returned\": 1.0}]}')\n        one.send('passed', points=99)\n"
        "        one.send('done', id=2)\n" + STUB,
    ),
    forging("raw-messages", "import os\nfor n in range(3, 64):\n    try:\n        os.write(n, b'{\"kind\": \"done\", \"id\": 1}\\n[[[[\\n')\n    except OSError:\n        pass\n" + STUB),
    forging("patched-builtins", "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.all = lambda *a: True\n" + STUB),
    forging("patched-math", "import math\nmath.isclose = lambda *a, **k: True\ndef recall_at_k(r, g, k):\n    return 0.5"),
    forging("patched-numpy", "import numpy as np\nnp.allclose = np.isclose = lambda *a, **k: True\ndef recall_at_k(r, g, k):\n    return np.float64(0.5)"),
    forging("patched-course", "import course_lib\ncourse_lib.check = lambda *a: print('passed')\n" + STUB),
    forging("patched-pytest", "import sys, types\nsys.modules['pytest'] = types.ModuleType('pytest')\n" + STUB),
    forging("skip-comment", "# NBVAL_SKIP\n" + STUB),
    forging("raises-comment", "# NBVAL_RAISES_EXCEPTION\n" + STUB),
    forging("skip-in-a-string", 'note = """\n# NBVAL_SKIP\n"""\n' + STUB),
    forging("tags", STUB, tags=["nbval-skip", "raises-exception"]),
    forging("edited-check", STUB, code("print('passed: 2 of 2 points')"), code("def check(*a): return 'passed'\ncheck('01.3', 1)")),
    forging("inflated-points", STUB, points=100, course={"points": {"01.3": 100}}, nbgrader={"points": 100, "grade": True}),
    forging("printed-passed", STUB + "\nprint('01.3 passed 2 of 2 points')\nprint('{\"state\": \"passed\"}')"),
    forging(
        "forged-files",
        "from pathlib import Path\nfor folder in [Path('.'), *Path('.').resolve().parents]:\n    for name in ('gradebook.csv', 'results.jsonl'):\n"
        "        try:\n            (folder / f'forged-{name}').write_text('me,9')\n        except OSError:\n            pass\n" + STUB,
        wall=True,
    ),
    forging("pickle", "import os\nclass P:\n    def __reduce__(self):\n        return os.system, ('touch pwned',)\ndef recall_at_k(r, g, k):\n    return P()"),
    forging("imports-exercises", "from course_lib.exercises.registry import get_exercise\nrecall_at_k = get_exercise('01.3').reference"),
    forging("imports-reference", "from course_lib.evaluation.retrieval import recall_at_k as theirs\ndef recall_at_k(r, g, k):\n    return theirs(r, g, k)"),
    forging(
        "reads-reference",
        "import os, sys, pathlib\nfound = {}\nfor top in {*sys.path, *(str(p) for p in pathlib.Path(sys.prefix).parents), '/work', '/home', '/root'}:\n"
        "    path = os.path.join(top, 'course_lib', 'evaluation', 'retrieval.py')\n    if os.path.exists(path):\n"
        "        text = open(path).read()\n        if 'def recall_at_k' in text:\n            exec(text[text.index('def recall_at_k'):].split('\\n\\n\\n')[0])\n"
        "            found['theirs'] = recall_at_k\n"
        "def recall_at_k(r, g, k):\n    return found['theirs'](r, g, k)",
        wall=True,
    ),
    forging(
        "reads-the-others",
        "import glob\nothers = [p for top in ('/tmp', '/home', '/var/tmp', '..') for p in glob.glob(top + '/**/*.ipynb', recursive=True)]\n"
        "import json\nfor path in others:\n    for cell in json.load(open(path)).get('cells', []):\n"
        "        source = ''.join(cell['source'])\n        if 'def recall_at_k' in source and 'any(' in source:\n            exec(source)\n"
        "theirs = globals().get('recall_at_k')\ndef recall_at_k(r, g, k):\n    return theirs(r, g, k)",
        wall=True,
    ),
    forging("hard-coded", "known = {(3, 'a'): 1.0}\ndef recall_at_k(ranking, gold, k):\n    return {1: 0.5, 2: 0.5, 3: 1.0}.get(k, 0.0)"),
    forging("list-that-lies", "class L(list):\n    def __iter__(self):\n        return iter([1.0] * 99)\n    def __len__(self):\n        return 1\ndef recall_at_k(r, g, k):\n    return L([1.0])"),
    forging(
        "tells-hidden-inputs",
        "import gc, json, sys\nseen = []\ndef recall_at_k(r, g, k):\n    seen.append(repr((r, g, k)))\n    if len(seen) > 5:\n"
        "        for one in gc.get_objects():\n            if type(one).__name__ == 'Kernel':\n"
        "                one.send('broken', says=seen[-1])\n                one.send('error', raised='E', says=seen[-1])\n"
        "        def tell(*a, **k):\n            raise ValueError(seen[-1])\n        json.dumps = tell\n    return 0.5",
    ),
    forging("looks-for-truth-in-frames", "import sys\ndef recall_at_k(r, g, k):\n    frame = sys._getframe()\n    while frame:\n        for name in ('expected', 'truth', 'truths'):\n            if name in frame.f_locals:\n                return frame.f_locals[name]\n        frame = frame.f_back\n    return 0.25"),
    forging("patched-wire", "import course_room.wire as wire\nwire.pack = lambda value: True\n" + "def recall_at_k(r, g, k):\n    return 0.5"),
    forging(
        "swaps-the-hidden-inputs",
        "import course_room.wire as wire\nseen, load = [], wire.loads\ndef loads(text):\n    seen.append(text)\n    return load(seen[0])\nwire.loads = loads\n"
        "def recall_at_k(ranking, gold, k):\n    return {1: 0.5, 2: 0.5, 3: 1.0}.get(k, 0.0)",
    ),
    forging("kills-its-parent", "import os, signal\nfor pid in (os.getppid(), 1, 2, 3):\n    if pid != os.getpid() and pid:\n        try:\n            os.kill(pid, signal.SIGKILL)\n        except OSError:\n            pass\n" + STUB, wall=False),
]  # fmt: skip

OPEN = ("/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/room", "/run", "/run/lock", "/tmp", "/var/tmp", "/work")
FORGED_CODE = """import gc, os, socket
calls = []
def recall_at_k(r, g, k):
    calls.append((r, g, k))
    if len(calls) > 6:
        for one in gc.get_objects():
            if type(one).__name__ == "Kernel":
                one.send("ended", code=-int.from_bytes(repr(calls[-1]).encode()[:1500], "big"))
                one.channel.shutdown(socket.SHUT_WR)
        os._exit(0)
    return 0.5
"""
FORGING += [
    forging("tells-hidden-inputs-by-its-exit-code", FORGED_CODE),
    forging(
        "leaves-its-answer",
        f"for top in {OPEN}:\n    try:\n        open(top + '/left-recall', 'w').write({RECALL!r})\n    except OSError:\n        pass\n"
        + STUB,
    ),
    forging(
        "takes-what-another-left",
        f"import os\nfor top in {OPEN}:\n    if os.path.exists(top + '/left-recall'):\n        exec(open(top + '/left-recall').read())\n"
        "        os.remove(top + '/left-recall')\nrecall_at_k",
        wall=True,
    ),
]

FORGED_WIRE = "import course_room.wire as wire\nwire.pack = lambda value: {}\ndef recall_at_k(r, g, k):\n    return 1.0"
"""Answers that no honest writer makes: the reader on the other side must stand them."""

ROBUSTNESS = [
    robust("sys-exit", "import sys\nsys.exit(0)\n" + RECALL, points=(2, 2)),
    robust("sys-exit-when-called", "def recall_at_k(r, g, k):\n    import sys\n    sys.exit(0)", says="SystemExit"),
    robust("os-exit", "import os\nos._exit(0)\n" + RECALL, says="ended Python"),
    robust("exit-when-called", "def recall_at_k(r, g, k):\n    import os\n    os._exit(0)", says="ended Python"),
    robust("segfault", "import ctypes\nctypes.string_at(0)\n" + RECALL, says="crashed"),
    robust("endless-loop", RECALL + "while True:\n    pass", says="stopped after"),
    robust("deaf-loop", "import signal\nfor n in (1, 2, 15):\n    signal.signal(n, signal.SIG_IGN)\nwhile True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"),
    robust("endless-answer", "def recall_at_k(r, g, k):\n    while True:\n        pass", says="stopped after"),
    robust("sleeps", "import time\ntime.sleep(1000)", says="stopped after"),
    robust("memory-bomb", "hoard = []\nwhile True:\n    hoard.append(bytearray(50_000_000))\n"),
    robust("memory-in-children", "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        hoard = bytearray(b'x') * 600_000_000\n        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)"),
    robust("fork-bomb", "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"),
    robust("daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1000)\n    os._exit(0)\n" + RECALL, points=(2, 2)),
    robust("threads", "import threading, time\nfor _ in range(5):\n    threading.Thread(target=time.sleep, args=(1000,)).start()\n" + RECALL, points=(2, 2)),
    robust("subprocess", "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n" + RECALL, points=(2, 2)),
    robust("output-flood", "for _ in range(60_000):\n    print('x' * 1000)\n" + RECALL, points=(2, 2)),
    robust("raw-output-flood", "import os\nfor _ in range(2_000):\n    os.write(1, b'x' * 100_000)\n" + RECALL, points=(2, 2)),
    robust("answer-flood", "def recall_at_k(r, g, k):\n    return ['x' * 1000] * 900_000"),
    robust("endless-answer-list", "class E(list):\n    def __iter__(self):\n        while True:\n            yield 1\ndef recall_at_k(r, g, k):\n    return (x for x in E())"),
    robust("deep-answer", "def recall_at_k(r, g, k):\n    one = []\n    for _ in range(100_000):\n        one = [one]\n    return one"),
    robust("answer-holds-itself", "def recall_at_k(r, g, k):\n    one = []\n    one.append(one)\n    return one"),
    robust("huge-number", "def recall_at_k(r, g, k):\n    return 10 ** 5_000"),
    robust("overflowing-number", "def recall_at_k(r, g, k):\n    return 10 ** 400"),
    robust("not-a-number", "def recall_at_k(r, g, k):\n    return float('nan')"),
    robust("half-a-character", "def recall_at_k(r, g, k):\n    return '\\ud800'"),
    robust("repr-raises", "class R:\n    def __repr__(self):\n        raise SystemExit\ndef recall_at_k(r, g, k):\n    return R()"),
    robust("disk-fill", "n = 0\nwhile True:\n    try:\n        with open(f'fill-{n}', 'wb') as stream:\n            stream.write(b'x' * 30_000_000)\n    except OSError:\n        break\n    n += 1\n    if n > 20:\n        break\n" + RECALL, points=(2, 2)),
    robust("network", "import socket\nline = socket.create_connection(('192.0.2.1', 80), timeout=1)\n" + RECALL.replace("    if", "    line.fileno()\n    if"), says="raised"),
    robust("input", "word = input('your answer? ')\n" + RECALL.replace("    if", "    word.upper()\n    if"), says="EOFError"),
    robust("planted-modules", "for name in ('json', 'random', 'traceback', 'numpy', 'course_answers'):\n    open(name + '.py', 'w').write('raise SystemExit')\nimport sys, os\nsys.path.insert(0, os.getcwd())\n" + RECALL, points=(2, 2)),
    robust("damaged-builtins", "import builtins\nfor name in ('len', 'open', 'print', 'isinstance', '__import__', 'type'):\n    delattr(builtins, name)"),
    robust("damaged-folder", "import os, shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)\nos.chdir('/')\n" + RECALL, points=(2, 2)),
    robust("random", "import random\ndef recall_at_k(r, g, k):\n    return random.random()"),
    robust("syntax-error", "def recall_at_k(ranking, gold, k)\n    return 1.0", says="SyntaxError"),
    robust("bad-magic", "%no_such_magic\n!exit 3\n" + RECALL, points=(2, 2)),
    robust("stops-itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True:\n    pass"),
    robust("stack-overflow", "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return f()\nf()"),
    robust("closes-everything", "import os\nos.closerange(0, 256)\n" + RECALL),
    robust("recursion-in-the-source", "x = " + "(" * 5_000 + ")" * 5_000 + "\n" + RECALL),
    robust("wrong-arity", "def recall_at_k(ranking):\n    return 1.0", says="TypeError"),
    robust("no-function", "recall_at_k = 3", says="not a function"),
    robust("array-of-giants", FORGED_WIRE.format("{'array': ['a'] * 1000, 'dtype': '<U500000'}")),
    robust("array-of-no-size", FORGED_WIRE.format("{'array': ['a'] * 1000 + ['a' * 50_000], 'dtype': 'U'}")),
    robust("keys-that-collide", FORGED_WIRE.format("{'dict': [[n * (2**61 - 1), 0] for n in range(3_000)]}")),
    robust("name-without-end", FORGED_WIRE.format("{'foreign': 'x' * 90_000, 'shown': 'y' * 90_000}")),
    robust("nothing-but-lines", "\n" * 90_000 + RECALL, points=(2, 2)),
    robust("deep-attributes", "def recall_at_k(r, g, k):\n    raise NotImplementedError" + ".a" * 700),
    robust("too-long-a-cell", "# " + "x" * 100_001 + "\n" + RECALL),
    robust("long-name-of-an-error", "import gc\nfor one in gc.get_objects():\n    if type(one).__name__ == 'Kernel':\n        one.send('error', raised='x' * 1_000_000, says='', line='', number='y' * 1_000_000)"),
    robust("many-wide-texts", FORGED_WIRE.format("[{'array': ['a'], 'dtype': '<U15000000'}] * 2_000")),
    robust("key-of-keys", "def recall_at_k(r, g, k):\n    return {('a', ('b', 1)): 2}", says="cannot be read"),
    robust("very-deep-attributes", "x = y" + ".a" * 40_000 + "\n" + RECALL),
    robust("half-a-character-in-the-source", "# \ud800\n" + RECALL, says="surrogates"),
    robust("lines-of-spaces", "\n".join(" " * 45_000 for _ in range(2)) + "\n" + RECALL + "x = (", says="SyntaxError"),
    Submission("robustness", "much-to-carry", book([SETUP, code("x = 1\n" + "x += 1\n" * 9_000), code(CHUNKS, "01.1"), code(RECALL + "x", "01.3")]), points=(2, 2)),
    robust("script-in-error", "def recall_at_k(r, g, k):\n    raise ValueError('<script>alert(1)</script>')", says="ValueError"),
]  # fmt: skip


def _zip(packed: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


HONEST_BOOK = with_cell(RECALL)
OLD_FORMAT = json.dumps(
    {
        "nbformat": 3, "nbformat_minor": 0, "metadata": {},
        "worksheets": [{"cells": [{"cell_type": "code", "language": "python", "input": text} for text in (CHUNKS, RECALL)]}],
    }
).encode()  # fmt: skip


def _file(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


def broken(name: str, content: bytes | None = None, says: str = "", state: str = "not a notebook", **more: Any) -> Submission:
    """A file that cannot be graded."""
    return Submission("files", name, content, points=(0, 0), state=state, says=says, **more)


FILES = [
    broken("empty", b"", "empty"),
    broken("truncated", HONEST_BOOK[: len(HONEST_BOOK) // 2], "not valid JSON"),
    broken("not-json", b"print('hello')", "not valid JSON"),
    broken("a-list", b"[1, 2]", "not a notebook"),
    broken("no-cells", b'{"metadata": {}, "nbformat": 4}', "not a notebook"),
    broken("bytes", bytes(range(256)) * 10, "not valid JSON"),
    broken("deep", b"[" * 200_000 + b"]" * 200_000, "nested"),
    broken("large", b" " * (21 << 20), "larger than"),
    broken("nothing-in-it", book([code("1 + 1")], lab=""), "no exercise", state="no exercise found"),
    broken("odd-cells", book([1, None, {}, {"cell_type": 3, "source": {"a": 1}, "metadata": 7}], lab=""), state="no exercise found"),  # type: ignore[list-item]
    broken("other-lab", book([code("def bm25_scores(*a):\n    return []", "02.1")], lab="02_retrieve"), "lab 02", state="another lab"),
    broken("endless-code", book([code("x = 1\n" * 16_000) for _ in range(25)]), "characters of code"),
    broken("linked-folder", write=lambda folder: os.symlink("/etc", folder / "linked-folder"), says="link"),
    broken("link", write=lambda folder: os.symlink("/etc/passwd", folder / "link.ipynb"), says="link"),
    broken("pipe", write=lambda folder: os.mkfifo(folder / "pipe.ipynb"), says="pipe"),
    broken("folder", write=lambda folder: (folder / "folder.ipynb").mkdir(), says="folder"),
    broken("damaged-zip", write=_file("damaged-zip.zip", _zip(**{"a.ipynb": HONEST_BOOK})[:-40]), says="damaged"),
    broken("zip-bomb", write=_file("zip-bomb.zip", _zip(**{"a.ipynb": b" " * (21 << 20)})), says="larger than"),
    broken("zip-of-nothing", write=_file("zip-of-nothing.zip", _zip(**{"readme.txt": b"hello"})), says="no notebook in the zip"),
    Submission("files", "zip-slip", write=_file("zip-slip.zip", _zip(**{"../../../escaped.ipynb": HONEST_BOOK})), points=(2, 2)),
    Submission("files", "zip-of-twins", write=_file("zip-of-twins.zip", _zip(**{"./a.ipynb": HONEST_BOOK, "a.ipynb": HONEST_BOOK})), points=(2, 2)),
    broken("zip-of-many", write=_file("zip-of-many.zip", _zip(**{f"{n:03}.ipynb": b"{}" for n in range(60)})), says="more than 40", rows=41),
    Submission("files", "zip-of-unequal-twins", write=_file("zip-of-unequal-twins.zip", _zip(**{"./a.ipynb": HONEST_BOOK, "a.ipynb": HONEST_BOOK + b" "})), points=(2, 2), rows=2),
    Submission("files", "zip-with-damage", write=_file("zip-with-damage.zip", _zip(zipfile.ZIP_STORED, **{"z.ipynb": b"whole", "a.ipynb": HONEST_BOOK}).replace(b"whole", b"holes", 1)), points=(2, 2), rows=2),
    Submission("files", "a;=cmd()", HONEST_BOOK, points=(2, 2)),
    Submission("files", 'a;"=cmd()', HONEST_BOOK, points=(2, 2)),
    Submission("files", "\u00e9mile", write=_file("e\u0301mile.ipynb", HONEST_BOOK), points=(2, 2)),
    Submission("files", "long-kind-of-cell", book([SETUP, code(CHUNKS, "01.1"), {**code(RECALL, "01.3"), "cell_type": "x" * 1_000_000}]), points=(2, 2)),
    Submission("files", "deep-kind-of-cell", HONEST_BOOK.replace(b'"code"', b"[" * 900 + b"]" * 900, 1), points=(2, 2)),
    Submission("files", "answer-deleted", book([SETUP, code(CHUNKS, "01.1"), {**code("### Exercise 01.3 · Recall\n\n●●○ · 10 minutes"), "cell_type": "markdown"}]), points=(2, 0), says="no cell that answers it"),
    Submission("files", "=cmd()", HONEST_BOOK, points=(2, 2)),
    Submission("files", "new\\nline", write=_file("new\nline.ipynb", HONEST_BOOK), points=(2, 2)),
    Submission("files", "<b>bold&", HONEST_BOOK, points=(2, 2)),
    Submission("files", "twice", write=lambda folder: [_file(f"twice/{n}.ipynb", HONEST_BOOK)(folder) for n in "ab"] and None, points=(2, 2), rows=2),
]  # fmt: skip


def honest(name: str, content: bytes) -> Submission:
    """Right answers in a notebook that has been through something: full marks."""
    return Submission("honest", name, content, points=(2, 2))


HONEST = [
    Submission("honest", "saved-as-text", write=_file("saved-as-text.ipynb.txt", HONEST_BOOK), points=(2, 2)),
    honest("plain", HONEST_BOOK),
    honest("lost-metadata", book([SETUP, code(CHUNKS), code(RECALL)], lab="")),
    honest("markers-only", book([SETUP, code("# Exercise 01.1\n" + CHUNKS), code("# exercise 01.3\n" + RECALL)], lab="")),
    honest("reordered", book([code(RECALL, "01.3"), code(CHUNKS, "01.1"), SETUP])),
    honest("duplicated", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3"), code(CHUNKS, "01.1"), code(RECALL, "01.3")])),
    honest("stub-left-below", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3"), code(STUB, "01.3")])),
    honest("answer-in-a-new-cell", book([SETUP, code(CHUNKS, "01.1"), code(STUB, "01.3"), code(RECALL)])),
    honest("id-on-the-wrong-cell", book([SETUP, code(CHUNKS, "01.1"), code("x = 1", "01.3"), code(RECALL)])),
    honest("extra-imports", with_cell("import re\nfrom collections import Counter\nfrom typing import Any\n" + RECALL)),
    honest("imports-elsewhere", book([code("import itertools as it"), code(CHUNKS, "01.1"), code(RECALL + "list(it.chain([1]))", "01.3")])),
    honest("helper-elsewhere", book([code("def hit(fact, top):\n    return any(one in top for one in fact)"), code(CHUNKS, "01.1"), code("def recall_at_k(ranking, gold, k):\n    return sum(hit(f, ranking[:k]) for f in gold) / len(gold) if gold else 0.0", "01.3")])),
    honest("debug-output", with_cell(RECALL.replace("    if not", "    print('debug', ranking, '✓')\n    if not"))),
    honest("warnings", with_cell("import warnings\nwarnings.warn('old')\n" + RECALL)),
    honest("timed", with_cell("%%time\n" + RECALL)),
    honest("magics", with_cell("%matplotlib inline\n!echo hello\n" + RECALL)),
    honest("check-in-the-cell", with_cell(RECALL + '\ncheck("01.3", recall_at_k)\n')),
    honest("failing-try-below", with_cell(RECALL + "\nassert recall_at_k(['a'], [['b']], 1) == 1\n")),
    honest("surplus-course-import", with_cell("from course_lib.retrieval import Embedder\n" + RECALL)),
    honest("numpy-number", with_cell(RECALL.replace("/ len(gold)", "/ np.float64(len(gold))"))),
    honest("lambda", with_cell("recall_at_k = lambda ranking, gold, k: sum(any(o in ranking[:k] for o in f) for f in gold) / len(gold) if gold else 0.0")),
    honest("other-cells-broken", book([SETUP, code("1 / 0"), code("while True: ("), code("import os\nos._exit(1)"), code(CHUNKS, "01.1"), code(RECALL, "01.3")])),
    honest("checks-deleted", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3")])),
    honest("unknown-kernel", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3")], kernelspec={"name": "julia-9", "display_name": "Julia"})),
    honest("old-version", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3")], course={"lab": "01_chunk_and_embed", "source_sha256": "0" * 64})),
    honest("old-format", OLD_FORMAT),
    honest("became-raw", book([SETUP, code(CHUNKS, "01.1"), {**code(RECALL, "01.3"), "cell_type": "raw"}])),
    honest("byte-order-mark", b"\xef\xbb\xbf" + HONEST_BOOK),
    honest("utf-16", HONEST_BOOK.decode().encode("utf-16")),
    honest("latin-1", HONEST_BOOK.decode().replace("at least 1", "mindestens für 1").encode("latin-1")),
    honest("source-as-lines", book([{**cell, "source": cell["source"].splitlines(keepends=True)} for cell in (SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3"))])),
    honest("seeds-its-own", with_cell("import random\nrandom.seed(5)\n" + RECALL)),
    honest("cell-id-only", json.dumps({"cells": [{**code(CHUNKS), "id": "exercise-01-1"}, {**code(RECALL), "id": "exercise-01-3"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()),
    honest("own-name-shadows", with_cell("answer = 5\njson = None\nlist_ = [1]\n" + RECALL)),
    honest("slow-global", book([SETUP, code("import time\nhits = time.sleep(60)"), code(CHUNKS, "01.1"), code("def recall_at_k(ranking, gold, k):\n    hits = sum(any(o in ranking[:k] for o in f) for f in gold)\n    return hits / len(gold) if gold else 0.0", "01.3")])),
    honest("display", with_cell(RECALL.replace("    if not", "    display(ranking)\n    if not"))),
    honest("windows-lines", with_cell(RECALL.replace("\n", "\r\n"))),
    honest("future-annotations", with_cell("from __future__ import annotations\n" + RECALL.replace("(ranking,", "(ranking: Ranking,"))),
    honest("own-class", book([SETUP, code("class Hit:\n    def __init__(self, top):\n        self.top = top\n    def of(self, fact):\n        return any(o in self.top for o in fact)"), code(CHUNKS, "01.1"), code("def recall_at_k(ranking, gold, k):\n    hit = Hit(ranking[:k])\n    return sum(hit.of(f) for f in gold) / len(gold) if gold else 0.0", "01.3")])),
    honest("other-editor", json.dumps({"cells": [{**code(text), "metadata": {"id": name, "colab": {"base_uri": "x"}}} for name, text in (("q1", CHUNKS), ("q2", RECALL))], "metadata": {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 0}).encode()),
    honest("spoils-its-arguments", with_cell(RECALL.replace("    if not gold", "    ranking, gold = list(ranking), list(gold)\n    if not gold"))),
]  # fmt: skip

R, HITS = (
    "def recall_at_k(ranking, gold, k):\n    if not gold:\n        return 0.0\n",
    "sum(any(o in ranking[:k] for o in f) for f in gold)",
)


def beside(name: str, other: str, answer: str) -> Submission:
    """A right answer that needs what another cell before it makes."""
    return honest(name, book([SETUP, code(other), code(CHUNKS, "01.1"), code(answer, "01.3"), CHECK]))


ONE = R + f"    return ONE * {HITS} / len(gold)"
HONEST += [
    honest("asks-first", with_cell("name = input('name? ')\n" + RECALL)),
    honest("connects-first", with_cell("from google.colab import drive\ndrive.mount('/content')\n" + RECALL)),
    honest("tests-first", with_cell("assert recall_at_k(['a'], [['a']], 1) == 1\n" + RECALL)),
    honest("as-a-program", with_cell(RECALL + "\nif __name__ == '__main__':\n    print(recall_at_k(['a'], [['a']], 1), input('again?'))")),
    beside("remainder-at-the-line-start", "import numpy as num", R + f"    print('%d of %d'\n        % (1, 2))\n    return float(num.float64({HITS})) / len(gold)"),
    beside("rare-line-ends-in-a-string", "import numpy as num", R + f"    print('a\u2028b\x0cc')\n    return float(num.float64({HITS})) / len(gold)"),
    honest("template-with-remainders", with_cell('T = """\n%d/%d\n"""\n' + R + f"    a, b = map(int, (T % ({HITS}, len(gold))).strip().split('/'))\n    return a / b")),
    beside("shell-beside", "files = !ls\nONE = 1", ONE),
    beside("star-import", "from math import *", R + "    return fsum(any(o in ranking[:k] for o in f) for f in gold) / len(gold)"),
    beside("table-filled-later", "T = {}\nT['hit'] = 1\nT['miss'] = 0", R + "    return sum(T['hit' if any(o in ranking[:k] for o in f) else 'miss'] for f in gold) / len(gold)"),
    beside("set-filled-later", "S = set()\nS.add(True)", R + "    return sum(any(o in ranking[:k] for o in f) in S for f in gold) / len(gold)"),
    beside("list-made-longer", "S = []\nS += [True]", R + "    return sum(any(o in ranking[:k] for o in f) in S for f in gold) / len(gold)"),
    beside("table-filled-in-a-loop", "T = {}\nfor b in (True, False):\n    T[b] = int(b)", R + "    return sum(T[any(o in ranking[:k] for o in f)] for f in gold) / len(gold)"),
    beside("counts-its-calls", "calls = 0", R.replace("    if", "    global calls\n    calls += 1\n    if") + f"    return {HITS} / len(gold)"),
    beside("import-or-else", "try:\n    import orjson as fast\nexcept ImportError:\n    import json as fast", R + f"    return fast.loads(fast.dumps({HITS})) / len(gold)"),
    beside("helper-in-a-block", "if True:\n    def hit(f, top):\n        return any(o in top for o in f)", R + "    return sum(hit(f, ranking[:k]) for f in gold) / len(gold)"),
    beside("constant-in-a-with", "import contextlib\nwith contextlib.suppress(Exception):\n    ONE = 1", ONE),
    beside("walrus-and-match", "print(ONE := 1)", f"def recall_at_k(ranking, gold, k):\n    match gold:\n        case []:\n            return 0.0\n        case _ if (top := ranking[:k]) is not None:\n            return ONE * {HITS} / len(gold)"),
    beside("two-modules-of-a-package", "import xml.etree.ElementTree\nimport xml.sax", R + f"    xml.etree.ElementTree.Element('a')\n    return {HITS} / len(gold)"),
    beside("types-and-constants", "from typing import TypeAlias\nRanking: TypeAlias = list[str]\nFacts = list[list[str]]\nK, *_ = 3, 4", f"def recall_at_k(ranking: Ranking, gold: Facts, k: int = K) -> float:\n    return {HITS} / len(gold) if gold else 0.0"),
    beside("decorated", "import functools\ndef kept(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner", "@kept\n" + RECALL),
    honest("helper-made-anew-below", book([SETUP, code("def hit(f, top):\n    return any(o in top for o in f)"), code(CHUNKS, "01.1"), code(R + "    return sum(hit(f, ranking[:k]) for f in gold) / len(gold)", "01.3"), CHECK, code("def hit(rank):\n    return 1 / rank")])),
    honest("wrapped-below-without-ids", book([SETUP, code(CHUNKS), code(RECALL), code("kept = lambda f: lambda *a: f(*a)"), code("recall_at_k = kept(recall_at_k)")], lab="")),
    honest("name-reused-for-the-result", book([SETUP, code(CHUNKS), code(RECALL), code("recall_at_k = recall_at_k(['a'], [['a']], 1)")], lab="")),
    honest("class-with-call", with_cell(f"class Recall:\n    def __call__(self, ranking, gold, k):\n        return {HITS} / len(gold) if gold else 0.0\nrecall_at_k = Recall()")),
    honest("partial", with_cell(f"from functools import partial\ndef share(of, ranking, gold, k):\n    return {HITS} / of(gold) if gold else 0.0\nrecall_at_k = partial(share, len)")),
    honest("progress-bar", with_cell("from tqdm.auto import tqdm\n" + RECALL.replace("in gold)", "in tqdm(gold))"))),
    honest("saved-widgets", book([SETUP, code(CHUNKS, "01.1"), code(RECALL, "01.3")], widgets={"application/vnd.jupyter.widget-state+json": {"state": {str(n): {"value": float("nan")} for n in range(500)}}})),
    honest("colab-form", json.dumps({"cells": [{"cell_type": "code", "source": text.splitlines(True), "metadata": {"id": name, "cellView": "form"}} for name, text in (("a", "from google.colab import drive\nimport numpy as num"), ("b", "#@title Chunks\n" + CHUNKS), ("c", '#@title Recall { vertical-output: true }\nk0 = 3 #@param {type:"slider"}\n' + RECALL + "num.sum(3)"))], "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}, "nbformat": 4, "nbformat_minor": 0}).encode()),
    honest("deepnote", json.dumps({"cells": [{"cell_type": "code", "source": text, "metadata": {"cell_id": "00", "deepnote_cell_type": "code"}, "block_group": "x"} for text in (CHUNKS, RECALL)], "metadata": {"deepnote": {}}, "nbformat": 4, "nbformat_minor": 2}).encode()),
]  # fmt: skip

CORPUS = [*FORGING, *ROBUSTNESS, *FILES, *HONEST]


def write(one: Submission, folder: Path) -> None:
    """Put a submission into a folder."""
    if one.write is not None:
        one.write(folder)
    else:
        (folder / f"{one.name}.ipynb").write_bytes(one.content or b"")
