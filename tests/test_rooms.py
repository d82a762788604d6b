"""Each room and file is named for what it holds, and no name stands for two things."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT
from rooms import (
    cycles,
    direct,
    draw,
    floors,
    imports,
    modules,
    rooms,
    titles_of,
)

import edgepack
from edgepack.cli import cli

MODULES = modules()
MAX_LOOSE = 2
MAX_LINES = 400
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()

SHARED_FILE_NAMES = {
    "firmware": "the command",
    "folds": "the cross-validation of `compare`: how it is done, and its section",
    "layer_errors": "what `debug` reports: as text, as a section and as a plot",
    "per_class": "figures of each class: how they are computed, and their section",
    "ranges": "activation ranges: how they are chosen, and their section",
    "split_outputs": "outputs split into their parts: in the file, and in a command",
    "target": "a target, and what reports say of it",
} | dict.fromkeys(cli.commands, "the command: its settings, its pipeline, its report")
"""Names of files that are in several rooms, and the one subject that each of them has there."""


def test_next_to_nothing_lies_loose_in_edgepack() -> None:
    loose = [
        name for name, path in MODULES.items() if name.count(".") == 1 and path.stem != "__init__"
    ]
    assert len(loose) <= MAX_LOOSE, loose


def test_a_file_name_stands_for_one_subject() -> None:
    places = defaultdict(list)
    for name, path in MODULES.items():
        if path.stem != "__init__":
            places[path.stem].append(name)
    several = {stem: names for stem, names in places.items() if len(names) > 1}
    unknown = several.keys() - SHARED_FILE_NAMES.keys()
    assert not unknown, {stem: several[stem] for stem in sorted(unknown)}
    gone = SHARED_FILE_NAMES.keys() - several.keys() - cli.commands.keys()
    assert not gone, f"take {sorted(gone)} out of SHARED_FILE_NAMES"


def test_a_class_name_stands_for_one_class() -> None:
    places = defaultdict(list)
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    several = {name: found for name, found in places.items() if len(found) > 1}
    # Every runtime's module has an Interpreter of the protocol in run_service.
    assert set(several) == {"Interpreter"}
    assert all(name.startswith("edgepack.runtimes.") for name in several["Interpreter"])


def test_no_room_is_named_like_a_public_function() -> None:
    top = {name.split(".")[1] for name in MODULES if "." in name}
    # `edgepack targets` lists the targets of the room of that name; there is no such function.
    assert not top & (set(edgepack.__all__) | cli.commands.keys() - {"targets"})


def test_every_room_is_described_in_the_documentation() -> None:
    for room in {name.split(".")[1] for name in MODULES if "." in name}:
        assert f"| `{room}" in ARCHITECTURE, f"describe {room} in docs/architecture.md"


def test_the_picture_of_the_rooms_is_that_of_the_imports() -> None:
    drawn = draw(rooms(imports(MODULES)), titles_of(MODULES))
    assert (ROOT / "docs" / "rooms.svg").read_text() == drawn, (
        "draw it again: scripts/rooms.py --draw docs/rooms.svg"
    )


def test_no_file_is_long() -> None:
    folders = ("edgepack", "calibration", "tests", "scripts")
    paths = {path.resolve() for folder in folders for path in (ROOT / folder).rglob("*")}
    texts = [path for path in paths if path.suffix in {".py", ""} and path.is_file()]
    long = [
        str(path.relative_to(ROOT))
        for path in texts
        if len(path.read_text().splitlines()) > MAX_LINES
    ]
    assert not long, f"split {long} by subject"


def test_rooms_are_counted_from_imports_of_all_kinds(tmp_path: Path) -> None:
    for name, text in {
        "__init__": "",
        "core/__init__": "",
        "core/errors": "",
        "load/__init__": "def load():\n    from edgepack.core import errors\n",
        "cli": "import edgepack.load\nfrom edgepack.core.errors import Error\n",
    }.items():
        path = tmp_path / "edgepack" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = rooms(imports(modules(tmp_path)))
    assert found == {"edgepack": set(), "core": set(), "load": {"core"}, "cli": {"load", "core"}}
    assert direct(found)["cli"] == {"load"}
    assert floors(found) == [["core", "edgepack"], ["load"], ["cli"]]


def test_rooms_that_import_each_other_are_a_cycle() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert cycles(graph) == [["a", "b", "c"]]
    with pytest.raises(ValueError, match="a and b and c import each other"):
        floors(graph)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"`([\w./]+)`", (ROOT / page).read_text())
    paths = {name for name in named if "/" in name and "NAME" not in name}
    assert paths
    for name in sorted(paths - {"../shared/data/mlperf_tiny"}):
        places = [ROOT / name, ROOT / "edgepack" / name, *(ROOT / "edgepack").glob(f"*/{name}")]
        assert any(place.exists() for place in places), f"{page} names {name}, which is not there"
    for name in named:
        if name.startswith("edgepack.") and name != "edgepack.__all__":
            module, _, attribute = name.rpartition(".")
            assert name in MODULES or hasattr(importlib.import_module(module), attribute), name
