"""Block-wise reading of arrays, and comparisons that do not depend on the block size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluated_outputs import INT8

from edgepack.evaluation.deviation import output_deviation
from edgepack.runtimes import run_parts
from edgepack.storage.arrays import blocks, load_array, min_and_max, read_slice, save_array


@pytest.mark.usefixtures("small_blocks")
def test_blocks_are_aligned_and_bypass_the_memory_map(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(20, 3)
    save_array(tmp_path / "a.npy", values)
    mapped = load_array(tmp_path / "a.npy")
    read = list(blocks(mapped, np.arange(20)))
    assert [rows for rows, _ in read][:2] == [slice(0, 3), slice(3, 6)]
    assert not any(isinstance(block, np.memmap) for _, (block, _) in read)
    np.testing.assert_array_equal(np.concatenate([block for _, (block, _) in read]), values)
    np.testing.assert_array_equal(np.concatenate([each for _, (_, each) in read]), np.arange(20))


def test_a_view_of_a_memory_map_is_read_through_the_map(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(20, 3)
    for name, array in (("c", values), ("fortran", np.asfortranarray(values))):
        save_array(tmp_path / f"{name}.npy", array)
        mapped = load_array(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(read_slice(mapped, slice(4, 6)), values[4:6])
        np.testing.assert_array_equal(read_slice(mapped[3:], slice(1, 3)), values[4:6])
        np.testing.assert_array_equal(
            read_slice(mapped.reshape(10, 6), slice(2, 3)), values[4:6].reshape(1, 6)
        )


@pytest.mark.usefixtures("small_blocks")
def test_extremes_are_computed_by_blocks() -> None:
    values = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    assert min_and_max(values).tolist() == [values.min(), values.max()]
    values[77, 1] = np.nan
    assert np.isnan(min_and_max(values)).all()


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_deviations_do_not_depend_on_the_block_size(
    dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    outputs, reference = (random.integers(-9, 9, (50, 4)).astype(dtype) for _ in range(2))
    at_once = output_deviation(outputs, reference, INT8, 0.5)
    monkeypatch.setattr("edgepack.storage.arrays._BLOCK_BYTES", 100)
    assert output_deviation(outputs, reference, INT8, 0.5) == at_once
    lsb = np.abs(outputs.astype(float) - reference) / (1 if dtype is np.int8 else 17 / 255)
    assert at_once.max_lsb == pytest.approx(lsb.max())
    assert at_once.mean_lsb == pytest.approx(lsb.mean())


def test_parts_of_outputs_are_joined_and_infinity_becomes_a_number(tmp_path: Path) -> None:
    paths = [tmp_path / "0.npy", tmp_path / "1.npy"]
    save_array(paths[0], np.array([[1.0, np.inf]], np.float32))
    save_array(paths[1], np.array([[-np.inf, np.nan], [2.0, 3.0]], np.float32))
    largest = np.finfo(np.float32).max
    joined = run_parts.join_parts(paths)
    np.testing.assert_array_equal(joined, np.array([[1, largest], [-largest, np.nan], [2, 3]]))
    assert run_parts.has_nan(joined)
    assert not any(path.exists() for path in paths)
