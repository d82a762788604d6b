"""What is loaded only computes: models of every kind get through, hostile ones do not."""

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
    """What came of SavedModels that reach outside themselves (tests/hostile_models.py)."""
    found: dict[str, Any] = json.loads(python(ROOT / "tests" / "hostile_models.py").stdout)
    return found


@pytest.mark.parametrize(
    ("model", "said"),
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
        ("operator anew", "redefines the operator Relu"),
        ("give_a_sparse_tensor_by_the_saver", "outside its saver"),
        ("restore_from_elsewhere", "the operator RestoreV2 outside its saver"),
        ("hand_on_an_operator", "calls 'ReadFile', which is refused: it is no function of the"),
        ("linked", "is a link that leads out of the folder"),
        ("metadata", "holds a Lambda layer"),
        ("blanks", "holds a Lambda layer"),
        ("escapes", "holds a Lambda layer"),
        ("in objects", "holds a Lambda layer"),
    ],
)
def test_a_saved_model_that_reaches_outside_is_refused(
    hostile: dict[str, Any], model: str, said: str
) -> None:
    assert said in (hostile["refused"][model] or "not refused")


def test_saved_models_whose_saver_alone_reaches_files_are_loaded(hostile: dict[str, Any]) -> None:
    assert hostile["refused"]["harmless"] is None
    assert hostile["refused"]["of TensorFlow 1"] is None


def test_no_payload_has_run(hostile: dict[str, Any]) -> None:
    assert hostile["marks"] == []


@pytest.mark.parametrize(
    ("operator", "is_refused"),
    [("FlexWriteFile", True), ("FlexNewOperator", True), ("MINE", False)],
)
def test_a_tflite_file_lets_tensorflow_run_only_what_computes(
    operator: str, is_refused: bool
) -> None:
    value = Value((1, 4))
    model = read_tflite(one_operator(operator, [value], [value]))
    with (
        pytest.raises(UnsafeModelError, match="holds the operator") if is_refused else nullcontext()
    ):
        require_pure_operators(Path("model.tflite"), model)


def test_the_operator_that_tensorflow_runs_is_looked_at_whatever_it_is_called(
    hostile: dict[str, Any],
) -> None:
    assert hostile["flex"] == {
        "Erf": None,
        "ReadFile": "model.tflite: its graph holds the operator 'ReadFile'",
        "no node": "model.tflite: damaged .tflite file: the options of FlexErf cannot be read",
    }


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_models_of_every_kind_of_layer_are_loaded(package: str) -> None:
    found = json.loads(python(ROOT / "tests" / "layer_kinds.py", package).stdout)
    assert {name: why for name, why in found.items() if why} == {}
    assert len(found) > 100


def test_the_lists_are_those_of_the_installed_packages() -> None:
    # After an update: scripts/allowed.py, and look at the difference.
    code = (
        "import json, sys; sys.path.insert(0, 'scripts'); import allowed;"
        "print(json.dumps(allowlist.derive()))"
    )
    derived = json.loads(python("-c", code, cwd=ROOT).stdout)
    listed = json.loads((ROOT / "edgepack" / "load" / "allowlist.json").read_text())
    if derived["made_of"] == listed["made_of"]:
        assert derived == listed
    else:  # older packages than those of the lists
        assert allowed_names(derived) - allowed_names(listed) == set()


def allowed_names(lists: dict[str, Any]) -> set[tuple[str, ...]]:
    """All that is allowed, with its part and its modules."""
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


def test_every_rule_of_what_is_left_out_leaves_something_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import allowed_rules as rules

    layers = {**allowlist.kit("keras").left_out, **allowlist.kit("tf_keras").left_out}
    operators = allowlist.operators()
    for patterns, names in (
        (rules.LAYERS | rules.OPERATIONS, layers),
        (rules.FUNCTIONS, [*allowlist.functions().left_out, *UNNAMED]),
        (rules.OPERATORS, operators.left_out),
        (dict.fromkeys(rules.STATES, ""), operators.allowed),
    ):
        matched = {each: [n for n in names if re.fullmatch(each, n)] for each in patterns}
        assert [pattern for pattern, its in matched.items() if not its] == []


UNNAMED = {"map", "fori_loop", "vectorize", "custom_gradient"}
"""Functions of Keras 3 that are left out; its list has those that are not."""


def test_a_name_that_nobody_has_looked_at_is_not_allowed() -> None:
    assert (
        allowlist.operators().why_not("NewOperator") == "it is not known to compute and do no more"
    )
    assert allowlist.functions().why_not("nn.relu") is None
    assert allowlist.functions().why_not("compat.v1.io.gfile.copy") == "it reads or writes files"
    assert not allowlist.kit("keras").has_class("NewLayer", None)


def test_every_list_is_packaged() -> None:
    assert (ROOT / "edgepack" / "load" / "allowlist.json").is_file()
    assert "edgepack.load = allowlist.json" in (ROOT / "setup.cfg").read_text()
