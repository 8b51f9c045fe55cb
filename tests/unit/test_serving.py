"""The server as the real ``openai`` client meets it. What the model says does not matter here, so a stand-in says it slowly."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import openai
import pytest

from course_lib.errors import CourseError
from course_lib.folders import FolderAnswer, Source
from course_lib.folders.assistant import QuestionError
from course_lib.folders.plain import read_markdown
from course_lib.folders.texts import cut
from course_lib.generation.generate import generate_stream
from course_lib.generation.remote import RemoteModel
from course_lib.ledger import Entry
from course_lib.serving import AssistantServer, Limits, Settings
from course_lib.serving.protocol import ApiError, parse_chat

(PASSAGE,) = cut(read_markdown("# Kettle\n\n## Care\n\nWipe it dry.\n", "kettle.md"))
SOURCE = Source(1, "kettle.md", "Care", PASSAGE.place(9, 21), "Wipe it dry.", "attributed", PASSAGE)


class StandIn:
    """Says its words one after another; the first word of a question may ask for more."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once, self.most_at_once, self.stopped = 0, 0, 0
        self.go = threading.Event()
        self.go.set()
        self.refreshed = 0

    def refresh(self) -> bool:
        self.refreshed += 1
        return False

    def stream(self, question, tokens, stop):
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if question == "too long":
                raise QuestionError("The question is too long.", "shorten it.")
            if question == "upstream":
                raise CourseError("127.0.0.1:9 refused the connection.", "start it.")
            if question == "crash":
                raise RuntimeError("inner detail")
            self.go.wait(20)
            words = ["Wipe", " it", " dry", "."][:tokens] if question != "endless" else [" word"] * 2000
            made = 0
            for word in words:
                if stop():
                    self.stopped += 1
                    break
                if question in ("slow", "endless"):
                    time.sleep(0.02)
                made += 1
                yield word
                if question == "crash later":
                    raise RuntimeError("inner detail")
            text = "".join(words[:made])
            return FolderAnswer(question, text, False, "", (SOURCE,), (SOURCE,), 0.5, Entry({}, 12, made), made >= tokens)
        finally:
            self.at_once -= 1


@contextmanager
def serving(limits=None, key="", host="127.0.0.1"):
    assistant, log = StandIn(), []
    server = AssistantServer(assistant, Settings(host, 0, key, limits=limits or Limits()), log.append)
    server.lines = log
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server, assistant
    finally:
        assistant.go.set()
        server.shutdown()
        server.stop()
        thread.join()


def client(server, key="unused", **options):
    return openai.OpenAI(base_url=server.url, api_key=key, **({"max_retries": 0, "timeout": 20} | options))


def ask(server, question="How?", key="unused", **options):
    with client(server, key) as one:
        if options.get("stream"):
            return list(
                one.chat.completions.create(model="open-book", messages=[{"role": "user", "content": question}], **options)
            )
        return one.chat.completions.create(model="open-book", messages=[{"role": "user", "content": question}], **options)


def raw(server, text: bytes) -> bytes:
    """Send bytes as they are, return all that comes back until the server closes."""
    with closing(socket.create_connection(server.server_address[:2], timeout=10)) as link:
        link.sendall(text)
        parts = []
        while block := link.recv(65536):
            parts.append(block)
        return b"".join(parts)


def post(server, body, **headers):
    link = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    link.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **headers})
    reply = link.getresponse()
    content = json.loads(reply.read())
    link.close()
    return reply, content


# --- what works -------------------------------------------------------------------------------------------------------


def test_a_session_with_the_openai_client():
    with serving() as (server, assistant):
        with client(server) as one:
            assert [model.id for model in one.models.list()] == ["open-book"]
            assert one.models.retrieve("open-book").owned_by == "course"
        made = ask(server, "How do I care for it?")
        assert made.choices[0].message.content == "Wipe it dry." and made.choices[0].finish_reason == "stop"
        assert made.object == "chat.completion" and made.usage.total_tokens == 16
        (source,) = made.model_extra["sources"]
        assert (source["file"], source["section"], source["lines"], source["how"]) == ("kettle.md", "Care", [5, 5], "attributed")
        assert source["span"]["text"] == "Wipe it dry." and made.model_extra["abstained"] is False
        assert assistant.asked == ["How do I care for it?"]


