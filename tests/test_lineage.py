"""A file that was not made from the float model it is compared with is said to be another's."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from conftest import INTERPRETERS, PHONE
from numpy.typing import NDArray

from edgepack.config.budgets import Budgets
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.config.validate import ValidateConfig
from edgepack.layer_errors.match_weights import Likeness, match_weights
from edgepack.pipeline.comparison.cached_runs import Samples
from edgepack.pipeline.comparison.compare import compare
from edgepack.pipeline.comparison.reference import ReferenceModel
from edgepack.pipeline.validation.lineage import as_source, lineage_notes
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file
from edgepack.pipeline.validation.validate import validate
from edgepack.report.pages.validate import validation_document
from edgepack.report.sections.verdict import verdict_headline
from edgepack.report.text.compare import render_comparison
from edgepack.report.text.github import render_github
from edgepack.report.text.validate import render_validation
from edgepack.storage.artifact import describe_all
from edgepack.storage.manifest import RECIPE, Manifest, find_source
from edgepack.storage.provenance import describe_data
from edgepack.tflite.parser import read_tflite

Array = NDArray[Any]
CLASSES, VALUES = 8, 32


def weights(seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(CLASSES, VALUES)).astype(np.float32)


def dense(values: Array, kind: str = "float32", *, clip: float = 1.0) -> bytes:
    """Return a model of a dense layer; the largest weights are clipped to a fraction of theirs."""
    ends = [tiny.Value((1, VALUES)), tiny.Value((1, CLASSES))]
    stored = tiny.Value(values.shape, kind, values=values)
    if kind in _LARGEST:
        scale = clip * np.abs(values).max() / _LARGEST[kind]
        integers = np.clip(np.round(values / scale), -_LARGEST[kind], _LARGEST[kind])
        stored = tiny.Value(values.shape, kind, float(scale), values=integers)
        ends = [tiny.Value((1, VALUES), "int8", 0.05), tiny.Value((1, CLASSES), "int8", 0.3)]
    return tiny.one_operator(
        "FULLY_CONNECTED", [ends[0], stored, None], ends[1:], table="FullyConnectedOptions"
    )


_LARGEST = {"int8": 127, "int4": 7}


def pruned(values: Array) -> Array:
    """Return weights of which the smaller half is zero."""
    return np.where(np.abs(values) < np.median(np.abs(values)), 0, values).astype(np.float32)


def trained_on(values: Array) -> Array:
    """Return weights as they are after a few more epochs."""
    return values + 0.1 * weights(seed=9)


def likeness(float_model: bytes, model: bytes) -> list[Likeness]:
    return list(match_weights(*map(read_tflite, (float_model, model))).values())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (dense(weights(0), "int8"), Likeness.SAME),
        (dense(weights(0), "int4"), Likeness.SAME),
        (dense(weights(0), "int4", clip=0.5), Likeness.SAME),
        (dense(weights(0)), Likeness.SAME),
        (dense(weights(0) * np.arange(1, CLASSES + 1)[:, np.newaxis], "int8"), Likeness.SAME),
        (dense(pruned(weights(0)), "int8"), Likeness.PRUNED),
        (dense(pruned(weights(0))), Likeness.PRUNED),
        (dense(trained_on(weights(0)), "int8"), Likeness.CHANGED),
        (dense(trained_on(weights(0))), Likeness.CHANGED),
        (dense(weights(1), "int8"), Likeness.OTHER),
        (dense(weights(1), "int4"), Likeness.OTHER),
        (dense(weights(1)), Likeness.OTHER),
        (dense(-weights(0), "int8"), Likeness.OTHER),
        (dense(weights(0)[::-1], "int8"), Likeness.OTHER),
    ],
    ids=[
        *("int8", "int4", "clipped int4", "float", "other factors", "pruned int8", "pruned float"),
        *("trained on, int8", "trained on, float", "another int8", "another int4", "another float"),
        *("negated", "other order of classes"),
    ],
)
def test_weights_are_the_same_pruned_changed_or_others(model: bytes, expected: Likeness) -> None:
    assert likeness(dense(weights(0)), model) == [expected]


def test_few_or_constant_weights_are_not_judged() -> None:
    few = tiny.one_operator(
        "FULLY_CONNECTED",
        [tiny.Value((1, 3)), tiny.Value((2, 3), values=np.arange(6)), None],
        [tiny.Value((1, 2))],
        table="FullyConnectedOptions",
    )
    assert likeness(dense(weights(0)), few) == []
    assert likeness(dense(weights(0)), dense(np.zeros((CLASSES, VALUES)))) == []


def test_a_model_of_another_size_is_another_one() -> None:
    wider = tiny.one_operator(
        "FULLY_CONNECTED",
        [tiny.Value((1, 64)), tiny.Value((8, 64), values=np.arange(512)), None],
        [tiny.Value((1, 8))],
        table="FullyConnectedOptions",
    )
    assert likeness(dense(weights(0)), wider) == [Likeness.OTHER]


@dataclass(frozen=True)
class Files:
    """Writes models, as edgepack leaves them or anybody else does."""

    folder: Path

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def export(
        self,
        name: str,
        source: Path,
        *,
        weighing: Array | None = None,
        is_pruned: bool = False,
    ) -> Path:
        """Write the folder of an export from ``source``; returns its int8.tflite."""
        values = weights(0) if weighing is None else weighing
        values = pruned(values) if is_pruned else values
        self.write(f"{name}/float.tflite", dense(values))
        path = self.write(f"{name}/int8.tflite", dense(values, "int8"))
        steps = [{"technique": "prune", "sparsity": 0.5}] if is_pruned else []
        recipe = {
            "model": describe_data(source),
            "compress": steps,
            "quantization": {"scheme": "int8"},
        }
        Manifest(
            command="export",
            artifacts=describe_all(path.parent),
            request={RECIPE: recipe},
            versions={"edgepack": "0"},
        ).write(path.parent)
        return path


@pytest.fixture
def given(tmp_path: Path) -> Files:
    return Files(tmp_path)


def notes(path: Path, float_path: Path) -> str:
    """What is said of a file when it is compared with a float model."""
    float_file = read_file(float_path)
    return "\n".join(
        lineage_notes(read_file(path), as_source(float_file), lambda: float_file.model)
    )


def test_a_file_of_the_float_model_has_no_note(given: Files) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    exported = given.export("build", source)
    copied = given.write("copied.tflite", exported.read_bytes())
    for path in (exported, copied):
        for reference in (source, exported.with_name("float.tflite")):
            assert notes(path, reference) == ""


def test_a_float_file_in_the_place_of_a_quantized_one_is_said(given: Files) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    copied = given.write("copied.tflite", source.read_bytes())
    assert notes(copied, source) == (
        "warning: copied.tflite is not quantized: what it loses is not lost by quantization"
    )


def test_a_file_of_another_model_is_said_with_its_true_source(given: Files) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    exported = given.export(
        "build", given.write("other.tflite", dense(weights(1))), weighing=weights(1)
    )
    told = notes(exported, source)
    assert told == (
        "warning: int8.tflite was made from another model than kws.tflite: all layers have other"
        " weights; what it loses is not lost by quantization alone, and its manifest says that it"
        " was made from other.tflite: compare it with that"
    )
    copied = given.write("copied.tflite", exported.read_bytes())
    assert notes(copied, source).endswith("compare it with the one that it was made from")
    assert notes(exported, exported.with_name("float.tflite")) == ""


def test_files_of_the_same_name_are_told_apart_by_their_content(given: Files) -> None:
    exported = given.export(
        "build", given.write("model.tflite", dense(weights(1))), weighing=weights(1)
    )
    true_source = (given.folder / "model.tflite").read_bytes()
    reference = given.write("model.tflite", dense(weights(0)))
    told = notes(exported, reference)
    ours, theirs = (sha256(data).hexdigest()[:12] for data in (reference.read_bytes(), true_source))
    assert f"another model than this model.tflite (SHA-256 {ours}...): all layers have" in told
    assert told.endswith(
        "its manifest says that it was made from a model.tflite with the SHA-256"
        f" {theirs}...: compare it with that"
    )
    assert notes(exported, given.write("model.tflite", true_source)) == ""  # as advised


def test_a_file_of_the_model_before_more_training_is_said(given: Files) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    path = given.write("int8.tflite", dense(trained_on(weights(0)), "int8"))
    assert "all layers have similar weights, which differ by more than rounding" in notes(
        path, source
    )


def test_the_same_weights_saved_again_are_the_same_model(given: Files) -> None:
    """Another file with the same weights, such as a .keras file saved as .h5, is no other model."""
    exported = given.export("build", given.write("kws.h5", b"saved in another format"))
    assert notes(exported, given.write("kws.tflite", dense(weights(0)))) == ""


def test_what_pruning_lost_is_said_to_be_in_the_comparison(given: Files) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    exported = given.export("build", source, is_pruned=True)
    expected = (
        "int8.tflite was pruned before it was quantized, and kws.tflite was not: the comparison"
        " includes what it lost when it was pruned"
    )
    assert notes(exported, source) == expected
    unpruned = given.export("unpruned", source)
    assert notes(exported, unpruned.with_name("float.tflite")) == expected.replace(
        "kws.tflite", "float.tflite"
    )
    copied = given.write("copied/int8.tflite", exported.read_bytes())
    assert notes(copied, source) == expected


def test_what_pruning_lost_is_said_to_be_missing(given: Files) -> None:
    """The float.tflite of an export with pruning is the pruned model."""
    exported = given.export("build", given.write("kws.h5", b"in Keras's format"), is_pruned=True)
    assert notes(exported, exported.with_name("float.tflite")) == (
        "warning: float.tflite is the model after it was pruned: what it lost when it was pruned is"
        " neither in the comparison nor in max_drop; edgepack compare kws.h5 int8.tflite --test"
        " DATA has the whole loss"
    )


def test_a_model_quantized_again_from_float_tflite_is_of_the_first_one(given: Files) -> None:
    """The chain of manifests leads from int8.tflite to the model that was exported first."""
    source = given.write("kws.tflite", dense(weights(0)))
    first = given.export("first", source, is_pruned=True)
    again = given.export("again", first.with_name("float.tflite"), weighing=pruned(weights(0)))
    made_from = find_source(again)
    assert made_from is not None
    assert [each.name for each in made_from.chain] == ["float.tflite", "kws.tflite"]
    assert [each.compress for each in made_from.chain] == [(), ("prune",)]
    assert "int8.tflite was pruned before it was quantized" in notes(again, source)
    assert "edgepack compare kws.tflite int8.tflite" in notes(
        again, again.with_name("float.tflite")
    )


def test_a_link_to_a_file_has_the_manifest_of_that_file(given: Files, tmp_path: Path) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    exported = given.export("build", source, is_pruned=True)
    (tmp_path / "latest.tflite").symlink_to(exported)
    assert "was pruned before it was quantized" in notes(tmp_path / "latest.tflite", source)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(20, VALUES)).astype(np.float32)
    np.savez(tmp_path / "test.npz", x=x, y=(x @ weights(0).T).argmax(axis=1))
    return tmp_path / "test.npz"


def test_validate_warns_beside_a_verdict_that_is_not_quantizations(
    given: Files, samples: Path
) -> None:
    report = validate(
        ValidateConfig(
            model=given.write("int8.tflite", dense(weights(1), "int8")),
            float_model=given.write("kws.tflite", dense(weights(0))),
            targets=(PHONE,),
            test=samples,
            budgets=Budgets(max_drop=1),
        )
    )
    *_, warning, verdict = render_validation(report).split("\n\n")
    assert warning.startswith("warning: int8.tflite was made from another model than kws")
    on_phone = ", ".join(sorted(INTERPRETERS - {"tflm"}))
    assert verdict.startswith(f"FAILED on {PHONE}: int8 on {on_phone} predicts")
    assert "made from another model than kws" in validation_document(report).headline.sentences[-1]
    assert "::warning title=int8.tflite::int8.tflite was made from another" in render_github(report)


def test_compare_warns_beside_a_verdict_that_is_not_quantizations(
    given: Files, samples: Path
) -> None:
    report = compare(
        CompareConfig(
            model=given.write("kws.tflite", dense(weights(0))),
            candidates=(NamedModel(path=given.write("int8.tflite", dense(weights(1), "int8"))),),
            targets=(PHONE,),
            test=samples,
            budgets=Budgets(max_drop=1),
            is_cached=False,
        )
    )
    *_, warning, verdict = render_comparison(report).split("\n\n")
    assert warning.startswith("warning: int8 was made from another model than kws")
    assert "FAILED: " in verdict
    assert verdict_headline(report).sentences[-1] == report.notes[-1]


def test_notes_of_a_conversion_that_only_the_weights_need_are_reported(
    given: Files, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def converting(model: ReferenceModel, _: Samples) -> ParsedFile:
        model.notes += ("noted in the conversion",)
        return read_file(model.path)

    monkeypatch.setattr(ReferenceModel, "tflite", converting)
    report = compare(
        CompareConfig(
            model=given.write("kws.tflite", dense(weights(0))),
            candidates=(NamedModel(path=given.write("int8.tflite", dense(weights(0), "int8"))),),
            targets=(PHONE,),
            test=samples,
            is_cached=False,
        )
    )
    assert "noted in the conversion" in report.notes


def test_warnings_tell_files_of_the_same_name_apart_by_the_names_of_the_comparison(
    given: Files, samples: Path
) -> None:
    source = given.write("kws.tflite", dense(weights(0)))
    mine = given.export("a", source)
    theirs = given.export("b", given.write("other.tflite", dense(weights(1))), weighing=weights(1))
    report = compare(
        CompareConfig(
            model=source,
            candidates=(NamedModel(path=mine), NamedModel(path=theirs, name="theirs")),
            targets=(PHONE,),
            test=samples,
            is_cached=False,
        )
    )
    (warning,) = (note for note in report.notes if "another model" in note)
    assert warning.startswith("warning: theirs was made from another model than kws.tflite")
