"""Finds the sentences in which edgepack advises something."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from conftest import ROOT

VERBS = (
    "add|allow|ask|build|calibrate|call|change|check|choose|compare|compress|compute|"
    "concatenate|convert|copy|count|create|describe|divide|download|draw|drop|end|exclude|"
    "export|feed|find|fix|fold|free|give|install|keep|label|leave|let|look|lower|make|move|"
    "multiply|name|number|pad|pass|prepare|provide|prune|put|quantize|raise|rebuild|record|"
    "reduce|remove|rename|repair|replace|resize|rescale|reverse|run|save|scale|select|separate|"
    "set|show|shuffle|split|standardize|subtract|swap|take|test|train|unroll|upgrade|use|wait|"
    "work|write"
)
ADVICE = re.compile(
    rf"(?:^|[;:,] (?:for [\w ]+)?|\. |\b(?:or|and|else|instead) )(?:{VERBS})\b"
    r"|did you mean|similar |pip install|(?<![\w-])--[a-z]"
    r"|edgepack (?:compare|debug|export|phone|quantize|targets|validate)",
    re.IGNORECASE,
)
"""A clause that begins with an imperative, or an option or a command that is named."""


def advising_strings() -> dict[str, set[str]]:
    """Return the strings that advise something, by the path of their file.

    A value in an f-string is written as {}. Docstrings, the help of options and text of several
    lines, which is a file that edgepack writes, are no advice about a complaint.
    """
    found = defaultdict(set)
    for path in (*ROOT.glob("edgepack/**/*.py"), *ROOT.glob("calibration/**/*.py")):
        for text in _strings(ast.parse(path.read_text())):
            if " " in text and "\n" not in text and ADVICE.search(text):
                found[path.relative_to(ROOT).as_posix()].add(text)
    return dict(found)


def _strings(node: ast.AST) -> Iterator[str]:
    if (text := _text(node)) is not None:
        yield text
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and _text(child.value) is not None
        is_part = isinstance(node, ast.JoinedStr) and _text(child) is not None
        is_help = isinstance(child, ast.keyword) and child.arg == "help"
        if not (is_docstring or is_part or is_help):
            yield from _strings(child)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return None