def test_streaming():
    with serving() as (server, _):
        chunks = ask(server, "How?", stream=True, stream_options={"include_usage": True})
        words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        assert words == ["Wipe", " it", " dry", "."]
        *_, last, counted = chunks
        assert last.choices[0].finish_reason == "stop" and last.model_extra["sources"][0]["file"] == "kettle.md"
        assert counted.choices == [] and counted.usage.completion_tokens == 4
        assert len({chunk.id for chunk in chunks}) == 1


def test_words_arrive_while_the_rest_is_being_made():
    with serving() as (server, assistant):
        with client(server) as one:
            stream = one.chat.completions.create(
                model="open-book", messages=[{"role": "user", "content": "endless"}], stream=True, max_tokens=2000
            )
            for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
            assert assistant.at_once == 1, "the answer is not complete, and its first word is here"
            stream.close()
        for _ in range(100):  # who leaves frees the model
            if assistant.at_once == 0:
                break
            time.sleep(0.05)
        assert assistant.at_once == 0
        assert ask(server).choices[0].message.content == "Wipe it dry."


def test_content_in_parts_earlier_turns_and_bounds_on_tokens():
    with serving(Limits(tokens=3)) as (server, assistant):
        messages = [
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "First?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "then?"}]},
        ]
        with client(server) as one:
            made = one.chat.completions.create(model="open-book", messages=messages, max_tokens=5000)
        assert assistant.asked == ["And\nthen?"]
        assert made.choices[0].message.content == "Wipe it dry" and made.choices[0].finish_reason == "length"
        assert ask(server, max_completion_tokens=1).choices[0].message.content == "Wipe"


def test_stop_sequences():
    with serving() as (server, assistant):
        made = ask(server, stop=[" dry", "never"])
        assert made.choices[0].message.content == "Wipe it" and made.choices[0].finish_reason == "stop"
        words = [chunk.choices[0].delta.content or "" for chunk in ask(server, stop="t d", stream=True)]
        assert "".join(words) == "Wipe i"


def test_ten_clients_at_once_are_all_answered_one_at_a_time():
    with serving() as (server, assistant), ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda at: ask(server, f"question {at}", stream=at % 2 == 0), range(10)))
        texts = [
            one.choices[0].message.content if at % 2 else "".join(chunk.choices[0].delta.content or "" for chunk in one)
            for at, one in enumerate(made)
        ]
        assert texts == ["Wipe it dry."] * 10
        assert sorted(assistant.asked) == sorted(f"question {at}" for at in range(10)) and assistant.most_at_once == 1


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_full_line_is_429_and_nobody_else_suffers():
    with serving(Limits(waiting=2)) as (server, assistant), ThreadPoolExecutor(10) as pool:
        assistant.go.clear()

        def one(at):
            try:
                return ask(server, "How?").choices[0].message.content
            except openai.RateLimitError as error:
                assert error.response.headers["retry-after"] == "5" and error.code == "rate_limit_exceeded"
                return "busy"

        waiting = [pool.submit(one, at) for at in range(10)]
        for _ in range(200):
            if sum(future.done() for future in waiting) == 7:
                break
            time.sleep(0.05)
        assistant.go.set()
        outcomes = sorted(future.result() for future in waiting)
        assert outcomes == ["Wipe it dry."] * 3 + ["busy"] * 7
        assert ask(server).choices[0].message.content == "Wipe it dry."


def test_waiting_has_an_end():
    with serving(Limits(patience=0.3)) as (server, assistant), ThreadPoolExecutor(2) as pool:
        assistant.go.clear()
        first = pool.submit(ask, server)
        while not assistant.asked:
            time.sleep(0.01)
        with pytest.raises(openai.RateLimitError, match="not your turn"):
            ask(server)
        assistant.go.set()
        assert first.result().choices[0].message.content == "Wipe it dry."


def test_keys():
    with serving(key="right") as (server, assistant):
        assert ask(server, key="right").choices[0].message.content == "Wipe it dry."
        for wrong in ("wrong", "right2", "Right", "r"):
            with pytest.raises(openai.AuthenticationError) as caught:
                ask(server, key=wrong)
            assert caught.value.code == "invalid_api_key"
        with client(server, "wrong") as one, pytest.raises(openai.AuthenticationError):
            one.models.list()
        assert post(server, "{}")[0].status == 401
        assert len(assistant.asked) == 1 and not any("right" in line or "wrong" in line for line in server.lines)


