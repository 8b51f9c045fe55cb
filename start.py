"""Start the course: makes an environment beside this file, installs the course into it, and opens the first lab.

    python3 start.py                     the course; what follows goes to "course lab": a lab, --port P, --no-browser ...
    python3 start.py test                the tests; what follows goes to pytest
    python3 start.py --venv FOLDER ...   the environment somewhere else
    python3 start.py --torch-index URL   a package index with torch builds, such as the small ones for CPUs

It needs Python and nothing else, and says what is missing. Stop it whenever you like: the same command goes on from there.
"""

# Kept to what Python 3.6 can read, so that an old Python gets a sentence instead of a syntax error.

import argparse
import errno
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
OLDEST, NEWEST = (3, 11), (3, 13)
INSTALLED = "course-installed"  # in the environment: what is installed; missing as long as that is not finished
MADE = "course-made-here"  # in the environment: it was made by this program, which may remove it
NEXT_TO_NOTHING = 20000000  # bytes: with less, a full disk is the reason, whatever was said
PACKAGES, FILES = ("pyproject.toml", "constraints.txt"), ("course_lib", "labs", "solutions")
AGAIN = "Then run the same command again: it goes on from there."


class Trouble(Exception):
    """Something that the reader can mend: what happened, and what to do."""


def main(arguments):
    """Do everything; return an exit code."""
    try:
        check_python(sys.version_info[:2])
        options, rest = parse(arguments)
        folder = os.path.abspath(os.path.expanduser(options.venv or os.path.join(ROOT, ".venv")))
        test = rest[:1] == ["test"]
        rest = rest[1:] if rest[:1] in (["test"], ["lab"]) else rest
        begun = time.time()
        python = install(folder, test, options.torch_index)
        if not test:
            return hand_over([python, "-P", "-m", "course_lib.cli", "lab"] + rest)  # -P: what is installed, not what lies here
        code = wait_for([python, "-P", "-m", "course_lib.cli", "prepare"])
        if code:
            return code
        print(f"Installed and prepared in {time.time() - begun:.0f} s.")
        os.chdir(ROOT)
        return hand_over([python, "-m", "pytest"] + rest)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again: it goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print(f"\n{disk_full(ROOT)}", file=sys.stderr)
        else:
            print(f"\nThis could not be done: {error}\nWhat to do: mend that. {AGAIN}", file=sys.stderr)
        return 1


