"""Files of weights hold their own values, and no more than their size explains."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.load.archive import require_no_assets
from edgepack.load.formats import (
    Format,
    StoredModel,
    detect_format,
    read_stored,
    require_own_weights,
    weights_ending,
)

CONFIG = {"class_name": "Sequential", "module": "keras", "config": {"layers": []}}


def save_weights(path: Path, change: Callable[[Any], None] = lambda _: None) -> Path:
    """Write an HDF5 file as Keras does, and change it."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=np.ones((4, 3), np.float32))
        change(file)
    return path


def pack(path: Path, **members: bytes) -> Path:
    """Write a .keras file of these and what belongs to it."""
    weights = save_weights(path.with_suffix(".h5"))
    held = {
        "config.json": json.dumps(CONFIG).encode(),
        "metadata.json": b'{"keras_version": "3.12.0"}',
        "model.weights.h5": weights.read_bytes(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (held | members).items():
            archive.writestr(name, data)
    return path


def looked_through(path: Path, stored: Format) -> StoredModel:
    """Read a model, and look at its weights."""
    held = read_stored(path, stored)
    require_own_weights(path, stored)
    return held


def external(file: Any) -> None:
    file.create_dataset("theirs", (4,), "f4", external=[("secret.txt", 0, 16)])


def external_link(file: Any) -> None:
    file["theirs"] = h5py.ExternalLink("other.h5", "/x")


def soft_link(file: Any) -> None:
    file["layers/theirs"] = h5py.SoftLink("/layers/dense")


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("deep/theirs", layout)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (external, "the values of '/theirs' lie in another file"),
        (external_link, "'/theirs' is a link"),
        (soft_link, "'/layers/theirs' is a link"),
        (virtual, "the values of '/deep/theirs' lie in another file"),
    ],
)
def test_values_in_other_files_are_refused_in_every_way_in(
    tmp_path: Path, change: Callable[[Any], None], said: str
) -> None:
    weights = save_weights(tmp_path / "weights.h5", change)
    archive = pack(tmp_path / "model.keras", **{"model.weights.h5": weights.read_bytes()})
    for reading in (
        lambda: looked_through(weights, Format.H5),
        lambda: looked_through(archive, Format.KERAS),
        lambda: weights_ending(weights),
    ):
        with pytest.raises(UnsafeModelError, match=said):
            reading()


def test_a_file_beside_the_weights_makes_no_checkpoint_of_them(tmp_path: Path) -> None:
    """Keras goes by the name, and reads HDF5."""
    weights = save_weights(tmp_path / "w.h5", external)
    (tmp_path / "w.h5.index").touch()
    with pytest.raises(UnsafeModelError, match="lie in another file"):
        weights_ending(weights)


def test_a_checkpoint_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    for name in ("w.index", "secret"):
        (tmp_path / "given" / name).touch()
    shard = tmp_path / "given" / "w.data-00000-of-00001"
    shard.symlink_to("secret")
    assert weights_ending(tmp_path / "given" / "w") == ""
    shard.unlink()
    (tmp_path / "given" / "secret").rename(tmp_path / "secret")
    shard.symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeModelError, match="is a link that leads out of its folder"):
        weights_ending(tmp_path / "given" / "w")


@pytest.mark.parametrize("part", ["w.index", "w.data-00000-of-00001"])
def test_a_part_of_a_checkpoint_is_told_what_to_give(tmp_path: Path, part: str) -> None:
    for name in ("w.index", "w.data-00000-of-00001"):
        (tmp_path / name).touch()
    with pytest.raises(
        ModelError, match=r"is a part of a TensorFlow checkpoint; give --weights .*w$"
    ):
        weights_ending(tmp_path / part)


def test_a_group_that_holds_itself_ends() -> None:
    # what is looked through once is not looked through again
    with h5py.File("loop.h5", "w", driver="core", backing_store=False) as file:
        file["a/b"] = np.ones(3)
        file["a/self"] = file["a"]
        from edgepack.load.hdf5 import require_own_values

        require_own_values(Path("loop.h5"), file, 1000)