def test_errors_in_openais_form():
    with serving(Limits(question=100)) as (server, assistant):
        with client(server) as one, pytest.raises(openai.NotFoundError) as caught:
            one.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
        assert caught.value.code == "model_not_found" and "open-book" in str(caught.value)
        with client(server) as one, pytest.raises(openai.NotFoundError):
            one.models.retrieve("gpt-4o")
        for question in ("x" * 101, "x" * 5_000_000, "too long"):
            with pytest.raises(openai.BadRequestError) as caught:
                ask(server, question)
            assert caught.value.code == "context_length_exceeded"
        for options in (
            {"n": 2},
            {"tools": [{"type": "function"}]},
            {"response_format": {"type": "json_object"}},
            {"logprobs": True},
        ):
            with pytest.raises(openai.BadRequestError) as caught:
                ask(server, **options)
            assert caught.value.code == "unsupported_parameter"
        for options in ({"max_tokens": 0}, {"max_tokens": -1}, {"stop": ["a"] * 5}):
            with pytest.raises(openai.BadRequestError):
                ask(server, **options)
        with pytest.raises(openai.BadRequestError, match="empty"):
            ask(server, "  ")
        with pytest.raises(openai.APIStatusError, match="refused the connection") as caught:
            ask(server, "upstream")
        assert caught.value.status_code == 502
        with pytest.raises(openai.InternalServerError) as caught:
            ask(server, "crash")
        assert "inner detail" not in str(caught.value) and any("inner detail" in line for line in server.lines)
        with pytest.raises(openai.APIError):
            ask(server, "crash later", stream=True)
        assert ask(server).choices[0].message.content == "Wipe it dry.", "the server goes on"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"', b"[" * 100_000, b'{"model": 1}', b'{"model": "open-book"}',
     b'{"model": "open-book", "messages": []}', b'{"model": "open-book", "messages": [1]}',
     b'{"model": "open-book", "messages": [{"role": "user"}]}',
     b'{"model": "open-book", "messages": [{"role": "assistant", "content": "x"}]}',
     b'{"model": "open-book", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}'],
)  # fmt: skip
def test_bodies_that_make_no_sense(body):
    with pytest.raises(ApiError) as caught:
        parse_chat(body, "open-book", 100)
    assert caught.value.status == 400 and set(caught.value.body["error"]) == {"message", "type", "param", "code"}


def test_http_that_makes_no_sense():
    with serving() as (server, assistant):
        host = b"Host: 127.0.0.1\r\n"
        for text, status in {
            b"GET / HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n": b"404",
            b"PUT /v1/models HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n": b"405",
            b"BREW /v1/models HTTP/1.1\r\n" + host + b"\r\n": b"501",
            b"POST /v1/chat/completions HTTP/1.1\r\n" + host + b"Content-Length: x\r\n\r\n": b"400",
            b"POST /v1/chat/completions HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n": b"400",
            b"POST /v1/chat/completions HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n": b"400",
            b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n": b"414",
            b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n": b"403",
        }.items():
            reply = raw(server, text)
            assert reply.split(b" ", 2)[1] == status and b'"error"' in reply, text[:40]
        assert raw(server, b"nonsense\r\n\r\n").endswith(b"}}"), "to what is no HTTP/1 there is no status line"
        reply, content = post(server, "{}", **{"Content-Type": "text/plain"})
        assert reply.status == 400 and "application/json" in content["error"]["message"]
        assert not assistant.asked


def test_silent_and_crowding_connections_are_ended():
    with serving(Limits(silence=0.3, connections=3)) as (server, _):
        links = [socket.create_connection(server.server_address[:2], timeout=5) for _ in range(3)]
        time.sleep(0.1)
        assert b"503" in raw(server, b"")[:20]
        for link in links:
            assert link.recv(10) == b"", "a connection that says nothing is closed"
            link.close()
        assert ask(server).choices[0].message.content == "Wipe it dry."


def test_stopping_ends_what_is_being_said_and_closes_the_port():
    with serving() as (server, assistant), ThreadPoolExecutor(3) as pool:
        running = pool.submit(ask, server, "endless", max_tokens=2000)
        while not assistant.asked:
            time.sleep(0.01)
        waiting = pool.submit(ask, server)
        while len(server.gate._line) < 2:
            time.sleep(0.01)
        server.shutdown()
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 5 and assistant.at_once == 0
        for one in (running, waiting):
            with pytest.raises(openai.InternalServerError) as caught:
                one.result()
            assert caught.value.status_code == 503
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.server_address[:2], timeout=2)


