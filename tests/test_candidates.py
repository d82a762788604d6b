"""Candidates of a comparison: which models, under which names, and what their scores depend on."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny
from conftest import python

from edgepack.compression import TECHNIQUES
from edgepack.config.firmware import NamedModel
from edgepack.config.model_source import ModelSource as FloatSource
from edgepack.core.errors import ModelError
from edgepack.metrics import choose_measures
from edgepack.pipeline.comparison import reference
from edgepack.pipeline.comparison.cached_runs import Samples
from edgepack.pipeline.comparison.cached_scores import Scoring
from edgepack.pipeline.comparison.candidates import Candidate, read_candidates
from edgepack.pipeline.validation.read_inputs import read_file
from edgepack.storage.arrays import array_paths, load_array, save_array
from edgepack.storage.artifact import describe_all
from edgepack.storage.cache import Cache
from edgepack.storage.dataset import Dataset
from edgepack.storage.manifest import MANIFEST
from edgepack.storage.text_files import write_json

RECIPE = {"seed": 0, "prune": {"sparsity": 0.5}, "quantization": {"scheme": "int8"}}


def classifier(seed: int) -> bytes:
    """Return a .tflite file with a dense layer from 4 values to 3 classes."""
    weights = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)
    return tiny.one_operator(
        "FULLY_CONNECTED",
        [tiny.Value((1, 4)), tiny.Value((3, 4), values=weights), None],
        [tiny.Value((1, 3))],
        table="FullyConnectedOptions",
    )


def write_export(folder: Path, *, float_seed: int, seed: int, config: Any = RECIPE) -> Path:
    """Write the output folder of an exported pruned model; returns its quantized file."""
    folder.mkdir()
    (folder / "float.tflite").write_bytes(classifier(float_seed))
    (folder / "int8.tflite").write_bytes(classifier(seed))
    manifest: dict[str, Any] = {"schema": 1, "recipe": config, "versions": {"edgepack": "0.1.0"}}
    manifest["artifacts"] = {name: vars(each) for name, each in describe_all(folder).items()}
    write_json(folder / MANIFEST, manifest)
    return folder / "int8.tflite"


@pytest.fixture
def float_file(tmp_path: Path) -> Path:
    path = tmp_path / "given.tflite"
    path.write_bytes(classifier(0))
    return path


def read(float_file: Path, **candidates: Path) -> list[Candidate]:
    sources = [NamedModel(path=path, name=name) for name, path in candidates.items()]
    return read_candidates(sources, float_file, read_file(float_file).signature)


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([{"technique": "prune"}], "pruned"),
        ([{"technique": "prune"}, {"technique": "scale"}], "scaled"),
        ([{"technique": "of a later version"}], "compressed"),
        *((odd, "compressed") for odd in ([3], [{}], [{"technique": ["prune"]}])),
    ],
)
def test_a_compressed_model_is_named_after_the_last_technique(
    tmp_path: Path, float_file: Path, monkeypatch: pytest.MonkeyPatch, steps: Any, name: str
) -> None:
    monkeypatch.setitem(TECHNIQUES, "scale", SimpleNamespace(stage="scaled"))  # type: ignore[arg-type]
    config = {"compress": steps, "quantization": {"scheme": "int8"}}
    found = read(float_file, int8=write_export(tmp_path / "a", float_seed=1, seed=2, config=config))
    assert [each.name for each in found] == [name, "int8"]
    assert [each.role for each in found] == ["pruned", "quantized"]


def test_pruned_models_of_two_exports_have_different_names(
    tmp_path: Path, float_file: Path
) -> None:
    a, b = (
        write_export(tmp_path / name, float_seed=k, seed=k + 2)
        for k, name in enumerate("ab", start=1)
    )
    found = read(float_file, int8=a, b=b)
    assert [each.name for each in found] == ["pruned int8", "int8", "pruned b", "b"]
    assert [each.role for each in found] == ["pruned", "quantized"] * 2
    assert found[1].pruned is not None
    assert found[3].pruned is not None
    assert found[1].pruned.data == found[0].file.data != found[3].pruned.data


def test_a_pruned_model_is_listed_once_before_the_models_made_from_it(
    tmp_path: Path, float_file: Path
) -> None:
    a, b = (
        write_export(tmp_path / name, float_seed=1, seed=k) for k, name in enumerate("ab", start=2)
    )
    found = read(float_file, a=a, b=b)
    assert [each.name for each in found] == ["pruned", "a", "b"]
    assert found[0].origin is not None
    assert found[0].origin.c_array is None
    for each in found[1:]:
        assert each.pruned is not None
        assert each.pruned.data == found[0].file.data


def test_a_candidate_may_be_named_pruned(tmp_path: Path, float_file: Path) -> None:
    found = read(
        float_file, pruned=float_file, int8=write_export(tmp_path / "a", float_seed=1, seed=2)
    )
    assert [each.name for each in found] == ["pruned", "pruned 2", "int8"]


def test_inputs_in_another_order_are_refused(tmp_path: Path) -> None:
    paths = []
    for names in (["a", "b"], ["serving_default_b:0", "serving_default_a:0"]):
        file = tiny.Tiny()
        first, second, out = (file.tensor(name, tiny.Value((1, 4))) for name in (*names, "out"))
        file.operator("SUB", [first, second], [out], table="SubOptions")
        paths.append(tmp_path / f"{len(paths)}.tflite")
        paths[-1].write_bytes(file.to_bytes([first, second], [out]))
    assert read(paths[0], same=paths[0])
    with pytest.raises(ModelError, match="has its inputs in another order, b, a, than"):
        read(paths[0], other=paths[1])


def test_a_cached_comparison_imports_nothing_heavy(tmp_path: Path, float_file: Path) -> None:
    candidate = tmp_path / "test.tflite"  # the name of an input's role, too
    candidate.write_bytes(classifier(1))
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=random.integers(3, size=40))
    code = (
        "import sys; from edgepack.cli import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit(str({'sklearn', 'scipy', 'tensorflow', 'skimage'} & set(sys.modules)))"
    )
    arguments = ("compare", float_file, candidate, "--test", tmp_path / "data.npz", "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        first, again = (
            python("-c", code, *arguments, "--target", "android-arm64") for _ in range(2)
        )
    assert "scipy" in first.stderr
    assert again.stderr.endswith("set()\n")
    assert again.stdout == first.stdout
    inputs = json.loads(first.stdout)["inputs"]
    assert {role: described["name"] for role, described in inputs.items()} == {
        "model": "given.tflite",
        "stage test": "test.tflite",
        "test": "data.npz",
    }


class Session:
    """Stands in for the worker with the user's model; its outputs depend on ``shift``."""

    shift = 0

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self, name: str, *, outputs: str = "", **_: object) -> Session:
        if name == "predict":
            (made,) = array_paths(Path(outputs), ["y"]).values()
            save_array(Path(made), np.roll(np.eye(3, dtype=np.float32), Session.shift, axis=1))
        return self

    def result(self) -> Any:
        spec = {"name": "y", "shape": [3], "dtype": "float32"}
        signature = {"inputs": [spec | {"name": "x"}], "outputs": [spec]}
        return {"signature": signature, "runtime": "Keras 3", "notes": []}


