"""edgepack doctor tries the programs, folders and targets of the user, and the sandbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import need
from test_target import GOOD
from test_worker import await_end

from edgepack.devices.target import read_all_targets
from edgepack.pipeline import surroundings
from edgepack.pipeline.surroundings import (
    PROGRAMS,
    USER_FOLDERS,
    UserFolder,
    examine_folder,
    examine_own_targets,
    examine_program,
    examine_sandbox,
)
from edgepack.report.data.doctor import BROKEN, MISSING, UNFIT, WORKS, Examined

CC = PROGRAMS[0]
each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
each_folder = pytest.mark.parametrize("folder", USER_FOLDERS, ids=lambda each: each.name)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all programs that are installed: none at first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_cc(programs: Path, script: str) -> Examined:
    """Let a shell script pass for a compiler, and examine it."""
    (programs / "cc").write_text(script)
    (programs / "cc").chmod(0o755)
    return examine_program(CC)


@each_program
def test_a_compiler_is_found_once_it_is_installed_as_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: surroundings.Program
) -> None:
    installed = Path(need(program.name))
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = Examined(
        kind="program", name=program.name, state=MISSING, lost=program.lost, cure=program.cure
    )
    assert examine_program(program) == missing
    (tmp_path / program.name).symlink_to(installed)
    works = examine_program(program)
    version = works.found or ""
    assert works == Examined(kind="program", name=program.name, state=WORKS, found=version)
    assert version.startswith(f"{program.name} ")
    assert version[-1].isdigit()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("#!/bin/sh\necho cc 1.0; echo copyright; echo unused option >&2", "cc 1.0"),
        ("#!/bin/sh\nprintf '%0200d' 0", "0" * 100),
        ("#!/bin/sh\n", "{bin}/cc"),
    ],
)
def test_a_program_is_shown_by_the_first_line_of_its_version(
    programs: Path, script: str, found: str
) -> None:
    examined = write_cc(programs, script)
    assert (examined.state, examined.found) == (WORKS, found.format(bin=programs))


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("#!/bin/sh\nexit 1", "fails: status 1"),
        ("#!/bin/sh\necho warning >&2; echo libcc.so: not found >&2; exit 127", "libcc.so"),
        ("#!/bin/sh\nkill -ABRT $$", "was killed by SIGABRT"),
        ("#!/bin/sh\nexec /bin/sleep 600", "took longer than 0.5 s"),
        ("#!/bin/sh\nwhile :; do printf '%065536d' 0; done", "wrote more than 16 MiB"),
        ("#!/nowhere", "cannot be started: No such file or directory"),
        ("\177ELF", "cannot be started: Exec format error"),
    ],
)
def test_a_program_that_fails_is_broken_and_it_is_said_how(
    programs: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    monkeypatch.setattr(surroundings, "_VERSION_S", 0.5 if "took" in problem else 20.0)
    examined = write_cc(programs, script)
    assert (examined.state, examined.found) == (BROKEN, str(programs / "cc"))
    assert problem in (examined.problem or "")
    assert (examined.lost, examined.cure) == (CC.lost, CC.cure)


def test_what_a_program_leaves_running_is_ended(programs: Path) -> None:
    examined = write_cc(programs, "#!/bin/sh\n/bin/sleep 600 & echo $!")
    assert examined.state == WORKS
    await_end(int(examined.found or ""))


@each_folder
@pytest.mark.parametrize(
    ("home", "state", "problem"),
    [
        ("/proc", BROKEN, "cannot be written: No such file or directory"),
        ("/dev/null", BROKEN, "cannot be written: Not a directory"),
        ("relative", MISSING, "no home folder with an absolute path"),
    ],
)
def test_folders_that_cannot_be_written_are_set_as_advised(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: UserFolder,
    home: str,
    state: str,
    problem: str,
) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv(folder.variable, raising=False)
    examined = examine_folder(folder)
    assert (examined.state, examined.problem, examined.lost) == (state, problem, folder.lost)
    variable = folder.variable
    cure = f"set {variable} to the absolute path of a folder that can be written"
    assert examined.cure == cure
    monkeypatch.setenv(variable, str(tmp_path / "new"))
    works = examine_folder(folder)
    found = str(folder.locate())
    assert works == Examined(kind="folder", name=folder.name, state=WORKS, found=found)
    assert found.startswith(str(tmp_path / "new" / "edgepack"))
    assert not [*tmp_path.iterdir()]


@each_folder
def test_a_relative_folder_is_ignored_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: UserFolder
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(folder.variable, raising=False)
    usual = examine_folder(folder)
    monkeypatch.setenv(folder.variable, "relative")
    examined = examine_folder(folder)
    ignored = f"{folder.variable} is ignored: 'relative' is not absolute"
    assert (examined.state, examined.found) == (WORKS, usual.found)
    assert (usual.problem, examined.problem) == (None, ignored)
    cure = f"set {folder.variable} to the absolute path of a folder that can be written"
    assert (usual.cure, examined.cure, examined.lost) == (None, cure, None)
    monkeypatch.setenv("HOME", "here")
    nowhere = examine_folder(folder)
    assert (nowhere.state, nowhere.found) == (MISSING, None)
    assert nowhere.problem == f"{ignored}; no home folder with an absolute path"


@pytest.mark.parametrize(
    ("version", "state", "lost"),
    [
        (7, WORKS, None),
        (4, WORKS, None),
        (3, UNFIT, "a model file that exploits a bug of TensorFlow can use the network"),
        (
            "Landlock is not available: Function not implemented",
            MISSING,
            "a model file that exploits a bug of TensorFlow can read and write your files",
        ),
    ],
)
def test_what_a_kernel_cannot_confine_is_named(
    monkeypatch: pytest.MonkeyPatch, version: int | str, state: str, lost: str | None
) -> None:
    monkeypatch.setattr(surroundings, "landlock_version", lambda: version)
    sandbox = examine_sandbox()
    assert (sandbox.state, sandbox.lost) == (state, lost)
    assert sandbox.commands == sandbox.in_part == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind = 1", "the key 'description' is missing"),
        ("kind =", "not valid TOML: "),
        (GOOD.replace("litert", "tflite"), "unknown interpreter 'tflite'"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_target_that_cannot_be_read_is_named_until_it_is_corrected_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, why: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "edgepack" / "targets"
    assert not [*examine_own_targets()]
    folder.mkdir(parents=True)
    (folder / "good.toml").write_text(GOOD)
    bad = folder / "bad.toml"
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    (examined,) = examine_own_targets()
    assert (examined.kind, examined.name, examined.found) == ("target", "bad", str(bad))
    assert examined.state == BROKEN
    assert why in (examined.problem or "")
    assert examined.cure == "correct the file, or remove it"
    bad.write_text(GOOD)
    assert not [*examine_own_targets()]
    bad.write_bytes(b"\xff")
    assert [*examine_own_targets()]
    bad.unlink()
    assert not [*examine_own_targets()]


def test_a_pipe_among_the_users_targets_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "edgepack" / "targets"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe.toml")
    (examined,) = examine_own_targets()
    assert "is a pipe, a socket or a device; give a file" in (examined.problem or "")
    targets, errors = read_all_targets()
    assert len(errors) == 1
    assert "rp2040" in {each.name for each in targets}
