"""Stored results are found again, and corrupt or unrelated ones are not."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.evaluation.results import Interval
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.storage import cache as module
from edgepack.storage.arrays import load_array, save_array
from edgepack.storage.cache import Cache, default_cache_folder

KEY = {"what": "run", "model": "abc", "samples": [1, 2]}


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def kept(tmp_path: Path, scratch: Path) -> Cache:
    return Cache(tmp_path / "cache", scratch)


def an_array(folder: Path) -> Path:
    path = folder / "made.npy"
    save_array(path, np.arange(10))
    return path


def test_a_value_and_its_files_are_found_again(tmp_path: Path, kept: Cache, scratch: Path) -> None:
    entry = kept.keep(KEY, {"version": "2.3"}, {"0.npy": an_array(scratch)})
    found = Cache(tmp_path / "cache", scratch).find(KEY)
    assert found == entry
    assert found is not None
    assert found.value == {"version": "2.3"}
    assert load_array(found.folder / "0.npy").tolist() == list(range(10))
    assert kept.find(dict(reversed(KEY.items()))) == entry


@pytest.mark.parametrize("key", [{}, KEY | {"model": "abd"}, KEY | {"samples": [2, 1]}, [KEY]])
def test_another_key_finds_nothing(kept: Cache, key: Any) -> None:
    kept.keep(KEY, 1)
    assert kept.find(key) is None


@pytest.mark.parametrize("versions", ["_code", "_packages"])
def test_other_code_finds_nothing(
    kept: Cache, monkeypatch: pytest.MonkeyPatch, versions: str
) -> None:
    kept.keep(KEY, 1)
    monkeypatch.setattr(module, versions, lambda: "another version")
    assert kept.find(KEY) is None


def test_the_packages_are_those_that_are_installed() -> None:
    assert ("numpy", np.__version__) in module._packages()


def test_damaged_outputs_are_not_found(kept: Cache, scratch: Path) -> None:
    entry = kept.keep(KEY, "2.3", {"0.npy": an_array(scratch)})
    assert RuntimeOutputs.from_cache(kept.find(KEY), KEY, 1) is not None
    assert RuntimeOutputs.from_cache(kept.find(KEY), KEY, 2) is None
    path = entry.folder / "0.npy"
    path.write_bytes(bytes(path.stat().st_size))  # as a crash may leave a file
    assert RuntimeOutputs.from_cache(kept.find(KEY), KEY, 1) is None


def test_without_a_folder_nothing_is_found_but_files_remain(scratch: Path) -> None:
    forgetful = Cache(None, scratch)
    entry = forgetful.keep(KEY, 1, {"0.npy": an_array(scratch)})
    assert load_array(entry.folder / "0.npy").size == 10
    assert forgetful.find(KEY) is None


@pytest.mark.parametrize("damage", ["cut", "gone", "more", "no json", "other json"])
def test_an_incomplete_entry_is_not_found_and_replaced(
    kept: Cache, scratch: Path, damage: str
) -> None:
    folder = kept.keep(KEY, 1, {"0.npy": an_array(scratch)}).folder
    if damage == "cut":
        (folder / "0.npy").write_bytes(b"\x93NUMPY")
    elif damage == "gone":
        (folder / "0.npy").unlink()
    elif damage == "more":
        (folder / "1.npy").write_bytes(b"")
    elif damage == "no json":
        (folder / "result.json").write_bytes(b"\xff{")
    else:
        (folder / "result.json").write_text("[]")
    assert kept.find(KEY) is None
    kept.keep(KEY, 2, {"0.npy": an_array(scratch)})
    found = kept.find(KEY)
    assert found is not None
    assert found.value == 2


def test_a_dataclass_is_made_once_and_again_if_the_entry_does_not_fit(kept: Cache) -> None:
    made = []

    def make() -> Interval:
        made.append(1)
        return Interval(low=0.5, high=1.0)

    assert kept.get_or_compute(KEY, Interval, make) == kept.get_or_compute(KEY, Interval, make)
    assert len(made) == 1
    entry = kept.find(KEY)
    assert entry is not None
    content = json.loads((entry.folder / "result.json").read_text())
    (entry.folder / "result.json").write_text(json.dumps(content | {"value": {"low": "0.5"}}))
    assert kept.get_or_compute(KEY, Interval, make) == Interval(low=0.5, high=1.0)
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = Cache(tmp_path / "file" / "cache", scratch)
    entry = broken.keep(KEY, 1, {"0.npy": an_array(scratch)})
    assert load_array(entry.folder / "0.npy").size == 10
    assert broken.find(KEY) is None


def test_the_least_recently_used_entry_is_removed_first(
    kept: Cache, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = an_array(scratch).stat().st_size
    monkeypatch.setattr(module, "_MAX_BYTES", 3 * size)
    old, used = (
        kept.keep("old", 1, {"0": an_array(scratch)}),
        kept.keep("used", 2, {"0": an_array(scratch)}),
    )
    for entry, hours in ((old, 2), (used, 3)):
        os.utime(entry.folder, (0, time.time() - 3600 * hours))
    assert kept.find("used")
    kept.keep("new", 3, {"0": an_array(scratch)})
    assert kept.find("old") is None
    assert kept.find("used")
    assert kept.find("new")


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def change_the_value(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"value": {"version": "6.6"}}))


def link_elsewhere(path: Path) -> None:
    elsewhere = path.parents[1] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def put_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES = {
    "a flipped bit in an array": ("0.npy", flip_a_bit),
    "a flipped bit in the value": ("result.json", flip_a_bit),
    "another value": ("result.json", change_the_value),
    "an array that is a link": ("0.npy", link_elsewhere),
    "a value that is a link": ("result.json", link_elsewhere),
    "an array that is a pipe": ("0.npy", put_a_pipe),
    "a value that is a pipe": ("result.json", put_a_pipe),
    "a folder among the arrays": ("0.npy", put_a_folder),
    "a link in place of the entry": (".", link_elsewhere),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_modified_entry_is_removed_and_reported(
    tmp_path: Path, kept: Cache, scratch: Path, change: str
) -> None:
    entry = kept.keep(KEY, {"version": "2.3"}, {"0.npy": an_array(scratch)})
    name, make = CHANGES[change]
    make(entry.folder / name if name != "." else entry.folder)
    assert kept.find(KEY) is None
    assert not os.path.lexists(entry.folder)
    assert kept.notes == ("a result in the cache had been modified: removed and computed again",)
    assert not any(path.name.startswith(".") for path in (tmp_path / "cache").iterdir())
    kept.keep(KEY, {"version": "2.3"}, {"0.npy": an_array(scratch)})
    assert kept.find(KEY) == entry
    assert len(kept.notes) == 1


def test_a_link_is_removed_but_not_its_target(tmp_path: Path, kept: Cache, scratch: Path) -> None:
    folder = kept.keep(KEY, 1, {"0.npy": an_array(scratch)}).folder
    link_elsewhere(folder)
    assert kept.find(KEY) is None
    assert (tmp_path / "elsewhere" / "0.npy").is_file()


def test_a_missing_entry_is_not_reported(kept: Cache) -> None:
    assert kept.find(KEY) is None
    kept.keep(KEY, 1)
    assert kept.find("another") is None
    assert kept.notes == ()


def test_other_files_in_the_cache_folder_are_left_alone(
    tmp_path: Path, kept: Cache, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 0)
    monkeypatch.setattr(module, "_IN_USE_S", -1)
    mine = tmp_path / "cache" / "mine"
    mine.mkdir(parents=True)
    (mine / "file").write_text("precious")
    kept.keep(KEY, 1, {"0.npy": an_array(scratch)})
    assert kept.find(KEY) is None  # the cache was too large
    assert (mine / "file").read_text() == "precious"


def test_a_failed_cleanup_loses_nothing(
    kept: Cache, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Cache) -> None:
        raise FileNotFoundError("another process removed it")

    monkeypatch.setattr(Cache, "_shrink", refuse)
    entry = kept.keep(KEY, 1, {"0.npy": an_array(scratch)})
    assert load_array(entry.folder / "0.npy").size == 10
    assert kept.find(KEY) == entry


def test_an_identical_entry_of_another_process_is_not_replaced(kept: Cache, scratch: Path) -> None:
    first = kept.keep(KEY, 1, {"0.npy": an_array(scratch)})
    inode = (first.folder / "0.npy").stat().st_ino
    assert kept.keep(KEY, 1, {"0.npy": an_array(scratch)}) == first
    assert (first.folder / "0.npy").stat().st_ino == inode
    assert not list(scratch.iterdir())
    assert kept.keep(KEY, 2, {"0.npy": an_array(scratch)}).value == 2
    found = kept.find(KEY)
    assert found is not None
    assert found.value == 2


def test_the_folder_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_folder() == Path("/somewhere/edgepack")
    monkeypatch.setenv("HOME", "/home/me")
    for unset in ("", "relative", "./relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert default_cache_folder() == Path("/home/me/.cache/edgepack")


@pytest.mark.parametrize(("cache", "home"), [("relative", "here"), ("", "here")])
def test_there_is_no_folder_rather_than_one_in_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, cache: str, home: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setenv("HOME", home)
    assert default_cache_folder() is None
