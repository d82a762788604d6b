"""``--config``: compression steps in a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_files import STEPS, refused, run, write_config

from edgepack import Prune
from edgepack.config.compression_step import FineTune, Schedule

TWO_STEPS = (
    Prune(sparsity=0.25, layers=(("conv*", 0.5), ("dense", 0)), block=(4, 1)),
    Prune(fine_tune=FineTune(epochs=3, learning_rate=1, schedule=Schedule(kind="constant"))),
)


def test_compression_steps_are_a_list(project: Path, requests: list[Any]) -> None:
    path = write_config(project, STEPS)
    run("export", "--config", path)
    run("export", "--config", path, "--train", "here.npz", "--checkpoints", "kept", "--resume")
    for config in requests:
        assert config.compress == TWO_STEPS
    assert [config.train for config in requests] == [project / "t.npz", Path("here.npz")]
    assert (requests[1].checkpoints, requests[1].resume) == (Path("kept"), True)
    run("export", "--config", path, "--sparsity", 0.75)
    assert requests[-1].compress == (Prune(sparsity=0.75, fine_tune=FineTune()),)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("sparsity = 1", "[compress]: 'technique' must be one of prune"),
        ("technique = 'prun'", "technique 'prun': did you mean 'prune'? choose one of prune"),
        ("technique = 'prune'\nsparsty = 1", "did you mean 'sparsity'?"),
        ("technique = 'prune'\nsparsity = 'a'", "[compress]: 'sparsity' must be a number, not 'a'"),
        (
            "technique = 'prune'\nn-of-m = [2, 4]\nn_of_m = [1, 4]",
            "'n-of-m' and 'n_of_m' mean the s",
        ),
        ("technique = 'prune'\nsparsity = true", "'sparsity' must be a number, not True"),
        ("technique = 'prune'\nsparsity = 2", "sparsity 2.0: must lie between 0 and 1"),
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
            "schedule 'x': choose one of polynomial, constant",
        ),
    ],
)
def test_steps_that_do_not_fit_are_refused(project: Path, step: str, message: str) -> None:
    path = write_config(project, f"[[compress]]\n{step}\n")
    assert message in refused("export", "m.h5", "--output", "o", "--config", path)


def test_one_of_several_steps_is_identified_by_its_number(project: Path) -> None:
    steps = "[[compress]]\ntechnique='prune'\n[[compress]]\ntechnique='prune'\nx=1"
    path = write_config(project, steps)
    assert "[compress 2] knows the keys" in refused("export", "--config", path)
    path = write_config(project, "[compress]\ntechnique='prune'")
    assert "'compress' is a list of steps: write [[compress]]" in refused(
        "export", "--config", path
    )


def test_steps_and_the_options_of_a_pruning_step_exclude_each_other(project: Path) -> None:
    path = write_config(project, f"{STEPS}\n[all]\nbegin-step = 3\nlayer-sparsity = 'a=0.5'\n")
    message = refused("export", "--config", path)
    assert "has [[compress]], and --layer-sparsity for a pruning step" in message
