"""The output folder appears whole or not at all."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from edgepack.artifact import describe, describe_all
from edgepack.bundle import MANIFEST
from edgepack.errors import OutputError
from edgepack.staging import stage


def fill(output: Path, *, force: bool = False, text: str = "new") -> None:
    with stage(output, force=force) as folder:
        (folder / "file").write_text(text)
        manifest = {"artifacts": {"file": {}}, "versions": {"edgepack": "0"}}
        (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_folder_appears_with_all_its_files_and_nothing_beside_it(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    with stage(output, force=False) as folder:
        (folder / "file").write_text("x")
        assert not output.exists()
    assert [path.name for path in output.iterdir()] == ["file"]
    assert [path.name for path in output.parent.iterdir()] == ["b"]


def test_the_folder_has_the_rights_of_any_new_folder(tmp_path: Path) -> None:
    fill(tmp_path / "out")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_a_failure_nothing_is_there(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with stage(tmp_path / "new" / "out", force=False) as folder:
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
    with pytest.raises(ValueError, match="stop"), stage(output, force=True):
        raise ValueError("stop")
    assert (output / "file").read_text() == "old"


def test_force_never_replaces_what_edgepack_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path / "photos", force=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="exists and is no folder"):
        fill(tmp_path / "file", force=True)
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty", force=True)


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"name": "my browser extension"}', '{"artifacts": {"mine": {}}}']
)
def test_force_is_not_fooled_by_another_programs_manifest(tmp_path: Path, manifest: str) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path, force=True)
    assert (tmp_path / "mine").read_text() == "precious"


def test_force_keeps_what_a_user_added(tmp_path: Path) -> None:
    fill(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("precious")
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "precious"


def test_an_interruption_while_the_folder_is_put_in_place_comes_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return rename(path, target)

    fill(tmp_path / "out", text="old")
    monkeypatch.setattr(Path, "rename", interrupted)
    fill(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for output in (tmp_path / "file" / "out", Path("/proc/edgepack/out")):
        with pytest.raises(
            OutputError, match=r"out: cannot be written: .*; check the path and its rights"
        ):
            fill(output)


def test_a_write_that_fails_is_one_sentence(tmp_path: Path) -> None:
    def fail() -> None:
        with stage(tmp_path / "out", force=False):
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


def test_a_folder_is_described_by_its_content_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "b").write_text("b")
        (tmp_path / name / "a").write_text("a")
    assert list(describe_all(tmp_path / "one")) == ["a", "deep/b"]
    assert describe(tmp_path / "one") == describe(tmp_path / "two")
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "c")
    assert describe(tmp_path / "one") != describe(tmp_path / "two")
