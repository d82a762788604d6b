"""Settings refuse what does not fit in a sentence that says what to give, and do not change."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import edgepack
from edgepack.cli import cli
from edgepack.config.checked_settings import Settings
from edgepack.config.compression_step import CompressionStep
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.config.type_hints import choices
from edgepack.core.errors import ConfigError

REPORTS = ("Report", "Target")
OFFERED = [getattr(edgepack, name) for name in edgepack.__all__ if not name.endswith(REPORTS)]
KINDS = [each for each in OFFERED if is_dataclass(each)] + [Audio, Image, Preprocessing]
"""All classes of settings."""

MODEL = edgepack.NamedModel(path=Path("m.tflite"))
EXAMPLES: Mapping[Any, Any] = {
    Path: "m",
    str: "rp2040",
    Any: "data.npz",
    int: 8,
    tuple[edgepack.NamedModel, ...]: [MODEL],
}


def made(kind: Any, /, **settings: Any) -> Any:
    """Settings with a value for each that has no default, and others."""
    hints = get_type_hints(kind)
    needed = [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]
    if kind is edgepack.LintConfig:
        needed.append("representative")
    return kind(**{name: EXAMPLES[hints[name]] for name in needed} | settings)


def settings_of(*hints: Any) -> list[tuple[Any, str]]:
    """The settings of all classes that may have a value of one of these types."""
    return [
        (kind, name)
        for kind in KINDS
        for name, hint in get_type_hints(kind).items()
        if name in kind.__dataclass_fields__ and set(hints) & set(choices(hint))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_of_settings_is_checked(kind: Any) -> None:
    assert issubclass(kind, Settings)
    assert made(kind) == made(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_help_names_each_setting_also_those_that_are_inherited(kind: Any) -> None:
    told = inspect.getdoc(kind) or ""
    assert not [each.name for each in fields(kind) if f"``{each.name}``" not in told]


@pytest.mark.parametrize(("name", "one"), [("bits", 8), ("roundings", "nearest")])
def test_a_study_of_nothing_is_refused_and_accepted_as_advised(name: str, one: object) -> None:
    said = f"^{name} is empty: name at least one, or leave it out for all$"
    with pytest.raises(ConfigError, match=said):
        made(edgepack.StudyConfig, test="x.npz", **{name: ()})
    made(edgepack.StudyConfig, test="x.npz", **{name: [one]})
    assert getattr(made(edgepack.StudyConfig, test="x.npz"), name)


@pytest.mark.parametrize("value", [np.zeros(3), object(), b"x", [[object()]], {1: 2}], ids=type)
@pytest.mark.parametrize(("kind", "name"), settings_of(int, float, str, bool, Path))
def test_values_of_other_types_are_refused_by_name(kind: Any, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{kind.__name__}: {name} must be [a-z ,]+, not ."):
        made(kind, **{name: value})


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**5000], ids=["+", "-", "unprintable"])
@pytest.mark.parametrize(("kind", "name"), settings_of(int, float))
def test_huge_numbers_are_refused_and_smaller_ones_taken_as_advised(
    kind: Any, name: str, number: int
) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*number, .*; give a number of fewer"):
        made(kind, **{name: number})
    said = ""
    try:
        made(kind, **{name: 10**15})
    except ConfigError as error:  # it is out of range, which is another sentence
        said = str(error)
    assert "fewer digits" not in said
    assert f"{name} must be a" not in said


def test_numbers_of_any_kind_are_accepted() -> None:
    budgets = edgepack.Budgets(max_drop=Fraction(1, 2), min_sqnr=np.int8(20))  # type: ignore[arg-type]
    assert (budgets.max_drop, budgets.min_sqnr) == (0.5, 20.0)
    assert {type(budgets.max_drop), type(budgets.min_sqnr)} == {float}


@pytest.mark.parametrize(("kind", "name"), settings_of(str, Path, Any))
def test_paths_and_text_with_a_nul_character_are_refused(kind: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} .* 'a\\x00b'; leave the NUL character out"):
        made(kind, **{name: "a\0b"})


@pytest.mark.parametrize(("kind", "name"), settings_of(Path))
def test_paths_that_the_system_cannot_encode_are_refused(kind: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must be a path, not '\\ud800'; rename it"):
        made(kind, **{name: "\ud800"})


def test_a_single_value_is_put_in_a_list_as_advised() -> None:
    for kind, name, given in (
        (edgepack.ExportConfig, "targets", "rp2040"),
        (edgepack.CompareConfig, "candidates", MODEL),
        (edgepack.ExportConfig, "compress", edgepack.Prune()),
    ):
        with pytest.raises(ConfigError, match=rf"{name} must be a list.*; give a list: \["):
            made(kind, **{name: given})
        assert getattr(made(kind, **{name: [given]}), name) == (given,)


def test_a_message_says_what_to_give() -> None:
    for kind, name, given, said in (
        (edgepack.CompareConfig, "candidates", ["m.tflite"], "item edgepack.NamedModel(path=...)"),
        (edgepack.ExportConfig, "compress", ["prune"], "a list, each item edgepack.Prune(...)"),
        (edgepack.ExportConfig, "budgets", {"max_drop": 1}, "must be edgepack.Budgets(...), not"),
        (edgepack.FirmwareConfig, "labels", "l.txt", "a table or dict, each value a path, not"),
        (edgepack.Prune, "n_of_m", 2, "must be a list of a whole number and a whole number"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            made(kind, **{name: given})


def test_settings_are_not_changed_by_what_was_given() -> None:
    labels = {"": "a.txt"}
    config = made(edgepack.FirmwareConfig, labels=labels)
    labels["other"] = "b.txt"
    assert config.labels == {"": Path("a.txt")}
    with pytest.raises(TypeError):
        config.labels["other"] = Path("b.txt")


@pytest.mark.parametrize("kind", KINDS)
def test_settings_can_be_hashed_and_pickled(kind: Any) -> None:
    config = made(kind)
    assert hash(config) == hash(made(kind))
    assert pickle.loads(pickle.dumps(config)) == config
    assert replace(config) == config


def test_settings_with_samples_are_equal_if_they_have_the_same() -> None:
    samples, others = np.zeros(3), np.zeros(3)
    for given, other in (
        (samples, others),
        ({"x": samples}, {"x": others}),
        ((samples, samples), (samples, others)),
    ):
        config = made(edgepack.ExportConfig, representative=given)
        assert config == made(edgepack.ExportConfig, representative=given)
        assert config != made(edgepack.ExportConfig, representative=other)
        assert hash(config) == hash(replace(config))
    firmware = made(edgepack.FirmwareConfig, tests={"": samples})
    assert firmware == replace(firmware)
    assert firmware != made(edgepack.FirmwareConfig, tests={"": others})


@pytest.mark.parametrize("verbose", ["no", np.ones(2), None, 1])
@pytest.mark.parametrize("name", ["validate", "export", "doctor"])
def test_verbose_is_true_or_false(name: str, verbose: Any) -> None:
    arguments = [] if name == "doctor" else [made(getattr(edgepack, f"{name.title()}Config"))]
    with pytest.raises(
        ConfigError, match=rf"^edgepack\.{name}: verbose must be True or False, not"
    ):
        getattr(edgepack, name)(*arguments, verbose=verbose)


def test_a_step_of_no_technique_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"is no technique: give edgepack\.Prune\("):
        CompressionStep()
    assert edgepack.Prune(sparsity=0.5).technique == "prune"


@pytest.mark.parametrize("progress", [object(), 3, "bar", edgepack.Progress])
@pytest.mark.parametrize("name", sorted(cli.commands.keys() - {"targets"}))
def test_a_progress_without_steps_is_refused_before_any_work(name: str, progress: Any) -> None:
    function = getattr(edgepack, name)
    config = [] if name == "doctor" else [made(getattr(edgepack, f"{name.title()}Config"))]
    if "progress" not in inspect.signature(function).parameters:
        with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword"):
            function(*config, progress=progress)
        return
    message = rf"^edgepack\.{name}: progress must have a method step\(label\), not be .*; leave"
    for arguments, keywords in (([*config, progress], {}), (config, {"progress": progress})):
        with pytest.raises(ConfigError, match=message):
            function(*arguments, **keywords)
