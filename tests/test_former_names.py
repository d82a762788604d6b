"""Former names of edgepack's public interface still work, with a warning that has the new name."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from export_reports import EXPORT
from report_differences import Write
from tiny import Value, one_operator

import edgepack
from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import FORMER_MODULES, FORMER_NAMES

BEFORE = {
    "edgepack.app": ["App"],
    "edgepack.budgets": ["Budgets"],
    "edgepack.build": ["Build", "Source"],
    "edgepack.compress.prune_settings": ["Prune"],
    "edgepack.errors": ["EdgepackError"],
    "edgepack.gate": ["Gate"],
    "edgepack.pipeline.compare": ["compare"],
    "edgepack.pipeline.diff": ["diff"],
    "edgepack.pipeline.export": ["export"],
    "edgepack.pipeline.firmware": ["firmware"],
    "edgepack.pipeline.inspect": ["inspect"],
    "edgepack.pipeline.phone": ["phone"],
    "edgepack.pipeline.validate": ["validate"],
    "edgepack.recipe": ["FineTune", "Recipe", "Schedule"],
    "edgepack.report": ["Report"],
    "edgepack.report.comparison": ["ComparisonReport"],
    "edgepack.report.difference": ["Difference"],
    "edgepack.report.firmware": ["FirmwareReport"],
    "edgepack.report.inspection": ["Inspection"],
    "edgepack.report.phone": ["PhoneReport"],
    "edgepack.report.validation": ["ValidationReport"],
    "edgepack.schemes": ["Quantization"],
    "edgepack.trial": ["Trial"],
}
"""All public names of ``edgepack`` before modules were moved, by the module that defined them."""

NAMES = [(module, name) for module, names in BEFORE.items() for name in names]


@pytest.fixture(autouse=True)
def none_is_loaded() -> None:
    for module in FORMER_MODULES:
        sys.modules.pop(module, None)
        vars(edgepack).pop(module.removeprefix("edgepack."), None)


@pytest.mark.parametrize("name", [name for _, name in NAMES])
def test_every_former_name_of_edgepack_is_still_there(name: str) -> None:
    current = FORMER_NAMES["edgepack"].get(name, name)
    if name == current:
        assert name in edgepack.__all__
        return
    with pytest.warns(DeprecationWarning, match=f"{name} is now edgepack.{current}"):
        assert getattr(edgepack, name) is getattr(edgepack, current)


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_former_name_is_still_in_the_module_that_defined_it(module: str, name: str) -> None:
    current = getattr(edgepack, FORMER_NAMES["edgepack"].get(name, name))
    if module not in FORMER_MODULES and module != "edgepack.report":
        assert getattr(importlib.import_module(module), name) is current
        return
    with pytest.warns(DeprecationWarning, match="is now"):
        assert getattr(importlib.import_module(module), name) is current


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in FORMER_NAMES.items() for name in names]
)
def test_every_former_name_can_be_imported(module: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match="is now"):
        assert getattr(importlib.import_module(module), name).__module__.startswith("edgepack.")


@pytest.mark.parametrize(("former", "current"), FORMER_MODULES.items())
def test_every_former_module_can_be_imported(former: str, current: str) -> None:
    with pytest.warns(DeprecationWarning, match="is now") as warned:
        module = importlib.import_module(former)
    assert f"{former} is now {current}" in [str(each.message) for each in warned]
    for name in module.__all__:
        getattr(module, name)


def test_an_import_warns_once() -> None:
    with pytest.warns(DeprecationWarning, match="is now") as warned:
        from edgepack import Recipe
    assert [str(each.message) for each in warned] == ["Recipe is now edgepack.ExportConfig"]
    assert Recipe is edgepack.ExportConfig
    with pytest.warns(DeprecationWarning, match="is now") as warned:
        from edgepack.report import Report  # type: ignore[attr-defined]
    assert [str(each.message) for each in warned] == ["Report is now edgepack.ExportReport"]
    assert Report is edgepack.ExportReport


@pytest.mark.parametrize("given", [("a",), ("a", "b", "c")])
def test_another_number_of_paths_than_before_is_refused_by_name(given: tuple[str, ...]) -> None:
    with pytest.raises((ConfigError, TypeError), match=r"diff.* (takes|got)") as refused:
        edgepack.diff(*given)  # type: ignore[arg-type]
    assert "lambda" not in str(refused.value)


def test_a_warning_names_the_line_of_the_user(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from edgepack import Trial\nfrom edgepack.recipe import Recipe\n")
    done = subprocess.run(
        [sys.executable, "-W", "always", script], capture_output=True, text=True, check=True
    )
    assert "script.py:1: DeprecationWarning: Trial is now edgepack.CompareConfig" in done.stderr
    assert "script.py:2: DeprecationWarning: edgepack.recipe is now" in done.stderr


def test_names_that_never_existed_are_errors() -> None:
    with (
        pytest.warns(DeprecationWarning, match="is now"),
        pytest.raises(ImportError, match="Receipt"),
    ):
        from edgepack.recipe import Receipt  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"edgepack\.receipt"):
        importlib.import_module("edgepack.receipt")
    with pytest.raises(AttributeError, match="Receipt"):
        _ = edgepack.report.Receipt  # type: ignore[attr-defined]


def test_arguments_are_accepted_by_their_former_names() -> None:
    file = Path("edgepack.toml")
    with pytest.warns(DeprecationWarning, match="recipe_file of ExportConfig is now project_file"):
        config = edgepack.ExportConfig(  # type: ignore[call-arg]
            model=Path("m.h5"), output=Path("o"), recipe_file=file
        )
    assert config.project_file == file
    with pytest.warns(DeprecationWarning, match="recipe_files of FirmwareConfig is now"):
        firmware = edgepack.FirmwareConfig(  # type: ignore[call-arg]
            models=(edgepack.NamedModel(path=Path("m.tflite")),),
            target="rp2040",
            output=Path("o"),
            recipe_files={"": file},
        )
    assert firmware.project_files == {"": file}
    with pytest.warns(DeprecationWarning, match="recipe_file of ExportConfig is now project_file"):
        other = replace(config, recipe_file=Path("b.toml"))
    with pytest.warns(DeprecationWarning, match="recipe_file is now project_file"):
        assert other.recipe_file == Path("b.toml")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("function", "keyword"),
    [
        (edgepack.compare, "trial"),
        (edgepack.export, "recipe"),
        (edgepack.validate, "gate"),
        (edgepack.firmware, "build"),
        (edgepack.phone, "app"),
    ],
)
def test_functions_accept_their_configuration_by_its_former_keyword(
    function: Callable[..., object], keyword: str
) -> None:
    with (
        pytest.warns(DeprecationWarning, match=f"{keyword} of .* is now config"),
        pytest.raises(ConfigError, match="takes an edgepack"),  # None is no configuration
    ):
        function(**{keyword: None})


def test_functions_of_files_accept_paths_as_before(write_report: Write, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(one_operator("RELU", [Value((1, 4))], [Value((1, 4))]))
    config = edgepack.InspectConfig(model=model)
    given: Any
    for given in (lambda: edgepack.inspect(str(model)), lambda: edgepack.inspect(path=model)):
        with pytest.warns(DeprecationWarning, match=r"\(path\) is now inspect\(InspectConfig"):
            assert given() == edgepack.inspect(config)
    a, b = write_report("a", EXPORT), write_report("b", EXPORT)
    with pytest.warns(DeprecationWarning, match=r"diff\(a, b\) is now diff\(DiffConfig"):
        difference = edgepack.diff(a, b)  # type: ignore[arg-type]
    assert difference == edgepack.diff(edgepack.DiffConfig(a=a, b=b))


def test_a_former_name_depends_on_its_module() -> None:
    with pytest.warns(DeprecationWarning, match="is now"):
        from edgepack.build import Source
    with pytest.warns(DeprecationWarning, match="is now"):
        from edgepack.recipe import Source as SourceOfRecipe
    assert (Source, SourceOfRecipe) == (edgepack.NamedModel, ModelSource)
    names: dict[str, object] = {}
    exec("from edgepack.recipe import *", names)
    assert {"Source", "Recipe", "Prune"} & names.keys() == {"Source", "Recipe"}


def test_a_former_module_is_an_attribute_of_edgepack() -> None:
    with pytest.warns(DeprecationWarning, match=r"edgepack\.errors is now"):
        assert edgepack.errors.EdgepackError is edgepack.EdgepackError  # type: ignore[attr-defined]


def test_an_error_is_caught_by_its_former_name() -> None:
    with pytest.warns(DeprecationWarning, match=r"edgepack\.errors is now"):
        from edgepack.errors import RecipeError
    assert RecipeError is ConfigError
