"""The commands for documents of one's own and for adapters: ``course ask``, ``serve``, ``adapter``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import CourseError
from .terminal import console, lively, printable, say

Documents = Annotated[Path, typer.Argument(help="A folder with Markdown, HTML, text or PDF files.", metavar="FOLDER")]
K = Annotated[int, typer.Option("--k", "-k", min=1, max=20, help="Passages that the model is shown.")]
MaxTokens = Annotated[int, typer.Option(min=1, max=2048, help="Longest answer in tokens.")]
MaxFile = Annotated[float, typer.Option(min=0.001, help="Files larger than this many MB are not read.")]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Let an OpenAI-compatible server answer, such as http://127.0.0.1:8000/v1. Questions and passages go there; "
        "its key is taken from COURSE_API_KEY."
    ),
]
Model = Annotated[str, typer.Option(help="The model's name on that server.", show_default="the first it lists")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for that server.")]
AdapterOption = Annotated[
    str,
    typer.Option(
        "--adapter", help="Let the model answer with this adapter: a folder, or the name of one that ships with the course."
    ),
]


def _assistant(folder: Path, base_url: str | None, model: str, timeout: float, adapter: str, **options: Any) -> Any:
    """An assistant for a folder; every notice about a file goes to the error stream, one line each."""
    from . import models
    from .folders.assistant import FolderAssistant, nothing_to_read
    from .models.files import prepared_folder

    if model and not base_url:
        raise CourseError("--model names a model on a server, and no server is named.", "add --base-url, or set COURSE_LM.")
    if adapter and base_url:
        raise CourseError(
            "An adapter belongs to the model on this machine, and --base-url names another.", "leave one of them out."
        )
    lm: Any = None
    if base_url:
        from .generation.remote import remote_from_environment

        lm = remote_from_environment(base_url, model, timeout)
    if adapter:
        from .finetune.adapters import adapter_about, check_base

        # Before anything large is loaded.
        check_base(adapter_about(adapter), adapter, os.environ.get("COURSE_LM") or models.LANGUAGE_MODEL.name)
    for source, variable in ((models.LANGUAGE_MODEL, "COURSE_LM"), (models.EMBEDDER, "COURSE_EMBEDDER")):
        needed = source is models.EMBEDDER or lm is None
        if needed and not os.environ.get(variable):
            prepared_folder(source)
    if adapter:
        from .finetune.adapters import load_adapter
        from .finetune.lora import merged

        lm = merged(load_adapter(models.language_model(), adapter))
    assistant = FolderAssistant(folder, lm, progress=lively(console(stderr=True)), **options)
    for notice in assistant.reading.notices:
        say("Note:" if notice.used else "Not read:", printable(str(notice)), style="yellow", stderr=True)
    if not assistant.index.passages:
        raise nothing_to_read(assistant.reading)
    return assistant


def ask(
    folder: Documents,
    question: Annotated[str, typer.Argument(help="Your question, in quotes.", metavar="QUESTION")],
    k: K = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    show_passages: Annotated[bool, typer.Option("--show-passages", help="Print all passages that the model was shown.")] = False,
    max_tokens: MaxTokens = 48,
    max_file_mb: MaxFile = 32,
    base_url: BaseUrl = None,
    model: Model = "",
    timeout: Timeout = 60,
    adapter: AdapterOption = "",
) -> None:
    """Ask a folder of your own documents; the answer names file, section and words, or says that it does not know."""
    assistant = _assistant(folder, base_url, model, timeout, adapter, k=k, max_new_tokens=max_tokens, max_file_mb=max_file_mb)
    answer = assistant.ask(question)
    if as_json:
        import json

        reading = assistant.reading
        notices = [{"file": one.file, "text": one.text, "used": one.used} for one in reading.notices]
        folder_read = {"files": len(reading.files), "passages": len(assistant.index.passages), "skipped": dict(reading.skipped)}
        print(json.dumps(answer.as_dict() | {"folder": folder_read, "notices": notices}, ensure_ascii=False, indent=1))
        return
    say(printable(answer.text), style="bold")
    if answer.abstained:
        say(f"({printable(answer.reason)})")
    for source in answer.sources:
        how = "" if source.how == "cited" else ", found by shared words"
        say(f"[{source.number}]", printable(source.name) + how, style="cyan")
        say("   ", f"“{printable(' '.join(source.quote.split()))}”")
    if show_passages:
        for source in answer.shown:
            say("")
            say(f"[{source.number}]", printable(f"{source.file} › {source.section} ({source.passage.place()})"), style="cyan")
            say(printable(source.passage.text))
    say(printable(assistant.reading.summary), stderr=True)


def serve(
    folder: Documents,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any other than this machine's own needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    api_key: Annotated[
        str,
        typer.Option(
            envvar="COURSE_SERVER_KEY", help="Only who sends this key is answered. In COURSE_SERVER_KEY nobody sees it."
        ),
    ] = "",
    k: K = 3,
    max_tokens: MaxTokens = 48,
    max_question: Annotated[int, typer.Option(min=1, help="Longest question in characters.")] = 4000,
    queue: Annotated[int, typer.Option(min=0, help="Requests that may wait; more are refused with 429.")] = 16,
    max_file_mb: MaxFile = 32,
    base_url: BaseUrl = None,
    model: Model = "",
    timeout: Timeout = 60,
    adapter: AdapterOption = "",
) -> None:
    """Serve a folder of your own documents to programs that speak OpenAI's protocol. Ctrl-C stops it."""
    from .serving import AssistantServer, Limits, Settings
    from .serving import serve as run

    if any(character < "!" or character > "~" for character in api_key):
        raise CourseError("The key may hold letters, digits and signs only, no spaces.", "choose another.")
    assistant = _assistant(folder, base_url, model, timeout, adapter, k=k, max_new_tokens=max_tokens, max_file_mb=max_file_mb)
    limits = Limits(question=max_question, tokens=max_tokens, waiting=queue)
    server = AssistantServer(assistant, Settings(host, port, api_key, limits=limits), lambda line: say(line, stderr=True))
    try:
        assistant.progress = False
        assert assistant.lm is not None  # load it now: the first question should not wait for it
        say(printable(repr(assistant)))
        say(
            f"Serving {server.url} with the model {server.settings.model}"
            + (", with a key." if api_key else ".")
            + " To stop: Ctrl-C here."
        )
    except BaseException:
        server.server_close()
        raise
    run(server)
    say("Stopped.")


