"""Loading only computes: models of every kind are loaded, hostile ones are rejected."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, python
from tiny import Value, one_operator

from edgepack.core.errors import UnsafeModelError
from edgepack.load import allowlist
from edgepack.load.graphs import require_pure_operators
from edgepack.tflite.parser import read_tflite


@pytest.fixture(scope="module")
def hostile() -> dict[str, Any]:
    """Results of loading SavedModels that do more than compute (tests/hostile_models.py)."""
    results: dict[str, Any] = json.loads(python(ROOT / "tests" / "hostile_models.py").stdout)
    return results


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("prints", "the operator PrintV2"),
        ("caches", "the operator TensorDataset"),
        ("reads", "the operator ReadFile"),
        ("writes", "the operator WriteFile"),
        ("calls_python", "the operator EagerPyFunc"),
        ("maps", "the operator ImmutableConst"),
        ("looks_up", "the operator InitializeTableFromTextFileV2"),
        ("merges", "the operator MergeV2Checkpoints outside its saver"),
        ("saves", "the operator SaveV2 outside its saver"),
        ("restores", "the operator RestoreV2 outside its saver"),
        ("in_a_branch", "the operator ReadFile"),
        ("in_a_loop", "the operator WriteFile"),
        ("signature that saves", "outside its saver"),
        ("redefined operator", "redefines the operator Relu"),
        ("output_sparse_tensor_of_saver", "outside its saver"),
        ("restore_from_elsewhere", "the operator RestoreV2 outside its saver"),
        (
            "pass_operator_as_function",
            "calls 'ReadFile', which is not allowed: it is not a function of the graph",
        ),
        ("linked", "is a link that leads out of the folder"),
        ("metadata", "contains a Lambda layer"),
        ("blanks", "contains a Lambda layer"),
        ("escapes", "contains a Lambda layer"),
        ("in objects", "contains a Lambda layer"),
    ],
)
def test_a_saved_model_that_does_more_than_compute_is_rejected(
    hostile: dict[str, Any], model: str, message: str
) -> None:
    assert message in (hostile["errors"][model] or "loaded")


def test_saved_models_whose_saver_alone_accesses_files_are_loaded(hostile: dict[str, Any]) -> None:
    assert hostile["errors"]["harmless"] is None
    assert hostile["errors"]["of TensorFlow 1"] is None


def test_no_payload_was_executed(hostile: dict[str, Any]) -> None:
    assert hostile["marks"] == []


@pytest.mark.parametrize(
    ("operator", "is_rejected"),
    [("FlexWriteFile", True), ("FlexNewOperator", True), ("MINE", False)],
)
def test_a_tflite_file_makes_tensorflow_run_only_what_computes(
    operator: str, is_rejected: bool
) -> None:
    value = Value((1, 4))
    model = read_tflite(one_operator(operator, [value], [value]))
    rejected = pytest.raises(UnsafeModelError, match="contains the operator")
    with rejected if is_rejected else nullcontext():
        require_pure_operators(Path("model.tflite"), model)


def test_the_operator_that_tensorflow_runs_is_checked_whatever_its_name(
    hostile: dict[str, Any],
) -> None:
    assert hostile["flex"] == {
        "Erf": None,
        "ReadFile": "model.tflite: its graph contains the operator 'ReadFile'",
        "no node": "model.tflite: damaged .tflite file: the options of FlexErf cannot be read",
    }


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_models_of_every_kind_of_layer_are_loaded(package: str) -> None:
    errors = json.loads(python(ROOT / "tests" / "layer_kinds.py", package).stdout)
    assert {name: error for name, error in errors.items() if error} == {}
    assert len(errors) > 100


def test_the_lists_are_those_of_the_installed_packages() -> None:
    # After an update, run scripts/allowed.py and review the difference.
    code = (
        "import json, sys; sys.path.insert(0, 'scripts'); import allowed;"
        "print(json.dumps(allowed.derive()))"
    )
    derived = json.loads(python("-c", code, cwd=ROOT).stdout)
    listed = json.loads((ROOT / "edgepack" / "load" / "allowlist.json").read_text())
    if derived["made_of"] == listed["made_of"]:
        assert derived == listed
    else:  # the installed packages are older
        assert allowed_names(derived) - allowed_names(listed) == set()


def allowed_names(lists: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return all allowed names with their part of the lists and their modules."""
    classes = {
        (package, kind, name, module)
        for package in ("keras", "tf_keras")
        for kind in ("classes", "functions")
        for name, modules in lists[package][kind].items()
        for module in modules
    }
    named = {(part, name) for part in ("functions", "operators") for name in lists[part]["allowed"]}
    old = {("functions", "compat.v1", name) for name in lists["functions"]["of_compat_v1"]}
    return classes | named | old


def test_every_rule_matches_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import allowed_rules as rules

    keras, tf_keras = map(allowlist.allowed_keras_names, ("keras", "tf_keras"))
    operators = allowlist.allowed_operators()
    for patterns, names in (
        (rules.LAYERS | rules.OPERATIONS, {**keras.left_out, **tf_keras.left_out}),
        (rules.FUNCTIONS, [*allowlist.allowed_functions().left_out, *UNLISTED]),
        (rules.OPERATORS, operators.left_out),
        (dict.fromkeys(rules.STATES, ""), operators.allowed),
    ):
        unused = [each for each in patterns if not any(re.fullmatch(each, n) for n in names)]
        assert unused == []


UNLISTED = {"map", "fori_loop", "vectorize", "custom_gradient"}
"""Functions of Keras 3 that are left out; its list contains only allowed ones."""


def test_an_unknown_name_is_not_allowed() -> None:
    functions, operators = allowlist.allowed_functions(), allowlist.allowed_operators()
    assert operators.why_not("NewOperator") == "it is not known to only compute"
    assert functions.why_not("nn.relu") is None
    assert functions.why_not("compat.v1.io.gfile.copy") == "it reads or writes files"
    assert not allowlist.allowed_keras_names("keras").has_class("NewLayer", None)


def test_every_list_is_packaged() -> None:
    assert (ROOT / "edgepack" / "load" / "allowlist.json").is_file()
    assert "edgepack.load = allowlist.json" in (ROOT / "setup.cfg").read_text()