def test_a_dataset_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    def large(file: Any) -> None:
        file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 10,))

    path = save_weights(tmp_path / "weights.h5", large)
    with pytest.raises(ModelError, match=r"claims to hold 4,194,304 MiB in a file of 0\.0 MiB"):
        looked_through(path, Format.H5)


def test_a_filter_that_hdf5_would_load_a_library_for_is_refused(tmp_path: Path) -> None:
    def filtered(file: Any) -> None:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((4,))
        settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # Zstandard's
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, settings)

    path = save_weights(tmp_path / "weights.h5", filtered)
    with pytest.raises(UnsafeModelError, match="compressed by the filter 32015"):
        looked_through(path, Format.H5)


def test_objects_in_the_place_of_numbers_are_damage(tmp_path: Path) -> None:
    def texts(file: Any) -> None:
        file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype())

    with pytest.raises(ModelError, match="holds object, no numbers"):
        looked_through(save_weights(tmp_path / "weights.h5", texts), Format.H5)


def test_compressed_weights_are_read(tmp_path: Path) -> None:
    def packed(file: Any) -> None:
        file.create_dataset("x", data=np.zeros(1 << 16, np.float32), compression="gzip")

    assert looked_through(save_weights(tmp_path / "weights.h5", packed), Format.H5).config == CONFIG


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras", **{"config.json": b" " * (100 << 20) + b"{}"})
    with pytest.raises(ModelError, match="claims to hold 100 MiB"):
        looked_through(path, Format.KERAS)


def test_weights_in_an_archive_are_held_against_their_own_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.load.decompression_bombs._ALWAYS_BYTES", 0)
    values = np.random.default_rng(0).normal(size=1 << 18)
    weights = save_weights(
        tmp_path / "weights.h5", lambda file: file.create_dataset("large", data=values)
    )
    path = pack(tmp_path / "model.keras", **{"model.weights.h5": weights.read_bytes()})
    assert looked_through(path, Format.KERAS).config == CONFIG


def test_an_archive_is_read_without_what_it_was_trained_with(tmp_path: Path) -> None:
    compiled = CONFIG | {"compile_config": {"loss": "mse"}}
    path = pack(tmp_path / "model.keras", **{"config.json": json.dumps(compiled).encode()})
    held = read_stored(path, detect_format(path))
    assert (held.config, held.training, held.version) == (CONFIG, {"loss": "mse"}, "3.12.0")


def test_what_keras_would_unpack_is_refused(tmp_path: Path) -> None:
    held = read_stored(pack(tmp_path / "model.keras", **{"assets/words.txt": b"a"}), Format.KERAS)
    assert held.assets == ("assets/words.txt",)
    with pytest.raises(UnsafeModelError, match=r"holds 'assets/words\.txt', which Keras would"):
        require_no_assets(Path("model.keras"), held.assets)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"config.json": b"[" * 100_000 + b"]" * 100_000}, "nested too deeply"),
        ({"config.json": b"[]"}, "is no mapping"),
        ({"metadata.json": b"[]"}, "is no mapping"),
        ({"metadata.json": b"{}"}, "cannot be loaded"),
        ({"config.json": b"\xff\xfe{"}, "cannot be loaded"),
        ({"model.weights.h5": b"none"}, "cannot be loaded"),
    ],
)
def test_a_damaged_archive_is_told_in_a_line(
    tmp_path: Path, members: dict[str, bytes], said: str
) -> None:
    with pytest.raises(ModelError) as error:
        looked_through(pack(tmp_path / "model.keras", **members), Format.KERAS)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_holds_a_file_twice_is_damaged(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match="contains a file twice"):
        looked_through(path, Format.KERAS)


@pytest.mark.parametrize("text", [b'{"a": 1', b"[1]", '{"class_name": "\u00e9"}'.encode("utf-16")])
def test_a_configuration_is_read_as_keras_reads_it(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np.void(text)
    with pytest.raises(ModelError):
        looked_through(path, Format.H5)
