#!/usr/bin/env python3
"""Count the rooms of edgepack, and what they import of each other; draw them.

    .venv/bin/python scripts/rooms.py [FOLDER]                # of a checkout, this one if left out
    .venv/bin/python scripts/rooms.py --draw docs/rooms.svg   # the picture of docs/architecture.md

A room is a package or a module right below ``edgepack``. An arrow means that a room imports
another, however often; a cycle is a group of rooms that import each other in a loop.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("calibration", "targets")
"""Packages whose folders lie beside ``edgepack``, which only links to them."""

WIDTH, ROW, MARGIN = 820, 84, 24
BOX_HEIGHT, BOX_GAP, LETTER = 36, 70, 8.4
"""Sizes in the picture, in pixels; a letter is one of 14-pixel monospaced text."""

Graph = Mapping[str, set[str]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Find the modules of edgepack in a checkout, by their dotted names."""
    found = {}
    for folder in ("edgepack", *LINKED):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[0] == "edgepack" and parts[1] in LINKED:
                continue
            package = () if parts[0] == "edgepack" else ("edgepack",)
            found[".".join((*package, *parts)).removesuffix(".__init__")] = path
    return found


def loose_modules(paths: Mapping[str, Path]) -> list[str]:
    """Return the modules right below ``edgepack`` that are no packages."""
    return [
        name for name, path in paths.items() if name.count(".") == 1 and path.stem != "__init__"
    ]


def imports(paths: Mapping[str, Path]) -> dict[str, set[str]]:
    """Find which modules each module imports, at its top or within its functions."""
    return {name: _imported(path, paths.keys()) for name, path in paths.items()}


def _imported(path: Path, names: Iterable[str]) -> set[str]:
    known, found = set(names), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {whole if whole in known else node.module for whole in inner}
    return {name for name in found if name.split(".")[0] == "edgepack"}


def room(module: str) -> str:
    """Return the room that a module is in: ``edgepack`` for the package's own ``__init__``.

    >>> room("edgepack.report.plots.bars"), room("edgepack")
    ('report', 'edgepack')
    """
    return module.split(".")[1] if "." in module else module


def rooms(graph: Graph) -> dict[str, set[str]]:
    """Return which rooms each room imports, from what modules import."""
    found: dict[str, set[str]] = {room(module): set() for module in graph}
    for module, others in graph.items():
        found[room(module)] |= {room(other) for other in others} - {room(module)}
    return found


