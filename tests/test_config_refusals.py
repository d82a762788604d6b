"""``--config``: files that are invalid or cannot be read are refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from config_files import ARGUMENTS, MANIFEST, STEPS, refused, run, write_config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[export", "not valid TOML"),
        ("export = 3", "'export' must be a table: write [export]"),
        ("[exprot]", "unknown key 'exprot': did you mean 'export'? the tables are data"),
        ("[exprot]", "did you mean 'export'?"),
        ("sparsity = 3", "unknown key 'sparsity'; the tables are"),
        ("[export]\nobserve = 'mse'", "did you mean 'observer'?"),
        ("[export]\nobserve = 'mse'", "did you mean 'observer'? [export] knows the keys model"),
        ("[all]\nobserve = 'mse'", "did you mean 'observer'? [all] knows the keys"),
        ("[export]\nmax-arena = 1", "[export] has no 'max-arena': it is an option of validate"),
        ("[lint]\ntarget = 'a'", "[lint] has no 'target': it is an option of compare, debug, exp"),
        ("[export]\nconfig = 'a'", "unknown key 'config'"),
        ("[export]\nrecipe = 'a'", "[export] has no 'recipe': it is an option of firmware"),
        ("[export]\nhelp = true", "unknown key 'help'"),
        (
            "[firmware]\npreprocessing = 'a'\nrecipe = 'b'",
            "[firmware] 'preprocessing' and 'recipe' are the same option; keep one",
        ),
        ("[firmware]\nlabel = 'a'", "arena-margin, labels, preprocessing, test, vectors"),
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
        ("[validate]\nformat = 'xml'", "[validate] 'format': 'xml': choose one of text, json"),
        ("[export]\nmetric = 1979-05-27", "[export] 'metric' must be text, not datetime.date"),
        (f"[export]\nsamples = 0x{'f' * 5000}", "a number has too many digits"),
        (f"[export]\nsamples = {'9' * 5000}", "not valid TOML"),
        (f"{'a.' * 500}b = 1", "a key is nested too deeply"),
        ('"a = b" . ' * 500 + "b = 1", "a key is nested too deeply"),
        ("#" + "x" * 3_000_000 + "\nexport = 3", "'export' must be a table"),
        ('[export]\nmodel = "a\\u0000b"', "[export] 'model' contains a NUL character"),
        (f"x = {'[' * 5000}{']' * 5000}", "nested too deeply"),
        ("[export]\n\"te\\u001b[31mst\" = 1", "unknown key 'te\\x1b[31mst'"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(project: Path, text: str, message: str) -> None:
    path = write_config(project, text)
    for command in ("export", "targets", "inspect"):  # the whole file is checked
        line = refused(command, "--config", path)
        assert message in line
        assert "edgepack.toml: " in line
        assert "\x1b" not in line


def test_files_that_cannot_be_read_are_refused(project: Path) -> None:
    assert "none.toml: no such project file" in refused("export", "--config", project / "none.toml")
    assert "is a folder; give a project file" in refused("export", "--config", project)
    (project / "latin.toml").write_bytes(b"[all]\ntest = '\xff'")
    assert "is not UTF-8 text" in refused("export", "--config", project / "latin.toml")
    assert "cannot be read" in refused("export", "--config", "x" * 300)
    with (project / "huge.toml").open("wb") as file:
        file.truncate(1 << 27)
    assert "is larger than 64 MiB" in refused("export", "--config", project / "huge.toml")
    done = run("export", "--config", "")
    assert done.exit_code == 2
    assert "the path is empty" in done.output


MUTATIONS = 150


@pytest.mark.parametrize("name", ["edgepack.toml", "manifest.json"])
def test_damaged_files_never_show_a_traceback(
    project: Path, requests: list[Any], name: str
) -> None:
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
        (project / name).write_bytes(data)
        done = run("export", *ARGUMENTS, "--config", project / name)
        assert isinstance(done.exception, (SystemExit, type(None))), (data, done.exception)
    assert len(requests) < 2 * MUTATIONS