# --- adapters -------------------------------------------------------------------------------------------------------

adapters = typer.Typer(
    help="Adapters, checked by their hashes: look at one, export it alone, or merge it into a whole model.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Adapter = Annotated[
    str, typer.Argument(help="An adapter's folder, or the name of one that ships with the course.", metavar="ADAPTER")
]
Target = Annotated[Path, typer.Argument(help="The folder to write.", metavar="FOLDER")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a folder that the course wrote before.")]


@adapters.command("show")
def show_adapter(adapter: Adapter) -> None:
    """Check an adapter and say what is known of it: base, recipe, data, command."""
    from .finetune.adapters import adapter_about

    for name, value in adapter_about(adapter).items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for inner, one in pairs:
            text = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            say(f"{f'{name} {inner}'.strip().replace('_', ' '):<24}", printable(text))


@adapters.command("export")
def export_adapter(adapter: Adapter, folder: Target, replace: Replace = False) -> None:
    """Copy an adapter with a model card: a few megabytes, for those who have its base."""
    from .finetune import export

    written = export.export_adapter(adapter, folder, replace)
    say(f"{written} holds the adapter and its card. PEFT loads it, and so do ask and serve: --adapter {folder}")


@adapters.command("merge")
def merge_adapter(adapter: Adapter, folder: Target, replace: Replace = False) -> None:
    """Write the model with the adapter in its weights, with a model card: as large as the model, and whole."""
    from . import models
    from .finetune import export
    from .finetune.adapters import adapter_about, check_base

    check_base(adapter_about(adapter), adapter, os.environ.get("COURSE_LM") or models.LANGUAGE_MODEL.name)
    written = export.export_model(models.language_model(), adapter, folder, replace)
    say(f"{written} holds a whole model and its card. transformers loads it, and so do ask and serve: COURSE_LM={folder}")


COMMANDS: list[Callable[..., None]] = [ask, serve]