def test_only_this_machine_without_a_key():
    with pytest.raises(CourseError, match="no key"):
        AssistantServer(StandIn(), Settings("0.0.0.0", 0))
    assert Settings().host == "127.0.0.1"
    with serving(key="k", host="0.0.0.0") as (server, _):
        assert server.server_address[0] == "0.0.0.0"
    with serving() as (server, _), pytest.raises(CourseError, match="in use"):
        AssistantServer(StandIn(), Settings(port=server.server_address[1]))


# --- the client that this course brings ------------------------------------------------------------------------------


def told(action) -> str:
    with pytest.raises(CourseError) as caught:
        action()
    assert caught.value.what and caught.value.todo
    return str(caught.value)


def test_the_courses_client_with_the_courses_server():
    with serving(key="right") as (server, _):
        model = RemoteModel(server.url, api_key="right")
        assert model.name == "open-book" and "right" not in repr(model)
        made = model.complete([{"role": "user", "content": "How?"}], 10)
        assert (made.text, made.tokens_in, made.tokens_out) == ("Wipe it dry.", 12, 4)
        assert "key was refused" in told(lambda: RemoteModel(server.url, api_key="wrong"))
        assert "A key is asked for" in told(
            lambda: RemoteModel(server.url, "open-book").complete([{"role": "user", "content": "x"}], 3)
        )
        other = RemoteModel(server.url, "other", "right")
        assert "knows no model 'other'" in told(lambda: other.complete([{"role": "user", "content": "x"}], 3))
        assert "not JSON" not in told(lambda: RemoteModel(server.url.replace("/v1", ""), api_key="right"))


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0):
    """A server that says these bytes to everybody."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def run() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link:
                text = b""
                while b'"stream": false}' not in text and b'"include_usage": true}}' not in text:
                    if not (block := link.recv(65536)):  # what is not read would reset the connection
                        break
                    text += block
                heard.append(text)
                try:
                    for piece in pieces:
                        link.sendall(piece)
                        time.sleep(pause)
                except OSError:
                    pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([OK + b"<html>hello</html>"], "not JSON"),
        ([OK + b"[1]"], "another form"),
        ([OK + b'{"hello": 1}'], "not with a chat completion"),
        ([OK + b'{"choices": [{"message": {"content": null}}]}'], "not with a chat completion"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"], "sends you elsewhere"),
        ([b"HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n"], "busy"),
        ([b'HTTP/1.1 500 No\r\nConnection: close\r\n\r\n{"error": {"message": "out of\\u001b[31m memory"}}'], "out of"),
        ([b"what is this\r\n\r\n"], "cannot be reached"),
        ([b""], "cannot be reached"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"], "cannot be reached"),
    ],
)
def test_servers_that_answer_something_else(pieces, words):
    with answering(*pieces) as (url, heard):
        message = told(lambda: RemoteModel(url, "m", "secret-key", timeout=5).complete([{"role": "user", "content": "x"}], 3))
        assert words in message and "secret-key" not in message and "\x1b" not in message
        assert len(heard) == 1 and b"Bearer secret-key" in heard[0]


def read(stream):
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


QUESTION = [{"role": "user", "content": "How?"}]


def test_the_courses_client_reads_a_stream():
    with serving() as (server, assistant):
        model = RemoteModel(server.url)
        pieces, made = read(model.stream(QUESTION, 10))
        assert pieces == ["Wipe", " it", " dry", "."] and made.text == "Wipe it dry."
        assert (made.tokens_in, made.tokens_out) == (12, 4), "as the server counted them"
        assert read(generate_stream(model, QUESTION, 10))[0] == pieces, "and the pipeline streams with it"
        asked = []
        pieces, made = read(
            model.stream(QUESTION, 10, lambda: asked.append(1) or len(asked) >= 2)
        )  # the first event has no words
        assert pieces == ["Wipe"] == [made.text]
        stream = model.stream([{"role": "user", "content": "endless"}], 2000)
        assert next(stream) == "word" and assistant.at_once == 1, "the first word is here, and the answer is not complete"
        stream.close()
        for _ in range(100):  # who leaves frees the server
            if assistant.at_once == 0:
                break
            time.sleep(0.05)
        assert assistant.at_once == 0


def test_a_server_behind_a_server_streams_through():
    """Words go from one server through the other to the client while they are made; so do errors."""
    with serving() as (inner, inside):

        class Through(StandIn):
            def stream(self, question, tokens, stop):
                self.asked.append(question)
                text, pieces = "", RemoteModel(inner.url).stream([{"role": "user", "content": question}], tokens, stop)
                for piece in pieces:
                    text += piece
                    yield piece
                return FolderAnswer(question, text, False, "", (SOURCE,), (SOURCE,), 0.5, Entry({}, 12, 4))

        server = AssistantServer(Through(), Settings(port=0))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            words = [chunk.choices[0].delta.content for chunk in ask(server, stream=True)]
            assert [word for word in words if word] == ["Wipe", " it", " dry", "."]
            with pytest.raises(openai.APIStatusError) as caught:
                ask(server, "crash", stream=True)
            assert caught.value.status_code == 502 and "could not answer (500)" in str(caught.value)
            with pytest.raises(openai.APIError, match="could not go on"):
                ask(server, "crash later", stream=True)
            assert inside.asked == ["How?", "crash", "crash later"]
        finally:
            server.shutdown()
            server.stop()
            thread.join()


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(text, finish=None):
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]}).encode() + b"\n\n"


def test_streams_of_other_servers():
    for pieces in (
        [EVENTS, b": hello\n\n", event(" Wipe"), event(" it "), event("\n"), event(None, "stop")],  # ends without [DONE]
        [EVENTS, event("Wipe")[:9], event("Wipe")[9:], event(" it") + b"data: [DONE]\n\n", event("no")],
        [EVENTS, event("Wipe it").replace(b"\n", b"\r\n"), b"data: [DONE]"],
        [EVENTS, b'data: {"choices": []}\n', b"event: x\nid: 1\n\n", event("Wipe it"), b"data: [DONE]\n\n"],
        [OK + b'{"choices": [{"message": {"content": " Wipe it "}}]}'],  # it does not stream
    ):
        with answering(*pieces, pause=0.02) as (url, _):
            told_so, made = read(RemoteModel(url, "m", timeout=5).stream(QUESTION, 9))
            assert "".join(told_so) == made.text == "Wipe it" and made.tokens_out == 3


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([EVENTS, event("Wipe")], "broke off"),
        ([EVENTS], "broke off"),
        ([EVENTS, event("Wipe"), b"data: {\n\n"], "not JSON"),
        ([EVENTS, b"data: [1]\n\n"], "not JSON"),
        ([EVENTS, event("Wipe"), b'data: {"error": {"message": "out of\\u001b memory"}}\n\n'], "out of"),
        ([OK + b"<html>"], "not JSON"),
        ([OK + b'{"choices": []}'], "not with a chat completion"),
        ([b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"], "key was refused"),
    ],
)
def test_streams_that_go_wrong(pieces, words):
    with answering(*pieces) as (url, _):
        message = told(lambda: read(RemoteModel(url, "m", "secret-key", timeout=5).stream(QUESTION, 9)))
        assert words in message and "secret-key" not in message and "\x1b" not in message
    with answering(EVENTS, *[b": still here\n\n"] * 20, pause=0.1) as (url, _):
        assert "within 0.5 s" in told(lambda: read(RemoteModel(url, "m", timeout=0.5).stream(QUESTION, 9)))


def test_servers_that_are_slow():
    with answering(OK, b"{", pause=1.5) as (url, _):
        assert "within 0.5 s" in told(lambda: RemoteModel(url, "m", timeout=0.5).complete([{"role": "user", "content": "x"}], 3))
    with answering(OK, *[b" "] * 20, pause=0.1) as (url, _):
        began = time.monotonic()
        assert "within 0.5 s" in told(lambda: RemoteModel(url, "m", timeout=0.5).complete([{"role": "user", "content": "x"}], 3))
        assert time.monotonic() - began < 1.9, "a trickle is no answer"


def test_nobody_there_and_addresses_that_are_none():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    assert "refused the connection" in told(lambda: RemoteModel(f"http://127.0.0.1:{port}/v1"))
    for url in ("", "127.0.0.1:8000", "ftp://x/v1", "file:///etc/passwd", "http://"):
        assert "not the address" in told(lambda url=url: RemoteModel(url, "m"))
    assert "password" in told(lambda: RemoteModel("http://me:pw@127.0.0.1/v1", "m"))
    assert "character" in told(lambda: RemoteModel("http://127.0.0.1/v1", "m", "a\nb"))
