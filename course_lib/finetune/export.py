"""An adapter leaves the course: alone, for whoever has its base, or merged into a whole model. A model card goes with it.

A merged folder is one that transformers loads by its path, and that ``COURSE_LM`` can name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..models import LANGUAGE_MODEL, LanguageModel, file_hash
from .adapters import ABOUT, CARD, CONFIG, WEIGHTS, adapter_about, adapter_folder, load_adapter, whole_folder
from .lora import merged

NOT_STATED = "not stated"
HIDDEN = {"weights_sha256", "config_sha256", "recipe", "licence", "model", "files"}  # what the card says elsewhere


def export_adapter(name: str | Path, folder: str | Path, replace: bool = False) -> Path:
    """Copy an adapter, checked by its hashes, to a folder that PEFT loads, with a model card: some megabytes.

    Raises :class:`~course_lib.errors.CourseError` where the adapter is damaged, or the folder cannot be written or is there already.
    """
    about, source = adapter_about(name), adapter_folder(name)
    need = sum((source / file).stat().st_size for file in (WEIGHTS, CONFIG, ABOUT))
    with whole_folder(folder, "The adapter", need, replace) as new:
        for file in (WEIGHTS, CONFIG, ABOUT):
            shutil.copyfile(source / file, new / file)
        (new / CARD).write_text(model_card(about, source.name), encoding="utf-8")
    return Path(folder).expanduser()


def export_model(lm: LanguageModel, name: str | Path, folder: str | Path, replace: bool = False) -> Path:
    """Merge an adapter into its base and write all of it to a folder, float32: weights, configuration, tokenizer, model card.

    ``about.json`` holds what is known of the adapter, and the SHA-256 of every other file. Raises
    :class:`~course_lib.errors.CourseError` as :func:`export_adapter` does, and where ``lm`` is not the adapter's base.
    """
    from ..models.files import quiet_transformers

    about, whole = adapter_about(name), merged(load_adapter(lm, name))
    # Tied weights count once, as they are written once.
    need = sum({one.data_ptr(): one.numel() * one.element_size() for one in whole.model.state_dict().values()}.values())
    with whole_folder(folder, "The merged model", need, replace) as new:
        with quiet_transformers():
            whole.model.save_pretrained(new)
            if whole.tokenizer is not None:
                whole.tokenizer.save_pretrained(new)
        (new / CARD).write_text(model_card(about, adapter_folder(name).name, merged=True), encoding="utf-8")
        files = {path.name: file_hash(path) for path in sorted(new.iterdir())}
        known = {**about, "weights_sha256": files["model.safetensors"], "adapter_sha256": about["weights_sha256"], "files": files}
        (new / ABOUT).write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Path(folder).expanduser()


def model_card(about: Mapping[str, Any], name: str, merged: bool = False) -> str:
    """What somebody who finds the folder must know: base, adapter, recipe, use, limits, licence. Nothing that was not measured.

    >>> card = model_card({"model": "base", "weights_sha256": "ab12", "recipe": {"rank": 8}, "steps": 3}, "mine")
    >>> [line for line in card.splitlines() if line.startswith("#")]
    ['# mine, for base', '## Base', '## Adapter', '## Recipe', '## Use', '## Limits', '## Licence']
    """
    base = _base_name(about["model"])
    licences = {"base": _base_licence(about["model"]), "adapter": str(about.get("licence") or NOT_STATED)}
    kind = "merged into its base" if merged else "a LoRA adapter"
    known = {key: value for key, value in about.items() if key not in HIDDEN and not isinstance(value, Mapping)}
    hub = {
        "license": "other",
        "license_name": "; ".join(f"{part}: {licence}" for part, licence in licences.items()),
        "base_model": base,
        "library_name": "transformers" if merged else "peft",
        "tags": ["lora", "merged"] if merged else ["lora"],
    }
    load = (
        "AutoModelForCausalLM.from_pretrained(FOLDER), AutoTokenizer.from_pretrained(FOLDER)"
        if merged
        else "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), FOLDER)"
    )
    course = "COURSE_LM=FOLDER course ask DOCUMENTS QUESTION" if merged else "course ask DOCUMENTS QUESTION --adapter FOLDER"
    return "\n".join(
        [
            "---",
            *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in hub.items()),
            "---",
            "",
            f"# {_line(name)}, for {base}",
            "",
            f"This is {kind}, written by the course Open Book, Closed Book.",
            "",
            "## Base",
            "",
            f"{base}, licence: {licences['base']}. {_base_weights(about['model'])}",
            "",
            "## Adapter",
            "",
            f"- SHA-256 of its weights: {_line(about['weights_sha256'])}",
            *(f"- {_line(key).replace('_', ' ')}: {_line(value)}" for key, value in known.items()),
            "",
            "## Recipe",
            "",
            *(f"- {_line(key).replace('_', ' ')}: {_line(value)}" for key, value in dict(about.get("recipe") or {}).items()),
            "",
            "## Use",
            "",
            f"    {load}",
            f"    {course}",
            "",
            "## Limits",
            "",
            "Trained for the one task that its data shows, and tested on no other. Like its base it writes fluently what is not so: check its "
            "answers against a source. Its hashes show damage; they do not show who made it.",
            "",
            "## Licence",
            "",
            f"Base: {licences['base']}. Adapter: {licences['adapter']}. Whoever passes it on keeps to both.",
            "",
        ]
    )


def _line(value: Any) -> str:
    """A value on one line of Markdown."""
    return " ".join((", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).split())


def _base_name(model: str) -> str:
    """A base's name; of a folder on this machine the last part only."""
    return _line(Path(model).name if Path(model).expanduser().is_absolute() else model)


def _base_licence(model: str) -> str:
    return LANGUAGE_MODEL.licence if model == LANGUAGE_MODEL.name else "that of the base; look there"


def _base_weights(model: str) -> str:
    if model != LANGUAGE_MODEL.name:
        return ""
    return (
        "The course takes its weights from a file of 4-bit numbers and computes with them in float32; they are not quite those that were "
        f"published first. SHA-256 of that file: {LANGUAGE_MODEL.sha256}."
    )
