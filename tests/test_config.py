"""``--config``: options of a TOML file, and of the manifest of an export."""

from __future__ import annotations

import json
import os
import random
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from conftest import Edgepack, export, files

from edgepack import CompareConfig, FirmwareConfig, Prune, Recipe, ValidateConfig
from edgepack.cli import cli
from edgepack.config.export import FineTune, Schedule
from edgepack.config.project_file import COMMANDS, read_project_file
from edgepack.config.quantization import Quantization

RUN = (
    *("exporting.export.export", "exporting.quantize.quantize", "comparison.compare.compare"),
    *("validation.validate.validate", "firmware_project.firmware.firmware"),
    *("debug.debug", "lint.lint", "phone.phone"),
)


class Stopped(click.ClickException):
    """A command was asked for, and would begin now."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder; the working folder is another."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "project"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What commands are asked to do, in place of doing it."""
    found: list[Any] = []

    def take(what: Any, *_: Any, **__: Any) -> None:
        found.append(what)
        raise Stopped("asked")

    for function in RUN:
        monkeypatch.setattr(f"edgepack.pipeline.{function}", take)
    return found


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def config(folder: Path, text: str, name: str = "edgepack.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    (line,) = done.output.splitlines()
    assert line.startswith("error: ")
    return line


EXPORT = """
[all]
test = "test.npz"
target = ["rp2040", "boards/mine.toml"]

[export]
model = "model.keras"
output = "build/model"
representative = "mine:data"
samples = 20
seed = 3
observer = "mse"
scheme = "int16"
layer = ["a*=int8", "b=float"]
force = true
n_of_m = "2:4"
"""


def test_every_option_of_a_command_can_stand_in_the_file(folder: Path, asked: list[Any]) -> None:
    path = config(folder, EXPORT)
    run("export", "--config", path)
    assert asked == [
        Recipe(
            model=folder / "model.keras",
            output=folder / "build/model",
            representative="mine:data",
            test=folder / "test.npz",
            project_file=path,
            samples=20,
            seed=3,
            observer="mse",
            quantization=Quantization(scheme="int16", layers=(("a*", "int8"), ("b", "float"))),
            targets=("rp2040", str(folder / "boards/mine.toml")),
            force=True,
            compress=(Prune(n_of_m=(2, 4)),),
        )
    ]


def test_the_command_line_goes_before_the_file(folder: Path, asked: list[Any]) -> None:
    path = config(folder, EXPORT)
    run("export", "here.h5", "--recipe", path, "--samples", 5, "--target", "esp32", "--output", "o")
    (recipe,) = asked
    assert recipe.model == Path("here.h5")
    assert recipe.output == Path("o")
    assert recipe.samples == 5
    assert recipe.targets == ("esp32",)
    assert recipe.seed == 3


def test_other_commands_take_what_is_theirs(folder: Path, asked: list[Any]) -> None:
    path = config(
        folder,
        """
        [all]
        model = "float.h5"
        test = "t.npz"
        max-drop = 1
        [compare]
        candidates = ["a=a.tflite", "b.tflite"]
        folds = 3
        no-cache = true
        [validate]
        float = "f.tflite"
        time_limit = 5
        format = "json"
        [firmware]
        models = "kws=kws.tflite"
        target = "rp2040"
        output = "fw"
        labels = "words.txt"
        test = ["kws=t.npz"]
        [preprocessing]
        scale = 2
        """,
    )
    for command in ("validate", "firmware"):
        run(command, "--config", path)
    gate, build = asked
    assert isinstance(gate, ValidateConfig)
    assert (gate.model, gate.float_model) == (folder / "float.h5", folder / "f.tflite")
    assert (gate.budgets.max_drop, gate.time_limit_s) == (1.0, 5.0)
    assert isinstance(build, FirmwareConfig)
    assert [(each.name, each.path) for each in build.models] == [("kws", folder / "kws.tflite")]
    assert build.labels == {"": folder / "words.txt"}
    assert build.tests == {"kws": folder / "t.npz"}
    assert build.project_files == {"": path}
    said = refused("compare", "--config", path)
    assert "folds 3: test the calibration of one model" in said
    run("compare", "--config", path, "a.h5", "b=c.tflite")
    trial = asked[-1]
    assert isinstance(trial, CompareConfig)
    assert trial.model == Path("a.h5")
    assert [(each.name, each.path) for each in trial.candidates] == [("b", Path("c.tflite"))]
    assert trial.is_cached is False
    assert trial.max_drop == 1.0


def test_the_commands_are_those_that_there_are() -> None:
    assert sorted(cli.commands) == sorted(COMMANDS)
    for command in cli.commands.values():
        assert any("--config" in param.opts for param in command.params), command.name


@pytest.mark.parametrize("command", ["inspect", "diff", "targets"])
def test_commands_that_read_no_data_take_options(
    folder: Path, command: str, tmp_path: Path
) -> None:
    path = config(folder, f"[inspect]\nmodel='no.tflite'\n[diff]\na='a'\nb='{tmp_path}/b'\n")
    done = run(command, "--config", path)
    if command == "targets":
        assert done.exit_code == 0
        assert "rp2040" in done.output
    else:
        said = folder / "no.tflite" if command == "inspect" else folder / "a"
        assert str(said) in done.output
        assert done.exit_code == 2


STEPS = """
[export]
model = "m.h5"
representative = "d.npz"
train = "t.npz"
output = "o"

[[compress]]
technique = "prune"
sparsity = 0.25
layers = [["conv*", 0.5], ["dense", 0]]
block = [4, 1]

[[compress]]
technique = "prune"
[compress.fine-tune]
epochs = 3
learning-rate = 1
[compress.fine-tune.schedule]
kind = "constant"
"""
TWO_STEPS = (
    Prune(sparsity=0.25, layers=(("conv*", 0.5), ("dense", 0)), block=(4, 1)),
    Prune(fine_tune=FineTune(epochs=3, learning_rate=1, schedule=Schedule(kind="constant"))),
)


def test_steps_of_compression_are_a_list(folder: Path, asked: list[Any]) -> None:
    path = config(folder, STEPS)
    run("export", "--config", path)
    run("export", "--config", path, "--train", "here.npz", "--checkpoints", "kept", "--resume")
    for recipe in asked:
        assert recipe.compress == TWO_STEPS
    assert [recipe.train for recipe in asked] == [folder / "t.npz", Path("here.npz")]
    assert (asked[1].checkpoints, asked[1].resume) == (Path("kept"), True)
    run("export", "--config", path, "--sparsity", 0.75)
    assert asked[-1].compress == (Prune(sparsity=0.75, fine_tune=FineTune()),)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("sparsity = 1", "[compress]: 'technique' must be one of prune"),
        ("technique = 'prun'", "technique 'prun': did you mean 'prune'? the techniques are prune"),
        ("technique = 'prune'\nsparsty = 1", "did you mean 'sparsity'?"),
        ("technique = 'prune'\nsparsity = 'a'", "[compress]: 'sparsity' must be a number, not 'a'"),
        (
            "technique = 'prune'\nn-of-m = [2, 4]\nn_of_m = [1, 4]",
            "'n-of-m' and 'n_of_m' mean the s",
        ),
        ("technique = 'prune'\nsparsity = true", "'sparsity' must be a number, not True"),
        ("technique = 'prune'\nsparsity = 2", "sparsity 2: must lie between 0 and 1"),
        (
            "technique = 'prune'\nblock = [1]",
            "'block' must be a list of a whole number and a whole",
        ),
        (
            "technique = 'prune'\nlayers = ['a=1']",
            "each item a list of text and a number, not ['a=1",
        ),
        ("technique = 'prune'\nfine_tune = 3", "'fine_tune' must be a table, not 3"),
        (
            "technique = 'prune'\nfine_tune.epoch = 3",
            "[compress.fine_tune] knows the keys epochs, loss",
        ),
        ("technique = 'prune'\nfine_tune.epochs = 0", "epochs 0: fine-tuning needs at least 1"),
        (
            "technique = 'prune'\nfine_tune.schedule.kind = 'x'",
            "schedule 'x': the schedules are polynomial, constant",
        ),
    ],
)
def test_steps_that_do_not_fit_are_refused(folder: Path, step: str, said: str) -> None:
    path = config(folder, f"[[compress]]\n{step}\n")
    assert said in refused("export", "m.h5", "--output", "o", "--config", path)


