"""The section of provenance: files, inputs, versions and recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgepack.report.document.block_shortcuts import number_column, table_block, text_column
from edgepack.report.document.blocks import Block, Details, Section
from edgepack.report.format.text_table import NONE
from edgepack.storage.artifact import Artifact


def provenance_section(
    inputs: Mapping[str, Any],
    recipes: Mapping[str, Mapping[str, Any]],
    versions: Mapping[str, str],
    artifacts: Mapping[str, Artifact],
) -> Section | None:
    """Return tables of files, inputs by role, versions by package, and recipes by model."""
    blocks: list[Block] = []
    if artifacts:
        columns = [text_column("file"), number_column("bytes"), text_column("SHA-256")]
        blocks.append(table_block("Files", columns, _files(artifacts)))
    if inputs:
        columns = [
            text_column("input"),
            text_column("name"),
            number_column("bytes"),
            text_column("SHA-256"),
        ]
        blocks.append(table_block("Inputs", columns, _inputs(inputs)))
    if versions:
        columns = [text_column("package"), text_column("version")]
        blocks.append(table_block("Versions", columns, versions.items()))
    for name, recipe in recipes.items():
        settings = table_block(
            f"Recipe of {name}",
            [text_column("setting"), text_column("value")],
            [[_words(key), text] for key, value in recipe.items() if (text := _setting(value))],
        )
        blocks.append(Details(summary=f"Recipe of {name}", blocks=(settings,)))
    if not blocks:
        return None
    return Section(
        id="made-of",
        title="Provenance",
        lead=(
            "The same inputs, recipe and versions produce the same report on processors of the same"
            " kind, apart from timings."
        ),
        blocks=tuple(blocks),
    )


def _files(artifacts: Mapping[str, Artifact]) -> Iterator[list[str]]:
    for name, artifact in artifacts.items():
        yield [name, f"{artifact.bytes:,}", artifact.sha256]


def _inputs(inputs: Mapping[str, Any]) -> Iterator[list[str]]:
    """Return rows of inputs: files and folders by content, functions and objects by name."""
    for role, described in inputs.items():
        if not isinstance(described, Mapping):
            yield [role, _setting(described) or NONE, NONE, NONE]
            continue
        name = described.get("name", described.get("function", described.get("object", NONE)))
        size = described.get("bytes")
        size_text = f"{size:,}" if isinstance(size, int) else NONE
        yield [role, str(name), size_text, str(described.get("sha256", NONE))]


def _setting(value: Any) -> str:
    """Write a setting in words, without what is not set; empty if nothing is.

    >>> _setting({"scheme": "int8", "input_type": None, "layers": [["conv*", "int16"]]})
    'scheme int8, layers conv* int16'
    >>> _setting({"name": "m.h5", "bytes": 1024, "sha256": "c9"}), _setting([]), _setting(False)
    ('m.h5, 1,024 bytes, SHA-256 c9', '', 'no')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and isinstance(value.get("bytes"), int):
            return _file(value)
        members = {_words(str(key)): _setting(each) for key, each in value.items()}
        return ", ".join(f"{key} {text}" for key, text in members.items() if text)
    if isinstance(value, (list, tuple)):
        is_simple = all(isinstance(each, str | int | float) for each in value)
        texts = [
            " ".join(map(_setting, each)) if isinstance(each, list | tuple) else _setting(each)
            for each in value
        ]
        return (", " if is_simple else "; ").join(filter(None, texts))
    return str(value)


def _file(described: Mapping[str, Any]) -> str:
    """Describe a file: name, size and content."""
    parts = [described["name"], f"{described['bytes']:,} bytes"]
    if isinstance(described.get("sha256"), str):
        parts.append(f"SHA-256 {described['sha256']}")
    return ", ".join(parts)


def _words(key: str) -> str:
    return key.replace("_", " ")