@pytest.mark.parametrize("runs_code", [True, False])
def test_scores_of_a_model_with_custom_code_are_never_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, runs_code: bool
) -> None:
    monkeypatch.setattr(reference, "model_session", Session)
    model = tmp_path / "model.keras"
    model.write_bytes(b"PK\x03\x04")
    save_array(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    x = load_array(tmp_path / "x.npy")
    data = Dataset(
        source="data",
        inputs={"x": x},
        labels={"y": np.arange(3)},
        files={"x": str(tmp_path / "x.npy")},
    )

    def accuracy(shift: int) -> float | None:
        monkeypatch.setattr(Session, "shift", shift)
        work = tmp_path / f"work-{shift}"
        (work / "session").mkdir(parents=True)
        cache = Cache(tmp_path / "cache", work)
        source = FloatSource(path=model, custom_objects=("m:f",) if runs_code else ())
        with ExitStack() as stack:
            float_file = reference.ReferenceModel(source, cache, stack, work, verbose=False)
            run = float_file.predict(Samples(data=data))()
        measured = choose_measures("accuracy", data, float_file.signature)
        result = Scoring(0, run, [measured["y"]], (), cache).float_result()
        return result.metrics["accuracy"].value

    assert accuracy(0) == 1.0
    assert accuracy(1) == (0.0 if runs_code else 1.0)
