"""Reading a folder that somebody else filled: every word at its place, and one line for whatever cannot be read."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from course_lib.errors import CourseError
from course_lib.evaluation.answers import contains_answer
from course_lib.folders import cut, read_folder
from course_lib.folders import reading as reading_module
from course_lib.folders.encodings import decode
from course_lib.folders.pdf import read_pdf
from course_lib.folders.plain import read_markdown, read_text
from course_lib.folders.reading import read_bytes, state_of
from course_lib.folders.sample import PRACTICE, QUESTIONS, make_pdf, write_broken, write_sample
from course_lib.folders.texts import PASSAGE_BYTES, Unreadable
from course_lib.folders.web import read_html

MANUAL = (
    "# Tansy kettle\n\nIt boils.\n\n## Care\n\nWipe it dry.\n\n```\n# no heading\n```\n\nDescaling\n---------\n\nUse vinegar.\n"
)


def read_one(folder: Path, name: str, content: bytes | str):
    """Write a file, read the folder, and return what became of the file: its text or its one line."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_folder(folder)
    lines = [str(notice) for notice in found.notices]
    return (found.files[0] if found.files else None), lines


# --- exact places -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_markdown_keeps_every_offset(ends):
    source = MANUAL.replace("\n", ends)
    file = read_markdown(source, "kettle.md")
    assert file.title == "Tansy kettle" and [one.heading for one in file.sections] == ["", "Care", "Descaling"]
    for passage in cut(file):
        place = passage.place()
        assert source[place.start : place.end] == passage.text
        first, last = place.lines
        assert "\n".join(source.splitlines()[first - 1 : last]) == "\n".join(passage.text.splitlines())


def test_headings_in_front_matter_code_and_quotes():
    file = read_markdown("---\ntitle: From the matter\nnote: x\n---\n# One\n\na\n\n# Two `x`\n\nb\n\n    # code\n", "a.md")
    assert file.title == "From the matter" and [one.heading for one in file.sections if one.heading] == ["One", "Two x"]


def test_plain_text_with_underlined_headings():
    file = read_text("Kettle\n======\n\nIntro.\n\nCare\n----\n\nWipe.\n\nA line\nnot a heading\n", "k.rst")
    assert file.title == "Kettle" and [one.heading for one in file.sections] == ["", "Care"]
    table = read_text("a b\n=== ===\n", "t.txt")
    assert [one.heading for one in table.sections] == [""]


PAGE = """<!DOCTYPE html><html><head><title>Kettle &amp; Co</title><style>p {}</style></head><body>
<nav><a href="x">Home</a></nav><script>var a = "<p>no</p>";</script>
<h2 id="a">Care</h2><p>Wipe&nbsp;it   <b>dry</b> &amp; cool.<p hidden>Secret one.<p>Seen again.
<ul><li style="display:none">Secret two<ul><li>deep secret</ul><li>Item one<li>Item two</ul>
<table><tr><th>Part</th><td>QF-1</td></tr><tr><td>Price</td><td>&pound;3</td></tr></table>
<pre>a   b
c</pre><div aria-hidden="true">Secret three</div><p>End.</p></body></html>"""


def test_html_is_read_as_a_person_reads_it():
    text = read_html(PAGE, "k.html").text
    assert text == (
        "Care\n\nWipe it dry & cool.\n\nSeen again.\n\n- Item one\n- Item two\n\nPart | QF-1\nPrice | £3\n\na   b\nc\n\nEnd."
    )


def test_html_places_lead_to_the_source():
    file = read_html(PAGE, "k.html")
    assert file.title == "Kettle & Co"
    section = file.sections[-1]
    for words, source in {
        "Seen again.": "Seen again.",
        "dry & cool.": "dry</b> &amp; cool.",
        "Part | QF-1": "Part</th><td>QF-1",
        "£3": "&pound;3",
        "b\nc": "b\nc",
    }.items():
        start = file.text.index(words)
        place = file.place(start, start + len(words), section)
        assert PAGE[place.start : place.end] == source
        assert place.lines[0] == PAGE[: place.start].count("\n") + 1


def test_html_that_is_broken_is_still_read():
    assert read_html("<p>One <b>two<p>three</i> & four &unknown; &#99999999; <", "a.html").text.startswith(
        "One two\n\nthree & four"
    )
    assert read_html("<title>T</title>only words", "a.html").text == "only words"


@pytest.mark.parametrize("tag", ["<a ", "<!--", "<", "</"])
def test_tags_without_an_end_keep_their_words_and_their_places(tag):
    source = "<p>Seen.</p>" + tag * 20_000 + "word"
    file = read_html(source, "a.html")
    start = file.text.index("word")
    place = file.place(start, start + 4, file.sections[-1])
    assert source[place.start : place.end] == "word" and file.text.startswith("Seen.")


