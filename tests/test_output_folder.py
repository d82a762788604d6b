"""The output folder is written atomically, and replaces nothing else."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from edgepack.core.errors import OutputError
from edgepack.storage import atomic_rename, output_folder
from edgepack.storage.artifact import describe, describe_all
from edgepack.storage.manifest import MANIFEST
from edgepack.storage.output_folder import staged_output


def fill(
    output: Path, *inputs: object, force: bool = False, text: str = "new", command: str = "phone"
) -> None:
    with staged_output(output, command, inputs, force=force) as folder:
        (folder / "file").write_text(text)
        (folder / MANIFEST).write_text(json.dumps(manifest("file") | {"command": command}))


def manifest(*files: str) -> dict[str, Any]:
    artifacts: dict[str, Any] = {file: {} for file in files}
    return {"schema": 1, "artifacts": artifacts, "versions": {"edgepack": "0"}}


def test_a_folder_appears_with_all_its_files_and_nothing_beside_it(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    with staged_output(output, "phone", [], force=False) as folder:
        (folder / "file").write_text("x")
        assert not output.exists()
    assert [path.name for path in output.iterdir()] == ["file"]
    assert [path.name for path in output.parent.iterdir()] == ["b"]


def test_the_folder_has_the_permissions_of_any_new_folder(tmp_path: Path) -> None:
    fill(tmp_path / "out")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_a_failure_nothing_is_there(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with staged_output(tmp_path / "new" / "out", "phone", [], force=False) as folder:
            (folder / "half").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_stays_unless_forced(tmp_path: Path) -> None:
    output = tmp_path / "out"
    fill(output, text="old")
    with pytest.raises(OutputError, match="exists; replace it with --force"):
        fill(output)
    assert (output / "file").read_text() == "old"
    fill(output, force=True)
    assert (output / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "out"
    fill(output, text="old")
    with pytest.raises(ValueError, match="stop"), staged_output(output, "phone", [], force=True):
        raise ValueError("stop")
    assert (output / "file").read_text() == "old"


def test_force_never_replaces_what_edgepack_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path / "photos", force=True)
    (tmp_path / "file").write_text("x")
    for output in (tmp_path / "file", tmp_path / "file" / "out", tmp_path / "file" / "a" / "out"):
        with pytest.raises(OutputError, match="/file: exists and is not a folder"):
            fill(output, force=True)
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty", force=True)
    (tmp_path / "folders" / "a").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"contains folders, which no manifest\.json"):
        fill(tmp_path / "folders", force=True)


def test_the_root_folder_is_no_output() -> None:
    with pytest.raises(OutputError, match="/: is the root of the file system; choose another"):
        fill(Path("/"), force=True)


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", '{"name": "my browser extension"}', '{"artifacts": {"mine": {}}}'),
        json.dumps(manifest("mine") | {"schema": 2}),
    ],
)
def test_force_is_not_fooled_by_another_programs_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path, force=True)
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("command", ["export", None, 7])
def test_force_replaces_only_what_the_same_command_wrote(tmp_path: Path, command: object) -> None:
    content = manifest("file") | ({} if command is None else {"command": command})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(content))
    (tmp_path / "out" / "file").write_text("precious")
    unnamed = "its manifest.json names no command"
    who = "edgepack export wrote it" if command == "export" else unnamed
    message = f"a folder that the same command wrote, edgepack phone, but {who}; choose another"
    with pytest.raises(OutputError, match=message):
        fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "file").read_text() == "precious"


def test_force_keeps_what_a_user_added(tmp_path: Path) -> None:
    fill(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("precious")
    message = "only a folder that edgepack wrote, and this one contains 'notes.txt', which no"
    with pytest.raises(OutputError, match=message):
        fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "precious"


@pytest.mark.parametrize("force", [False, True])
def test_two_commands_that_write_one_folder_do_not_mix_their_files(
    tmp_path: Path, *, force: bool
) -> None:
    output = tmp_path / "out"
    refused = nullcontext() if force else pytest.raises(OutputError, match="exists")
    with refused, staged_output(output, "phone", [], force=force) as folder:
        fill(output, text="of the other", force=force)
        (folder / "file").write_text("of the slow one")
        (folder / MANIFEST).write_text(json.dumps(manifest("file") | {"command": "phone"}))
    assert (output / "file").read_text() == ("of the slow one" if force else "of the other")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interruption_while_the_folder_is_put_in_place_comes_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = output_folder.exchange_paths

    def interrupted(folder: Path, output: Path) -> bool:
        signal.raise_signal(signal.SIGINT)
        return swap(folder, output)

    fill(tmp_path / "out", text="old")
    monkeypatch.setattr(output_folder, "exchange_paths", interrupted)
    fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(
        OutputError, match=r"out: cannot be written: .*; check the path and its permissions"
    ):
        fill(Path("/proc/edgepack/out"))


def test_a_write_that_fails_is_one_sentence(tmp_path: Path) -> None:
    def fail() -> None:
        with staged_output(tmp_path / "out", "phone", [], force=False):
            Path("/dev/full").write_text("x")

    with pytest.raises(OutputError, match="out: cannot be written: No space left on device"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    fill(tmp_path / "real", text="old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    fill(tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "new"


@pytest.fixture(params=["exchanged", "renamed twice"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Replace folders as on systems that can exchange two paths, and as on others."""
    if request.param == "renamed twice":
        monkeypatch.setattr(atomic_rename, "_function", lambda: None)
    return str(request.param)


def test_a_folder_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path, way: str) -> None:
    fill(tmp_path / "out", text="old")
    fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "file").read_text() == "new", way
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_appears_at_the_last_moment_is_not_replaced(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process creates the folder between the last check and the renaming."""
    check = output_folder._require_replaceable

    def check_and_create(output: Path, command: str, *, force: bool) -> None:
        check(output, command, force=force)
        if any(tmp_path.iterdir()):
            output.mkdir()
            (output / "theirs").write_text("precious")

    monkeypatch.setattr(output_folder, "_require_replaceable", check_and_create)
    with pytest.raises(OutputError, match="cannot be written: File exists"):
        fill(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"], way
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_kill_between_two_renames_is_undone(tmp_path: Path) -> None:
    fill(tmp_path / "out", text="old")
    (tmp_path / "out").rename(output_folder._backup_path(tmp_path / "out"))
    with pytest.raises(OutputError, match="exists; replace it with --force"):
        fill(tmp_path / "out")
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_kill_after_two_renames_is_cleaned_up(tmp_path: Path) -> None:
    fill(tmp_path / "out", text="old")
    (tmp_path / "out").rename(output_folder._backup_path(tmp_path / "out"))
    shutil.copytree(output_folder._backup_path(tmp_path / "out"), tmp_path / "out")
    fill(tmp_path / "out", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_backup_is_kept_if_a_user_made_the_folder_again(tmp_path: Path) -> None:
    fill(tmp_path / "out", text="old")
    (tmp_path / "out").rename(output_folder._backup_path(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path / "out", force=True)
    assert (output_folder._backup_path(tmp_path / "out") / "file").read_text() == "old"


def test_a_folder_is_described_by_its_content_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "b").write_text("b")
        (tmp_path / name / "a").write_text("a")
    assert list(describe_all(tmp_path / "one")) == ["a", "deep/b"]
    assert describe(tmp_path / "one") == describe(tmp_path / "two")
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "c")
    assert describe(tmp_path / "one") != describe(tmp_path / "two")