def cycles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other, the nodes of each in alphabetical order.

    >>> cycles({"a": {"b"}, "b": {"a", "c"}, "c": set()})
    [['a', 'b']]
    """
    reached = {node: _reached(graph, node) for node in graph}
    groups = {
        tuple(sorted(other for other in reached[node] if node in reached.get(other, ())))
        for node in graph
    }
    return [list(group) for group in sorted(groups) if group]


def _reached(graph: Graph, node: str) -> set[str]:
    found: set[str] = set()
    waiting = [*graph.get(node, ())]
    while waiting:
        if (other := waiting.pop()) not in found:
            found.add(other)
            waiting += graph.get(other, ())
    return found


def floors(graph: Graph) -> list[list[str]]:
    """Sort rooms into floors, from the ground up: each stands above all that it imports.

    Raises :class:`ValueError` for rooms that import each other.

    >>> floors({"cli": {"core", "load"}, "load": {"core"}, "core": set()})
    [['core'], ['load'], ['cli']]
    """
    if found := cycles(graph):
        raise ValueError(f"{' and '.join(found[0])} import each other")
    levels: dict[str, int] = {}
    while len(levels) < len(graph):
        for node in sorted(graph.keys() - levels.keys()):
            if graph[node] <= levels.keys():
                levels[node] = max((levels[other] + 1 for other in graph[node]), default=0)
    by_level = defaultdict(list)
    for node in sorted(graph):
        by_level[levels[node]].append(node)
    return [by_level[level] for level in sorted(by_level)]


def direct(graph: Graph) -> dict[str, set[str]]:
    """Leave out the arrows that others imply: A to C, where A imports B and B imports C.

    >>> direct({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}
    True
    """
    reached = {node: _reached(graph, node) for node in graph}
    return {
        node: {other for other in others if not any(other in reached[each] for each in others)}
        for node, others in graph.items()
    }


@dataclass(frozen=True, kw_only=True)
class Box:
    """A room in the picture: its name, what it is, and where it stands, in pixels."""

    name: str
    title: str
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        """The middle of its width, where arrows begin and end."""
        return self.x + self.width / 2


def draw(graph: Graph, titles: Mapping[str, str]) -> str:
    """Draw rooms as SVG, floor by floor; arrows that others imply are left out."""
    rows, boxes = floors(graph), {}
    arrows = direct(graph)
    height = len(rows) * ROW + 2 * MARGIN - (ROW - BOX_HEIGHT)
    for level, names in enumerate(rows):
        for box in _row(names, arrows, boxes, height - MARGIN - BOX_HEIGHT - level * ROW, titles):
            boxes[box.name] = box
    lines = [
        _arrow(boxes[name], boxes[other])
        for name in sorted(arrows)
        for other in sorted(arrows[name])
    ]
    drawn = [_box(boxes[name]) for names in rows for name in names]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
                ' font-family="monospace" font-size="14">'
            ),
            "<title>The rooms of edgepack: each imports from lower floors only</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *lines,
            *drawn,
            "</svg>\n",
        ]
    )


def _row(
    names: list[str], arrows: Graph, below: Mapping[str, Box], y: float, titles: Mapping[str, str]
) -> list[Box]:
    """Place the rooms of a floor, ordered by the mean position of what they import."""

    def preferred_x(name: str) -> float:
        others = [below[other].middle for other in arrows[name]]
        return sum(others) / len(others) if others else WIDTH / 2

    widths = {name: len(name) * LETTER + 24 for name in names}
    x = (WIDTH - sum(widths.values()) - BOX_GAP * (len(names) - 1)) / 2
    placed = []
    for name in sorted(names, key=lambda name: (preferred_x(name), name)):
        title = titles.get(name, "")
        placed.append(Box(name=name, title=title, x=x, y=y, width=widths[name]))
        x += widths[name] + BOX_GAP
    return placed


def _arrow(box: Box, other: Box) -> str:
    top, bottom = box.y + BOX_HEIGHT, other.y
    bend = (top + bottom) / 2
    return (
        f'<path d="M{box.middle:.1f} {top:.1f} C{box.middle:.1f} {bend:.1f}'
        f' {other.middle:.1f} {bend:.1f} {other.middle:.1f} {bottom:.1f}"'
        ' fill="none" stroke="#8a9bb0" stroke-width="1.2"/>'
    )


def _box(box: Box) -> str:
    return (
        f"<g><title>{escape(box.title)}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT}"'
        ' rx="5" fill="#eef3f9" stroke="#4a6785"/>'
        f'<text x="{box.middle:.1f}" y="{box.y + 23:.1f}" text-anchor="middle" fill="#16273a">'
        f"{escape(box.name)}</text></g>"
    )


def titles_of(paths: Mapping[str, Path]) -> dict[str, str]:
    """Return the first line of the docstring of each room."""
    found = {}
    for name, path in paths.items():
        if name.count(".") <= 1:
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found[room(name)] = text.split("\n")[0]
    return found


def main() -> int:
    """Print the counts, or write the picture; 1 if there are cycles."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--draw", type=Path, metavar="FILE")
    options = parser.parse_args()
    paths = modules(options.folder)
    of_modules = imports(paths)
    graph = rooms(of_modules)
    loose = len(loose_modules(paths))
    print(f"{len(graph)} rooms, {loose} of them single modules; {len(paths)} modules")
    print(f"{sum(map(len, graph.values()))} arrows between rooms")
    found = cycles(graph) + cycles(of_modules)
    print(f"{len(found)} cycles of rooms or modules")
    for cycle in found:
        print(f"  {' and '.join(cycle)} import each other")
    if options.draw and not found:
        options.draw.write_text(draw(graph, titles_of(paths)), encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