def test_pdf_pages_and_bookmarks():
    data = make_pdf(["Front page"], ["1 Care", "Wipe it dry.", "2 Use", "Fill it cold."], outline=[("Care", 1), ("Use", 1)])
    file, note = read_pdf(data, "kettle.pdf")
    assert note == "" and [(one.heading, one.page) for one in file.sections] == [("", 1), ("Care", 2), ("Use", 2)]
    (passage,) = [one for one in cut(file) if "Fill" in one.text]
    assert passage.title == "kettle › Use" and passage.metadata["page"] == 2
    at = passage.text.index("Fill it cold.")
    place = passage.place(at, at + len("Fill it cold."))
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    page = document[place.page - 1].get_textpage().get_text_range()
    assert page[place.start : place.end] == "Fill it cold." and str(place) == "page 2"
    document.close()


def test_long_passages_are_cut_and_nothing_is_lost():
    source = "# A\n\n" + "word " * 2000 + "\n\n" + "x" * 9000 + "\n\n" + "水" * 3000 + "\n\nA sentence. " * 200
    file = read_markdown(source, "a.md")
    passages = cut(file)
    assert all(len(one.text.split()) <= 160 and len(one.text.encode()) <= PASSAGE_BYTES for one in passages)
    assert "".join("".join(one.text for one in passages).split()) == "".join(source.split())
    assert len({one.id for one in passages}) == len(passages)


# --- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        ("Grüße €".encode("utf-8-sig"), "Grüße €", ""),
        ("Grüße €".encode("utf-16"), "Grüße €", ""),
        ("Grüße, all of you".encode("utf-16-le"), "Grüße, all of you", ""),
        ("Grüße, all of you".encode("utf-16-be"), "Grüße, all of you", ""),
        ("Grüße".encode("utf-32"), "Grüße", ""),
        ("Grüße €".encode("cp1252"), "Grüße €", "not UTF-8: read as Windows-1252"),
        (b"It holds\0 1.2 litres.", "It holds  1.2 litres.", "1 zero byte read as spaces"),
        (b"", "", ""),
    ],
)
def test_encodings(data, text, note):
    assert decode(data) == (text, note)