def test_a_step_of_several_is_told_by_its_number(folder: Path) -> None:
    path = config(folder, "[[compress]]\ntechnique='prune'\n[[compress]]\ntechnique='prune'\nx=1")
    assert "[compress 2] knows the keys" in refused("export", "--config", path)
    path = config(folder, "[compress]\ntechnique='prune'")
    assert "'compress' is a list of steps: write [[compress]]" in refused(
        "export", "--config", path
    )


def test_steps_and_the_short_way_to_write_one_do_not_go_together(folder: Path) -> None:
    path = config(folder, f"{STEPS}\n[all]\nbegin-step = 3\nlayer-sparsity = 'a=0.5'\n")
    said = refused("export", "--config", path)
    assert "has [[compress]], and --layer-sparsity for a step of pruning" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[export", "not valid TOML"),
        ("export = 3", "'export' must be a table: write [export]"),
        ("[exprot]", "unknown key 'exprot': did you mean 'export'? the tables are data"),
        ("[exprot]", "did you mean 'export'?"),
        ("sparsity = 3", "unknown key 'sparsity'; the tables are"),
        ("[export]\nobserve = 'mse'", "did you mean 'observer'?"),
        ("[export]\nobserve = 'mse'", "did you mean 'observer'? [export] knows the keys model"),
        ("[all]\nobserve = 'mse'", "did you mean 'observer'? [all] knows the keys"),
        ("[export]\nmax-drop = 1", "[export] has no 'max-drop': it is an option of compare, val"),
        ("[lint]\ntarget = 'a'", "[lint] has no 'target': it is an option of compare, export, fi"),
        ("[export]\nconfig = 'a'", "unknown key 'config'"),
        ("[export]\nrecipe = 'a'", "[export] has no 'recipe': it is an option of firmware"),
        ("[export]\nhelp = true", "unknown key 'help'"),
        ("[export]\nn-of-m = '2:4'\nn_of_m = '1:4'", "the keys 'n-of-m' and 'n_of_m' mean the"),
        ("[export]\nsamples = '3'", "[export] 'samples' must be a whole number, not '3'"),
        ("[export]\nsamples = 3.5", "[export] 'samples' must be a whole number, not 3.5"),
        ("[all]\nsamples = true", "[all] 'samples' must be a whole number, not True"),
        ("[export]\nsparsity = 'a'", "[export] 'sparsity' must be a number, not 'a'"),
        ("[export]\nforce = 1", "[export] 'force' must be true or false, not 1"),
        ("[export]\nforce = 'yes'", "[export] 'force' must be true or false, not 'yes'"),
        ("[export]\ntest = 3", "[export] 'test' must be text, not 3"),
        ("[export]\ntest = ['a', 'b']", "[export] 'test' must be text, not ['a', 'b']"),
        ("[export]\ntest = ''", "[export] 'test': the path is empty"),
        ("[export]\ntarget = [3]", "[export] 'target' must be text, not 3"),
        ("[export]\ntarget = [['a']]", "[export] 'target' must be text, not ['a']"),
        ("[export]\nlayer-sparsity = ['a=b']", "'layer-sparsity': 'a=b': write NAME=VALUE, such"),
        ("[export]\nblock = '4:1'", "[export] 'block': '4:1': write two whole numbers"),
        ("[study]\nbits = '8-2'", "[study] 'bits': '8-2': write a whole number or two"),
        ("[validate]\nformat = 'xml'", "[validate] 'format': 'xml' is not one of 'text', 'json'"),
        ("[export]\nmetric = 1979-05-27", "[export] 'metric' must be text, not datetime.date"),
        (f"[export]\nsamples = 0x{'f' * 5000}", "a number has too many digits"),
        (f"[export]\nsamples = {'9' * 5000}", "not valid TOML"),
        (f"{'a.' * 500}b = 1", "a key is nested too deeply"),
        ('"a = b" . ' * 500 + "b = 1", "a key is nested too deeply"),
        ("#" + "x" * 3_000_000 + "\nexport = 3", "'export' must be a table"),
        ('[export]\nmodel = "a\\u0000b"', "[export] 'model' holds a NUL character"),
        (f"x = {'[' * 5000}{']' * 5000}", "nested too deeply"),
        ("[export]\n\"te\\u001b[31mst\" = 1", "unknown key 'te\\x1b[31mst'"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(folder: Path, text: str, said: str) -> None:
    path = config(folder, text)
    for command in ("export", "targets", "inspect"):  # the whole file is checked
        line = refused(command, "--config", path)
        assert said in line
        assert "edgepack.toml: " in line
        assert "\x1b" not in line


def test_files_that_cannot_be_read_are_refused(folder: Path) -> None:
    assert "none.toml: no such project file" in refused("export", "--config", folder / "none.toml")
    assert "is a folder; give a project file" in refused("export", "--config", folder)
    (folder / "latin.toml").write_bytes(b"[all]\ntest = '\xff'")
    assert "is not UTF-8 text" in refused("export", "--config", folder / "latin.toml")
    assert "cannot be read" in refused("export", "--config", "x" * 300)
    with (folder / "huge.toml").open("wb") as file:
        file.truncate(1 << 27)
    assert "is larger than 64 MiB" in refused("export", "--config", folder / "huge.toml")
    done = run("export", "--config", "")
    assert done.exit_code == 2
    assert "the path is empty" in done.output


def test_a_pipe_is_read_once_and_paths_in_it_are_of_the_working_folder(
    folder: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = folder / "pipe"
    os.mkfifo(fifo)
    text = "[export]\nmodel='m.h5'\noutput='o'\ntest='t.npz'\n[data]\nlabel='species'\n"
    threading.Thread(target=fifo.write_text, args=(text,), daemon=True).start()
    labels = []

    def take(recipe: Recipe, *_: Any, **__: Any) -> None:
        labels.append(read_project_file(recipe.project_file).label)
        asked.append(recipe)
        raise Stopped("asked")

    monkeypatch.setattr("edgepack.pipeline.exporting.export.export", take)
    run("export", "--config", fifo)
    (recipe,) = asked
    assert recipe.test == Path("t.npz")
    assert labels == ["species"]
    assert not recipe.project_file.exists()  # it was there for as long as the command ran


def test_two_files_are_one_too_many(folder: Path) -> None:
    one, two = config(folder, "", "one.toml"), config(folder, "", "two.toml")
    for arguments in (("--config", one, "--config", two), ("--config", one, "--recipe", one)):
        said = refused("export", "m.h5", "--output", "o", *arguments)
        assert "--config is given twice: give one TOML file at most" in said


def test_what_the_data_are_is_read_as_ever(folder: Path) -> None:
    path = config(folder, f"{STEPS}[data]\nlabel = 'species'\n[budgets]\nmax_drop = 1\n")
    found = read_project_file(path)
    assert found.label == "species"
    assert found.budgets.max_drop == 1


def test_what_is_for_all_is_for_the_commands_that_it_fits(folder: Path, asked: list[Any]) -> None:
    path = config(folder, "[all]\ntarget = ['rp2040', 'esp32']\n")
    firmware = ("firmware", "m.tflite", "--output", "o", "--config", path)
    done = run(*firmware)
    assert done.exit_code == 2
    assert "Missing option '--target'" in done.output
    run(*firmware, "--target", "rp2350")
    assert asked[-1].target == "rp2350"
    config(folder, "[all]\ntarget = ['rp2040', 'esp32']\n[firmware]\ntarget = 'esp32'\n")
    run("firmware", "m.tflite", "--output", "o", "--config", path)
    assert asked[-1].target == "esp32"
    run("validate", "m.tflite", "--config", path)
    assert asked[-1].targets == ("rp2040", "esp32")


def test_an_argument_that_no_file_has_is_missing(folder: Path) -> None:
    path = config(folder, "[export]\nmodel = 'm.h5'\n")
    done = run("export", "--config", path)
    assert done.exit_code == 2
    assert "Missing option '--output'" in done.output


# Manifests.

MANIFEST = {
    "schema": 1,
    "command": "export",
    "artifacts": {},
    "recipe": {
        "model": {"name": "m.h5", "bytes": 1, "sha256": "0"},
        "representative": {"name": "d.npz", "bytes": 1, "sha256": "0"},
        "custom_objects": [],
        "allow_unsafe": False,
        "observer": "mse",
        "prune": None,
        "samples": 30,
        "seed": 4,
        "quantization": {
            "scheme": "int16",
            "layers": [["a*", "int8"]],
            "input_type": "int16",
            "output_type": None,
            "dense": None,
        },
        "targets": ["android-arm64"],
        "metric": "accuracy",
    },
    "versions": {"edgepack": "0.1.0"},
}
GIVEN = ("m.h5", "--representative", "d.npz", "--output", "o")


def manifest(folder: Path, **recipe: Any) -> Path:
    text = json.dumps(MANIFEST | {"recipe": MANIFEST["recipe"] | recipe})
    return config(folder, text, "manifest.json")


def test_a_manifest_tells_what_an_export_was_asked(folder: Path, asked: list[Any]) -> None:
    path = manifest(folder)
    for command in ("export", "quantize"):
        run(command, *GIVEN, "--config", path, "--seed", 5)
        recipe = asked.pop()
        assert recipe == Recipe(
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
    run("debug", *GIVEN, "--config", path)
    assert asked[-1].observer == "mse"


def test_a_toml_file_goes_before_a_manifest(folder: Path, asked: list[Any]) -> None:
    steps = [{"technique": "prune", "sparsity": 0.5}]
    path, toml = manifest(folder, compress=steps), config(folder, "[export]\nsamples = 9\n")
    for both in ((path, toml), (toml, path)):
        run("export", *GIVEN, "--config", both[0], "--config", both[1])
        recipe = asked.pop()
        assert (recipe.samples, recipe.seed, recipe.project_file) == (9, 4, toml)
        assert recipe.compress == (Prune(sparsity=0.5),)
    config(folder, "[export]\nsparsity = 0.75\n")
    run("export", *GIVEN, "--config", path, "--config", toml)
    assert asked.pop().compress == (Prune(sparsity=0.75),)
    config(folder, "[[compress]]\ntechnique = 'prune'\nthreshold = 0.25\n")
    run("export", *GIVEN, "--config", path, "--config", toml)
    assert asked.pop().compress == (Prune(threshold=0.25),)
    said = refused("quantize", *GIVEN, "--config", path)
    assert "the model was compressed, which export does, not quantize" in said


def test_what_a_manifest_names_without_its_place_has_to_be_given(folder: Path) -> None:
    path = manifest(folder)
    done = run("export", "--output", "o", "--config", path)
    assert "Missing argument 'MODEL'" in done.output
    said = refused("export", "m.h5", "--output", "o", "--config", path)
    assert "the export also used 'd.npz': give it with --representative" in said
    for role, option in (("test", "test"), ("train", "train"), ("recipe_file", "config")):
        path = manifest(folder, **{role: {"name": "x", "bytes": 1, "sha256": "0"}})
        assert f"the export also used 'x': give it with --{option}" in refused(
            "export", *GIVEN, "--config", path
        )
    path = manifest(folder, test={"function": "evil:run"})
    assert "the export also used 'evil:run': give it with --test" in refused(
        "export", *GIVEN, "--config", path
    )


def test_a_manifest_lets_no_code_run(folder: Path, asked: list[Any]) -> None:
    path = manifest(folder, allow_unsafe=True)
    said = refused("export", *GIVEN, "--config", path)
    assert "was let run code of its own: give --allow-unsafe if you trust it" in said
    run("export", *GIVEN, "--config", path, "--allow-unsafe")
    assert asked[-1].allow_unsafe
    path = manifest(folder, custom_objects=["evil:Layer"])
    said = refused("export", *GIVEN, "--config", path)
    assert "the model is built of 'evil:Layer': give it with --custom-objects" in said
    run("export", *GIVEN, "--config", path, "--custom-objects", "evil:Layer")
    assert asked[-1].custom_objects == ("evil:Layer",)
    path = manifest(folder, metric="evil:score")
    said = refused("export", *GIVEN, "--config", path)
    assert "the metric 'evil:score' runs code of its own: give it with --metric" in said
    run("export", *GIVEN, "--config", path, "--metric", "evil:score")
    assert asked[-1].metric == "evil:score"


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
def test_what_is_no_manifest_of_an_export_is_refused(folder: Path, text: str) -> None:
    path = config(folder, text, "manifest.json")
    said = refused("export", *GIVEN, "--config", path)
    assert said.endswith("; give the manifest.json that export or quantize wrote")
    assert len(said) < 1000


def test_other_commands_take_no_manifest(folder: Path) -> None:
    for command in ("validate", "inspect", "targets", "compare", "study"):
        said = refused(command, "--config", manifest(folder))
        assert f"a manifest tells export, quantize, debug what to do, not {command}" in said


MUTATIONS = 150


@pytest.mark.parametrize("name", ["edgepack.toml", "manifest.json"])
def test_damaged_files_never_show_a_traceback(folder: Path, asked: list[Any], name: str) -> None:
    rng = random.Random(0)
    whole = (STEPS if name.endswith("toml") else json.dumps(MANIFEST)).encode()
    for _ in range(MUTATIONS):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            cut = data[at : at + rng.randint(0, 9)]
            data[at : at + len(cut)] = rng.choice(
                [b"", cut * 2, bytes([rng.randrange(256)]), b"null", b"[", b"]", b'"', b"=", b"{}"]
            )
        (folder / name).write_bytes(data)
        done = run("export", *GIVEN, "--config", folder / name)
        assert isinstance(done.exception, (SystemExit, type(None))), (data, done.exception)
    assert len(asked) < 2 * MUTATIONS


# What comes of it.


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


def test_a_project_file_does_what_the_command_line_does(
    models: Path, tmp_path: Path, edgepack: Edgepack
) -> None:
    (tmp_path / "data").symlink_to(models)
    text = """
    [export]
    model = "data/cnn.h5"
    representative = "data/cnn.npz"
    output = "build/cnn"
    target = "android-arm64"
    sparsity = 0.5
    """
    done = edgepack("export", "--config", config(tmp_path, text))
    assert done.returncode == 0, done.stderr
    made = tmp_path / "build" / "cnn"
    bare = config(tmp_path, "", "empty.toml")
    direct = export(
        tmp_path / "direct",
        models / "cnn.h5",
        *("--representative", models / "cnn.npz", "--sparsity", 0.5, "--config", bare),
        *("--target", "android-arm64"),
    )
    found, wanted = files(made), files(direct.folder)
    same = found.keys() - {"manifest.json", "report.html", "report.md"}  # these name the TOML file
    assert {name: found[name] for name in same} == {name: wanted[name] for name in same}
    recipe = json.loads((made / "manifest.json").read_text())["recipe"]
    assert recipe["recipe_file"]["name"] == "edgepack.toml"


def test_help_names_the_file() -> None:
    for name in ("export", "quantize", "debug"):
        assert "manifest.json of an export" in " ".join(run(name, "--help").output.split())
    assert "manifest.json" not in run("validate", "--help").output


def test_every_setting_of_a_recipe_is_an_option() -> None:
    keys = {param.name for param in cli.commands["export"].params}
    others = {"compress", "quantization"}
    assert {field.name for field in fields(Recipe)} - others <= keys
