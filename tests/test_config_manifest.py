"""``--config``: the manifest of an export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from config_files import ARGUMENTS, MANIFEST, refused, run, write_config, write_manifest
from conftest import export, files

from edgepack import DebugConfig, ExportConfig, Prune, QuantizeConfig
from edgepack.config.budgets import Budgets
from edgepack.config.quantization import Quantization
from edgepack.storage.provenance import describe_inputs, export_settings, repeat_notes


def test_a_manifest_has_the_settings_of_an_export(project: Path, requests: list[Any]) -> None:
    path = write_manifest(project)
    for command, kind in (("export", ExportConfig), ("quantize", QuantizeConfig)):
        run(command, *ARGUMENTS, "--config", path, "--seed", 5)
        assert requests.pop() == kind(
            model=Path("m.h5"),
            representative=Path("d.npz"),
            output=Path("o"),
            observer="mse",
            samples=30,
            seed=5,
            quantization=Quantization(scheme="int16", layers=(("a*", "int8"),), input_type="int16"),
            targets=("android-arm64",),
            metric="accuracy",
        )
    run("debug", *ARGUMENTS, "--config", path)
    assert requests[-1].observer == "mse"


def test_a_manifest_has_that_outputs_are_split(project: Path, requests: list[Any]) -> None:
    path = write_manifest(project, split_outputs=True)
    for command in ("export", "quantize", "debug"):
        run(command, *ARGUMENTS, "--config", path)
        assert requests.pop().split_outputs
    toml = write_config(project, "[export]\nsplit-outputs = false\n")
    run("export", *ARGUMENTS, "--config", path, "--config", toml)
    assert not requests.pop().split_outputs
    write_config(project, "[export]\nsplit-outputs = true\n")
    run("export", *ARGUMENTS, "--config", toml)
    assert requests.pop().split_outputs


def test_a_repeated_export_keeps_its_budgets(project: Path, requests: list[Any]) -> None:
    budgets = Budgets(max_drop=1.5, min_sqnr=20.0, not_shown="fails")
    given = ExportConfig(
        model=Path("m.h5"), representative="d.npz", output=Path("o"), budgets=budgets
    )
    (project / "m.h5").touch()
    np.savez(project / "d.npz", x=np.zeros(3))
    recorded = export_settings(given)["budgets"]
    path = write_manifest(project, budgets=recorded)
    for command in ("export", "quantize"):
        run(command, *ARGUMENTS, "--config", path)
        assert requests.pop().budgets == budgets
        run(command, *ARGUMENTS, "--config", path, "--max-drop", 3)
        assert requests.pop().budgets == replace(budgets, max_drop=3.0)
    run("debug", *ARGUMENTS, "--config", path)  # which judges nothing
    assert isinstance(requests.pop(), DebugConfig)


def test_a_toml_file_takes_precedence_over_a_manifest(project: Path, requests: list[Any]) -> None:
    steps = [{"technique": "prune", "sparsity": 0.5}]
    path = write_manifest(project, compress=steps)
    toml = write_config(project, "[export]\nsamples = 9\n")
    for both in ((path, toml), (toml, path)):
        run("export", *ARGUMENTS, "--config", both[0], "--config", both[1])
        config = requests.pop()
        assert (config.samples, config.seed, config.project_file) == (9, 4, toml)
        assert config.compress == (Prune(sparsity=0.5),)
    write_config(project, "[export]\nsparsity = 0.75\n")
    run("export", *ARGUMENTS, "--config", path, "--config", toml)
    assert requests.pop().compress == (Prune(sparsity=0.75),)
    write_config(project, "[[compress]]\ntechnique = 'prune'\nthreshold = 0.25\n")
    run("export", *ARGUMENTS, "--config", path, "--config", toml)
    assert requests.pop().compress == (Prune(threshold=0.25),)
    message = refused("quantize", *ARGUMENTS, "--config", path)
    assert "the model was compressed, which only export can do, not quantize" in message


def test_another_model_or_other_data_than_the_manifest_lists_are_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeated: list[Any] = []
    monkeypatch.setattr(
        "edgepack.pipeline.exporting.export.export_repeating",
        lambda _, repeats, *__, **___: repeated.append(repeats),
    )
    for name in ("m.h5", "other.h5"):
        (project / name).write_text(name)
    np.savez(project / "d.npz", x=np.zeros(3))
    first = ExportConfig(
        model=project / "m.h5", representative=project / "d.npz", output=project / "o"
    )
    recorded = describe_inputs(first, {})
    path = write_manifest(project, **recorded)
    run("export", *ARGUMENTS, "--config", path)
    assert [*repeat_notes(repeated[-1], describe_inputs(first, {}))] == []
    (project / "copy.h5").write_text("m.h5")
    copied = describe_inputs(replace(first, model=project / "copy.h5"), {})
    assert [*repeat_notes(repeated[-1], copied)] == []
    np.savez(project / "d.npz", x=np.ones(3))
    given = describe_inputs(replace(first, model=project / "other.h5"), {})
    (note,) = repeat_notes(repeated[-1], given)
    was, became = (each["model"]["sha256"][:12] for each in (recorded, given))
    assert note.startswith(
        "warning: the result does not repeat the export of the manifest in --config: the model was"
        f" m.h5 (SHA-256 {was}...) and is other.h5 (SHA-256 {became}...); the representative"
        " dataset was d.npz (SHA-256 "
    )


def test_inputs_whose_paths_a_manifest_does_not_record_are_required(project: Path) -> None:
    path = write_manifest(project)
    done = run("export", "--output", "o", "--config", path)
    assert "Missing argument 'MODEL'" in done.output
    message = refused("export", "m.h5", "--output", "o", "--config", path)
    assert "the export also used 'd.npz': give --representative" in message
    for role, option in (("test", "test"), ("train", "train"), ("recipe_file", "config")):
        path = write_manifest(project, **{role: {"name": "x", "bytes": 1, "sha256": "0"}})
        assert f"the export also used 'x': give --{option}" in refused(
            "export", *ARGUMENTS, "--config", path
        )
    path = write_manifest(project, test={"function": "evil:run"})
    assert "the export also used 'evil:run': give --test" in refused(
        "export", *ARGUMENTS, "--config", path
    )


def test_a_manifest_does_not_allow_custom_code(project: Path, requests: list[Any]) -> None:
    path = write_manifest(project, allow_unsafe=True)
    message = refused("export", *ARGUMENTS, "--config", path)
    assert "was allowed to run its own code: give --allow-unsafe if you trust it" in message
    run("export", *ARGUMENTS, "--config", path, "--allow-unsafe")
    assert requests[-1].allow_unsafe
    path = write_manifest(project, custom_objects=["evil:Layer"])
    message = refused("export", *ARGUMENTS, "--config", path)
    assert "the model uses 'evil:Layer': give --custom-objects" in message
    run("export", *ARGUMENTS, "--config", path, "--custom-objects", "evil:Layer")
    assert requests[-1].custom_objects == ("evil:Layer",)
    path = write_manifest(project, metric="evil:score")
    message = refused("export", *ARGUMENTS, "--config", path)
    assert "the metric 'evil:score' runs custom code: give --metric" in message
    run("export", *ARGUMENTS, "--config", path, "--metric", "evil:score")
    assert requests[-1].metric == "evil:score"


@pytest.mark.parametrize(
    "text",
    [
        *("{", "{}", '{"recipe": null}', '{"recipe": []}', '{"recipe": {}}', "{" * 100_000),
        '{"recipe": ' + "9" * 5000 + "}",
        json.dumps(MANIFEST | {"command": "study"}),
        json.dumps(MANIFEST | {"schema": 99}),
        json.dumps(MANIFEST | {"recipe": MANIFEST["recipe"] | {"prune": {"sparsity": 0.5}}}),
        *(
            json.dumps(MANIFEST | {"recipe": MANIFEST["recipe"] | change})
            for change in (
                {"observer": None},
                {"samples": "3"},
                {"seed": True},
                {"seed": 1.5},
                {"targets": "a"},
                {"targets": [["a"]]},
                {"quantization": None},
                {"quantization": {"scheme": "int8"}},
                {"quantization": MANIFEST["recipe"]["quantization"] | {"scheme": "int7"}},
                {"quantization": MANIFEST["recipe"]["quantization"] | {"layers": [["a"]]}},
                {"custom_objects": 3},
                {"allow_unsafe": 1},
                {"split_outputs": "yes"},
                {"representative": 3},
                {"representative": {"name": 3}},
                {"representative": {}},
                {"compress": {"technique": "prune"}},
                {"compress": ["prune"]},
                {"compress": [{"technique": ["prune"]}]},
                {"compress": [{"technique": "evil:run"}]},
                {"compress": [{"technique": "prune", "sparsity": "x"}]},
                {"compress": [{"technique": "prune", "sparsity": 7}]},
            )
        ),
    ],
)
def test_anything_but_the_manifest_of_an_export_is_refused(project: Path, text: str) -> None:
    path = write_config(project, text, "manifest.json")
    message = refused("export", *ARGUMENTS, "--config", path)
    assert message.endswith("; give the manifest.json that export or quantize wrote")
    assert len(message) < 1000


def test_other_commands_refuse_a_manifest(project: Path) -> None:
    for command in ("validate", "inspect", "targets", "compare", "study"):
        message = refused(command, "--config", write_manifest(project))
        why = f"a manifest is a configuration for export, quantize, debug, not for {command}"
        assert why in message


def test_an_export_is_repeated_from_its_manifest_alone(digits: Path, tmp_path: Path) -> None:
    data = ("--representative", digits / "calibration.npz", "--test", digits / "test.npz")
    train = ("--train", digits / "train.npz")
    first = export(
        tmp_path / "first",
        digits / "digits.h5",
        *(*data, *train, "--epochs", 2, "--patience", 1, "--sparsity", 0.6),
        *("--layer-sparsity", "conv*=0.3", "--schedule", "constant", "--begin-step", 4),
        *("--samples", 60, "--seed", 3, "--observer", "percentile:99.9", "--layer", "dense*=int8"),
        *("--input-type", "uint8", "--dense", "per-tensor", "--metric", "f1-macro"),
        *("--target", "android-arm64", "--learning-rate", 0.002, "--optimizer", "nadam"),
    )
    again = export(
        tmp_path / "again",
        digits / "digits.h5",
        *(*data, *train, "--config", first.folder / "manifest.json"),
    )
    assert files(again.folder) == files(first.folder)
    assert again.stdout == first.stdout
