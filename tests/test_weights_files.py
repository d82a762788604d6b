"""Files of weights contain their own values, of a plausible size."""

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
    read_stored_model,
    require_safe_weights,
    weights_ending,
)

CONFIG = {"class_name": "Sequential", "module": "keras", "config": {"layers": []}}


def save_weights(path: Path, change: Callable[[Any], None] = lambda _: None) -> Path:
    """Write an HDF5 file as Keras does, with a change."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=np.ones((4, 3), np.float32))
        change(file)
    return path


def pack(path: Path, **members: bytes) -> Path:
    """Write a .keras file, with some of its files replaced or added."""
    weights = save_weights(path.with_suffix(".h5"))
    defaults = {
        "config.json": json.dumps(CONFIG).encode(),
        "metadata.json": b'{"keras_version": "3.12.0"}',
        "model.weights.h5": weights.read_bytes(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (defaults | members).items():
            archive.writestr(name, data)
    return path


def inspect(path: Path, file_format: Format) -> StoredModel:
    """Read a model, and check its weights."""
    stored = read_stored_model(path, file_format)
    require_safe_weights(path, file_format)
    return stored


def external(file: Any) -> None:
    file.create_dataset("outside", (4,), "f4", external=[("secret.txt", 0, 16)])


def external_link(file: Any) -> None:
    file["outside"] = h5py.ExternalLink("other.h5", "/x")


def soft_link(file: Any) -> None:
    file["layers/linked"] = h5py.SoftLink("/layers/dense")


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("deep/outside", layout)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, "the values of '/outside' are in another file"),
        (external_link, "'/outside' is a link"),
        (soft_link, "'/layers/linked' is a link"),
        (virtual, "the values of '/deep/outside' are in another file"),
    ],
)
def test_values_in_other_files_are_rejected_however_they_are_read(
    tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    weights = save_weights(tmp_path / "weights.h5", change)
    archive = pack(tmp_path / "model.keras", **{"model.weights.h5": weights.read_bytes()})
    for read in (
        lambda: inspect(weights, Format.H5),
        lambda: inspect(archive, Format.KERAS),
        lambda: weights_ending(weights),
    ):
        with pytest.raises(UnsafeModelError, match=message):
            read()


def test_hdf5_weights_beside_an_index_are_not_taken_for_a_checkpoint(tmp_path: Path) -> None:
    """Keras decides by the name, and reads HDF5."""
    weights = save_weights(tmp_path / "w.h5", external)
    (tmp_path / "w.h5.index").touch()
    with pytest.raises(UnsafeModelError, match="are in another file"):
        weights_ending(weights)


def test_a_checkpoint_that_leads_out_of_its_folder_is_rejected(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("w.index", "secret"):
        (folder / name).touch()
    shard = folder / "w.data-00000-of-00001"
    shard.symlink_to("secret")
    assert weights_ending(folder / "w") == ""
    shard.unlink()
    (folder / "secret").rename(tmp_path / "secret")
    shard.symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeModelError, match="is a link that leads out of its folder"):
        weights_ending(folder / "w")


@pytest.mark.parametrize("part", ["w.index", "w.data-00000-of-00001"])
def test_a_part_of_a_checkpoint_is_rejected_with_the_prefix_to_use(
    tmp_path: Path, part: str
) -> None:
    for name in ("w.index", "w.data-00000-of-00001"):
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"is part of a TensorFlow checkpoint; use --weights .*w$"):
        weights_ending(tmp_path / part)


def test_a_group_that_contains_itself_is_visited_once() -> None:
    with h5py.File("loop.h5", "w", driver="core", backing_store=False) as file:
        file["a/b"] = np.ones(3)
        file["a/self"] = file["a"]
        from edgepack.load.hdf5 import require_safe_hdf5

        require_safe_hdf5(Path("loop.h5"), file, 1000)


def test_a_dataset_that_claims_more_than_the_file_holds_is_rejected(tmp_path: Path) -> None:
    def large(file: Any) -> None:
        file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 10,))

    path = save_weights(tmp_path / "weights.h5", large)
    with pytest.raises(ModelError, match=r"claims to hold 4,194,304 MiB in a file of 0\.0 MiB"):
        inspect(path, Format.H5)


def test_a_filter_that_hdf5_would_load_a_library_for_is_rejected(tmp_path: Path) -> None:
    def filtered(file: Any) -> None:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((4,))
        settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # Zstandard
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, settings)

    path = save_weights(tmp_path / "weights.h5", filtered)
    with pytest.raises(UnsafeModelError, match="compressed by the filter 32015"):
        inspect(path, Format.H5)


def test_objects_instead_of_numbers_are_damage(tmp_path: Path) -> None:
    def strings(file: Any) -> None:
        file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype())

    with pytest.raises(ModelError, match="holds object, not numbers"):
        inspect(save_weights(tmp_path / "weights.h5", strings), Format.H5)


def test_compressed_weights_are_read(tmp_path: Path) -> None:
    def compressed(file: Any) -> None:
        file.create_dataset("x", data=np.zeros(1 << 16, np.float32), compression="gzip")

    assert inspect(save_weights(tmp_path / "weights.h5", compressed), Format.H5).config == CONFIG


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_rejected(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras", **{"config.json": b" " * (100 << 20) + b"{}"})
    with pytest.raises(ModelError, match="claims to hold 100 MiB"):
        inspect(path, Format.KERAS)


def test_weights_in_an_archive_are_compared_with_their_own_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.load.decompression_bombs._ALWAYS_ALLOWED_BYTES", 0)
    values = np.random.default_rng(0).normal(size=1 << 18)
    weights = save_weights(
        tmp_path / "weights.h5", lambda file: file.create_dataset("large", data=values)
    )
    path = pack(tmp_path / "model.keras", **{"model.weights.h5": weights.read_bytes()})
    assert inspect(path, Format.KERAS).config == CONFIG


def test_the_compile_settings_of_an_archive_are_not_part_of_its_configuration(
    tmp_path: Path,
) -> None:
    compiled = CONFIG | {"compile_config": {"loss": "mse"}}
    path = pack(tmp_path / "model.keras", **{"config.json": json.dumps(compiled).encode()})
    stored = read_stored_model(path, detect_format(path))
    assert (stored.config, stored.training, stored.version) == (CONFIG, {"loss": "mse"}, "3.12.0")


def test_files_that_keras_would_unpack_are_rejected(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras", **{"assets/words.txt": b"a"})
    stored = read_stored_model(path, Format.KERAS)
    assert stored.assets == ("assets/words.txt",)
    with pytest.raises(UnsafeModelError, match=r"contains 'assets/words\.txt', which Keras would"):
        require_no_assets(Path("model.keras"), stored.assets)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"config.json": b"[" * 100_000 + b"]" * 100_000}, "nested too deeply"),
        ({"config.json": b"[]"}, "is not a mapping"),
        ({"metadata.json": b"[]"}, "is not a mapping"),
        ({"metadata.json": b"{}"}, "cannot be loaded"),
        ({"config.json": b"\xff\xfe{"}, "cannot be loaded"),
        ({"model.weights.h5": b"none"}, "cannot be loaded"),
    ],
)
def test_a_damaged_archive_is_reported_in_one_line(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(ModelError) as error:
        inspect(pack(tmp_path / "model.keras", **members), Format.KERAS)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_contains_a_file_twice_is_damaged(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match="contains a file twice"):
        inspect(path, Format.KERAS)


@pytest.mark.parametrize("text", [b'{"a": 1', b"[1]", '{"class_name": "\u00e9"}'.encode("utf-16")])
def test_a_configuration_is_read_as_keras_reads_it(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np.void(text)
    with pytest.raises(ModelError):
        inspect(path, Format.H5)