def parse(arguments):
    """Our own options, and the rest."""
    parser = argparse.ArgumentParser(
        prog="start.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--venv", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--torch-index", metavar="URL", help=argparse.SUPPRESS)
    return parser.parse_known_args(arguments)


def check_python(version):
    """Raise Trouble unless this Python is one that the course was tested with."""
    if not OLDEST <= tuple(version) <= NEWEST:
        raise Trouble(
            f"This is Python {version[0]}.{version[1]} ({sys.executable}). The course needs Python 3.11, 3.12 or 3.13.\n"
            "What to do: install Python 3.13 from your system's package manager or python.org's installer, "
            "then run: python3.13 start.py"
        )


# --- the environment ------------------------------------------------------------------------------------------------


def interpreter(folder):
    """The Python of an environment."""
    return os.path.join(folder, "Scripts", "python.exe") if os.name == "nt" else os.path.join(folder, "bin", "python")


def is_sound(folder):
    """Whether an environment's Python runs, is one that the course was tested with, and has pip."""
    ask = "import sys, pip; print(sys.version_info[0], sys.version_info[1], sys.prefix != sys.base_prefix)"
    try:
        answer = subprocess.run(
            [interpreter(folder), "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        ).stdout.split()
        return OLDEST <= (int(answer[0]), int(answer[1])) <= NEWEST and answer[2] == b"True"
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return False


def read(path):
    """The lines of a small file; none if it is not there."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().splitlines()
    except (OSError, ValueError):
        return []


def write(path, lines):
    """Write a small file, whole or not at all."""
    with open(path + ".partial", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    os.replace(path + ".partial", path)


def install(folder, test, torch_index):
    """Make the environment or reuse it, install what is not installed yet; return its Python. Raises Trouble."""
    make_environment(folder)
    python, note, packages = interpreter(folder), os.path.join(folder, INSTALLED), hash_of(PACKAGES)
    noted, editable, plain = read(note), "editable " + ROOT, "plain " + hash_of(FILES)
    if noted in ([packages, editable], [packages, plain]) and (not test or noted[1] == editable):
        return python
    only_files_changed = not test and noted[:1] == [packages]
    if noted and not only_files_changed:
        os.remove(note)  # whoever stops us now leaves an unfinished environment
    print("Installing the course into " + folder + ". The first time takes some minutes.", flush=True)
    try:
        if torch_index:
            pip(python, ["--extra-index-url", torch_index, "torch"])
        pip(python, ["-e", ".[test,book]"] if test else ["."])
    except Trouble as trouble:
        if not only_files_changed:
            raise
        print(f"\n{trouble}\n\nUntil then, the version that was installed before is used.", file=sys.stderr)
        return python
    write(note, [packages, editable if test else plain])
    return python


def make_environment(folder):
    """Make an environment, unless there is a sound one. Never removes a folder that this program did not make."""
    made, note = os.path.join(folder, MADE), os.path.join(folder, INSTALLED)
    if os.path.isdir(folder) and os.listdir(folder):
        sound = is_sound(folder)
        if not os.path.exists(made):
            if sound:
                return
            raise Trouble(
                f"{folder} is there already, and it is not an environment that works.\n"
                f"What to do: move it away, or name another folder with --venv. {AGAIN}"
            )
        if sound and os.path.exists(note):
            return
        print(f"The environment in {folder} is {'unfinished' if sound else 'broken'}: it is made anew.", flush=True)
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise Trouble(f"{folder} could not be removed ({error}).\nWhat to do: close what uses it. {AGAIN}") from error
    check_modules()
    os.makedirs(folder, exist_ok=True)
    write(made, ["This environment may be removed: start.py makes it anew."])
    said = []
    if wait_for([sys.executable, "-m", "venv", folder], said):
        raise Trouble(explain(said, folder, "The environment could not be made.", "name another folder with --venv."))


def check_modules():
    """Raise Trouble where Python was packaged without what makes environments."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise Trouble(
            f"This Python cannot make environments: its module {missing[0]} is missing.\n"
            f"What to do: install it (Debian, Ubuntu: sudo apt install python3-venv). {AGAIN}"
        )


def hash_of(names):
    """One hash of files and folders beside this one."""
    digest = hashlib.sha256()
    for name in names:
        top = os.path.join(ROOT, name)
        paths = [top] if os.path.isfile(top) else []
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(one for one in folders if one != "__pycache__" and not one.startswith("."))
            paths += [os.path.join(folder, one) for one in sorted(files)]
        for path in paths:
            digest.update(os.path.relpath(path, ROOT).encode("utf-8", "replace") + b"\0")
            with open(path, "rb") as stream:
                digest.update(hashlib.sha256(stream.read()).digest())
    return digest.hexdigest()


# --- other programs -------------------------------------------------------------------------------------------------


def pip(python, what):
    """Install with the tested versions. Raises Trouble with pip's own last word."""
    said = []
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt"]
    if wait_for(command + what, said, environment=dict(os.environ, PIP_USER="0")):
        todo = "connect to the internet. Behind a proxy, set HTTPS_PROXY; with a package mirror of your own, PIP_INDEX_URL."
        raise Trouble(explain(said, os.path.dirname(os.path.dirname(python)), "Installing did not work.", todo))


def wait_for(command, said=None, environment=None):
    """Run a program in the course's folder and return its exit code; its error lines are shown, and added to ``said``."""
    pipe = None if said is None else subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=pipe)
    try:
        for line in process.stderr or ():
            text = line.decode("utf-8", "replace")
            said.append(text.strip())
            sys.stderr.write(text)
            sys.stderr.flush()
        return process.wait()
    except BaseException:
        try:
            process.wait(timeout=3)  # Ctrl-C in a terminal reached it as well
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        raise


def hand_over(command):
    """Become another program, so that Ctrl-C and exit codes are its own business."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def explain(said, folder, what, todo):
    """What went wrong, from the error lines of pip or venv, and what to do."""
    text = "\n".join(said)
    signs = ("No space left", "Errno 28", "not enough space", "Disk quota exceeded")
    if any(sign in text for sign in signs) or free_space(folder) < NEXT_TO_NOTHING:
        return disk_full(folder)
    errors = [line for line in said if line.startswith("ERROR:")] or [line for line in said if "error" in line.lower()]
    last = (errors or [line for line in said if line] or ["no reason given"])[-1].replace("ERROR: ", "", 1)
    return f"{what} The reason given: {last}\nWhat to do: {todo} {AGAIN}"


def free_space(folder):
    """Free bytes where a folder is, or would be."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free


def disk_full(folder):
    """The sentence for a full disk."""
    return (
        f"The disk is full: {free_space(folder) / 1e9:.1f} GB are free at {folder}, and the course needs about 3 GB.\n"
        f"What to do: free some space, or name a folder on another disk with --venv. {AGAIN}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