def test_a_page_says_how_it_is_written():
    page = '<meta charset="windows-1251"><p>Чайник</p>'.encode("cp1251")
    assert "Чайник" in decode(page, declared=True)[0]
    assert "Grüße" in decode('<meta charset="base64"><p>Grüße</p>'.encode(), declared=True)[0]


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" * 50, os.urandom(5000)])
def test_what_is_no_text_is_refused(data):
    with pytest.raises(Unreadable, match="binary"):
        decode(data)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_folder_with_every_kind_of_bad_file_gives_one_line_each_and_the_rest_is_read(tmp_path):
    folder, outside = tmp_path / "docs", tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.md").write_text("# Secret\n\nThe code is 1234.")
    good = {"a.md": MANUAL, "sub/b.html": PAGE, "c.txt": "Fill it cold.", "README": "Read me first."}
    for name, text in good.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "d.pdf").write_bytes(make_pdf(["It holds 1.2 litres."]))
    (folder / "damaged.pdf").write_bytes(make_pdf(["x"])[:60] + b"\xff" * 200)
    (folder / "locked.pdf").write_bytes(make_pdf(["x"], encrypted=True))
    (folder / "scan.pdf").write_bytes(make_pdf([], []))
    (folder / "not.pdf").write_bytes(b"hello")
    (folder / "empty.md").write_text(" \n")
    (folder / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    with (folder / "huge.txt").open("wb") as stream:
        stream.truncate(200_000_000)
    (folder / "out.md").symlink_to(outside / "secret.md")
    (folder / "out").symlink_to(outside)
    (folder / "nowhere.md").symlink_to(folder / "gone.md")
    (folder / "inside.md").symlink_to(folder / "a.md")
    (folder / "loop").symlink_to(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "config.md").write_text("hidden")
    (folder / ".hidden.md").write_text("hidden")
    (folder / "photo.jpg").write_bytes(os.urandom(100))
    (folder / "binary.txt").write_bytes(os.urandom(2000))
    os.mkfifo(folder / "pipe.md")
    found = read_folder(folder)
    assert [file.file for file in found.files] == ["README", "a.md", "c.txt", "d.pdf", "latin.txt", "sub/b.html"]
    assert not any("1234" in file.text or "hidden" in file.text for file in found.files)
    lines = {notice.file: notice for notice in found.notices}
    assert len(lines) == len(found.notices)
    for name, words in {
        "damaged.pdf": "damaged",
        "locked.pdf": "encrypted",
        "scan.pdf": "OCR",
        "not.pdf": "not a PDF",
        "empty.md": "empty",
        "huge.txt": "200 MB",
        "out.md": "out of the folder",
        "out": "out of the folder",
        "nowhere.md": "leads nowhere",
    }.items():
        assert words in lines.pop(name).text
    assert [(name, notice.used) for name, notice in lines.items()] == [("latin.txt", True)]
    assert found.skipped == {"hidden": 2, "links within the folder": 2, "of other kinds": 1, "binary": 1, "special": 1}
    assert found.summary.startswith("6 files read; 9 not read; skipped: 1 binary, 2 hidden")


def test_an_unreadable_file_and_folder():
    """As a user who has no right to them; root has every right, so root puts that on for a moment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir()
        (folder / "closed" / "x.md").write_text("x")
        (folder / "mine.md").write_text("mine")
        (folder / "open.md").write_text("open")
        (folder / "mine.md").chmod(0)
        (folder / "closed").chmod(0)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            found = read_folder(folder)
        finally:
            if root:
                os.seteuid(0)
            (folder / "closed").chmod(0o755)
        assert [file.file for file in found.files] == ["open.md"]
        assert sorted(map(str, found.notices)) == [
            "closed/: may not be read: no permission",
            "mine.md: may not be read: no permission",
        ]


def test_a_file_that_keeps_changing_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    path.write_text("start\n")
    real = os.fstat

    def grow(handle):
        """A writer who adds a line whenever the reader has looked."""
        status = real(handle)
        with path.open("a") as stream:
            stream.write("more\n")
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", grow)
        found = read_folder(tmp_path)
    assert found.files == [] and str(found.notices[0]).startswith("log.txt: kept changing")
    assert read_bytes(path).startswith(b"start"), "at rest it can be read"


def test_a_file_that_vanishes_is_one_line(tmp_path, monkeypatch):
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text(name)
    real = reading_module.read_bytes

    def vanishing(path, *arguments):
        if path.name == "b.md":
            path.unlink()
        return real(path, *arguments)

    monkeypatch.setattr(reading_module, "read_bytes", vanishing)
    found = read_folder(tmp_path)
    assert [file.file for file in found.files] == ["a.md", "c.md"]
    assert [str(notice) for notice in found.notices] == ["b.md: vanished while the folder was read"]


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "secret.txt")
    with pytest.raises(OSError):
        read_bytes(link)


@pytest.mark.parametrize("make", ["missing", "file", "zero"])
def test_what_is_no_folder_is_refused(tmp_path, make):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseError, match="name"):
        read_folder({"missing": tmp_path / "missing", "file": tmp_path / "file", "zero": "a\0b"}[make])


def test_names_that_are_no_text_and_sockets(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.md")).write_text("words")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s.md"))
    found = read_folder(tmp_path)
    listener.close()
    assert [file.file for file in found.files] == ["b\ufffd.md"] and found.skipped == {"special": 1}


def test_the_state_of_a_folder_changes_with_its_files(tmp_path):
    (tmp_path / "a.md").write_text("one")
    first = state_of(tmp_path)
    assert state_of(tmp_path) == first
    (tmp_path / "b.md").write_text("two")
    second = state_of(tmp_path)
    (tmp_path / "b.md").write_text("three")
    assert len({first, second, state_of(tmp_path)}) == 3
    (tmp_path / "b.md").unlink()
    assert state_of(tmp_path) == first


def test_deeply_nested_markup_is_no_crash(tmp_path):
    file, lines = read_one(tmp_path, "a.html", "<div>" * 20000 + "words" + "</div>" * 20000)
    assert file.text == "words" and lines == []
    (tmp_path / "a.html").unlink()
    file, lines = read_one(tmp_path, "b.md", ">" * 20000 + " words\n" + "- " * 3000 + "x\n")
    assert file is not None or lines


# --- the folders to try things on -------------------------------------------------------------------------------------


def test_the_sample_is_read_whole_and_answers_its_questions(tmp_path):
    (tmp_path / "mine.md").write_text("mine")
    found = read_folder(write_sample(tmp_path))
    assert [file.file for file in found.files] == ["keys.html", "mine.md", "minutes.pdf", "rules.md", "tools.txt"]
    assert list(map(str, found.notices)) == ["tools.txt: not UTF-8: read as Windows-1252"]
    passages = [passage.text for file in found.files for passage in cut(file)]
    for question, accepted in (PRACTICE | QUESTIONS).items():
        assert not accepted or any(contains_answer(text, accepted) for text in passages), question
    for questions in (PRACTICE, QUESTIONS):
        assert len(questions) == 10 and 3 <= sum(not accepted for accepted in questions.values()) <= 4
    assert not PRACTICE.keys() & QUESTIONS.keys()


def test_everything_is_wrong_with_the_broken_folder(tmp_path):
    found = read_folder(write_broken(tmp_path / "broken"))
    assert [file.file for file in found.files] == ["fine.md", "windows.txt"] and "Öffnungszeiten" in found.files[1].text
    lines = {notice.file: notice.text for notice in found.notices}
    for name, words in {
        "damaged.pdf": "damaged",
        "locked.pdf": "encrypted",
        "scan.pdf": "OCR",
        "empty.md": "empty",
        "huge.txt": "200 MB",
        "elsewhere.md": "out of the folder",
    }.items():
        assert words in lines.pop(name)
    assert not lines and found.skipped == {"hidden": 1, "binary": 1, "of other kinds": 1}
    (tmp_path / "file").write_text("x")
    for write in (write_sample, write_broken):
        with pytest.raises(CourseError, match="cannot be written"):
            write(tmp_path / "file")
