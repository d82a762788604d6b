"""What a report rests on: inputs, recipe, versions and files, each by its SHA-256."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from edgepack.report.document.block_shortcuts import figures, table, words
from edgepack.report.document.blocks import Block, Details, Section
from edgepack.report.format.text_table import NONE
from edgepack.storage.artifact import Artifact


def made_of(
    inputs: Mapping[str, Any],
    recipes: Mapping[str, Mapping[str, Any]],
    versions: Mapping[str, str],
    artifacts: Mapping[str, Artifact],
) -> Section | None:
    """Name inputs by their roles, recipes by their models, versions and files by their names."""
    blocks: list[Block] = []
    if artifacts:
        columns = [words("file"), figures("bytes"), words("SHA-256")]
        blocks.append(table("Files", columns, _files(artifacts)))
    if inputs:
        columns = [words("input"), words("what it is"), figures("bytes"), words("SHA-256")]
        blocks.append(table("Inputs", columns, _inputs(inputs)))
    if versions:
        columns = [words("package"), words("version")]
        blocks.append(table("Versions", columns, versions.items()))
    for name, recipe in recipes.items():
        settings = table(
            f"Recipe of {name}",
            [words("setting"), words("value")],
            [[key, _plain(value)] for key, value in recipe.items()],
        )
        blocks.append(Details(summary=f"Recipe of {name}", blocks=(settings,)))
    if not blocks:
        return None
    return Section(
        id="made-of",
        title="What this rests on",
        lead="The same inputs, recipe and versions give the same report on processors of the same"
        " kind, apart from timings.",
        blocks=tuple(blocks),
    )


def _files(artifacts: Mapping[str, Artifact]) -> Iterator[list[str]]:
    for name, found in artifacts.items():
        yield [name, f"{found.bytes:,}", found.sha256]


def _inputs(inputs: Mapping[str, Any]) -> Iterator[list[str]]:
    """Tell files and folders with their content, functions and objects by their names."""
    for role, found in inputs.items():
        if not isinstance(found, Mapping):
            yield [role, _plain(found), NONE, NONE]
            continue
        name = found.get("name", found.get("function", found.get("object", NONE)))
        size = found.get("bytes")
        many = f"{size:,}" if isinstance(size, int) else NONE
        yield [role, str(name), many, str(found.get("sha256", NONE))]


def _plain(value: Any) -> str:
    """Write a setting as a person would, structures as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
