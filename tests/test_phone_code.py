"""The Kotlin and Swift classes of a model parse, and contain what the model needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import tree_sitter
import tree_sitter_kotlin
import tree_sitter_swift
from phones import CASES, phone_model, value

from edgepack.emit.phone.app_identifiers import class_name, file_stem, io_names
from edgepack.emit.phone.kotlin import kotlin_source
from edgepack.emit.phone.swift import swift_source


def syntax_errors(node: tree_sitter.Node) -> Iterator[str]:
    """Yield position and text of each syntax error below a node."""
    if node.type == "ERROR" or node.is_missing:
        yield f"{node.start_point}: {node.text!r}"
    for child in node.children:
        yield from syntax_errors(child)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_the_code_parses(name: str, language: str) -> None:
    write, grammar = {
        "kotlin": (kotlin_source, tree_sitter_kotlin),
        "swift": (swift_source, tree_sitter_swift),
    }[language]
    text = write(CASES[name])
    assert text == write(CASES[name])
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    assert not list(syntax_errors(parser.parse(text.encode()).root_node))
    assert "@" not in text  # all placeholders are filled in
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_strings_are_escaped() -> None:
    model = CASES["my-model \u2028 3"]
    assert r'"say \"no\"", "\$x \${y} \\(z)", "two\nlines"' in kotlin_source(model)
    assert r'"say \"no\"", "$x ${y} \\(z)", "two\nlines"' in swift_source(model)
    assert "\u2028" not in kotlin_source(model) + swift_source(model)
    labelled = replace(CASES["plain"], labels=("@name@", "a@b", *"cdefg"))
    assert '"@name@", "a@b", "c"' in kotlin_source(labelled)
    assert '"@name@", "a@b", "c"' in swift_source(labelled)


def test_more_labels_than_fit_into_a_jvm_class_are_split() -> None:
    labels = [f"label {i}" for i in range(4001)]
    model = phone_model("many", [value((4001,), "float32")], labels=labels)
    assert kotlin_source(model).count(": List<String> by listOf(") == 3
    assert "Labels0, Labels1, Labels2\n" in kotlin_source(model)
    for text in (kotlin_source(model), swift_source(model)):
        assert all(text.count(f'"{label}"') == 1 for label in labels)


def test_the_best_label_of_uint8_outputs_compares_unsigned_values() -> None:
    assert "values[it].toUByte()" in kotlin_source(replace(CASES["bytes"], labels=("a",) * 7))
    assert "toUByte" not in kotlin_source(replace(CASES["uint8"], labels=("a",) * 7))


def test_the_code_mentions_the_files_name() -> None:
    model = replace(CASES["plain"], name="\u96ea/v2")
    for text in (kotlin_source(model), swift_source(model)):
        assert text.startswith("// Runs \u96ea_v2.tflite on ")


def test_only_the_functions_that_the_project_file_needs_are_written() -> None:
    for text in (kotlin_source(CASES["plain"]), swift_source(CASES["plain"])):
        assert "preprocess" not in text
        assert "magnitudes" not in text
    assert "Bitmap" not in kotlin_source(CASES["logs"])
    assert "radix" in kotlin_source(CASES["logs"])
    assert "not a power of two" in kotlin_source(CASES["mfccs"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-model", "MyModel"),
        ("3d", "Model3d"),
        ("class", "ClassModel"),
        ("interpreter", "InterpreterModel"),
        ("\u96ea", "Model1"),
        ("x" * 300, "X" + "x" * 59),
        ('"; DROP', "DROP"),
        ("PI", "PIModel"),
        ("AutoCloseable", "AutoCloseableModel"),
    ],
)
def test_any_name_becomes_a_class_name(name: str, expected: str) -> None:
    assert class_name(name) == expected
    assert not {"/", '"', ";"} & set(file_stem(name))
    model = replace(CASES["plain"], name=name)
    assert f"class {expected}(" in kotlin_source(model)
    assert f"class {expected} {{" in swift_source(model)


def test_inputs_have_distinct_names() -> None:
    # The width of image inputA is the parameter inputAWidth.
    assert io_names("input", ["a", "a_width"]) == ["inputA", "inputAWidth2"]
    assert io_names("input", ["a height", "a"]) == ["inputAHeight", "inputA2"]
    assert io_names("input", ["a b", "a-b", "", "\u96ea"]) == [
        *("inputAB", "inputAB2", "input2", "input3")
    ]
