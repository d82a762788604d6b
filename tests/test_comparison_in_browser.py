"""The pages of real comparisons, in a browser: small and wide, light and dark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import NOTHING, SCHEMES, WIDTHS, visit
from conftest import MLPERF, ROOT, Bundle
from jsonschema import validate
from tiny import Tiny, Value

import edgepack as api
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import output_names, worst_runs
from edgepack.report.document.markdown import MAX_CHARACTERS

SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
CLASSES, SIZE = 3, 80
EVERYWHERE = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
ONCE_EACH = list(zip(WIDTHS, SCHEMES, strict=True))


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def compare(config: CompareConfig, folder: Path) -> CompareReport:
    """Compare and write the page; check its JSON by the schema, and the length of its Markdown."""
    report = api.compare(replace(config, output=folder))
    check_schema(folder / "report.json", "compare")
    assert len((folder / "report.md").read_text()) <= MAX_CHARACTERS
    return report


def check_schema(report: Path, schema: str) -> None:
    text = (ROOT / "edgepack" / "report" / "data" / f"{schema}.schema.json").read_text()
    validate(json.loads(report.read_text()), json.loads(text))


def check_in_browser(browser: Any, page: Path, views: list[tuple[int, str]]) -> None:
    for width, scheme in views:
        assert visit(browser, page, width=width, scheme=scheme) == NOTHING, (width, scheme)


def test_the_page_of_kws(browser: Any, mlperf: Path, tmp_path: Path) -> None:
    reference = NamedModel(path=MLPERF / "kws" / "reference_int8.tflite")
    config = CompareConfig(
        model=MLPERF / "kws" / "kws_ref_model",
        candidates=(reference,),
        test=mlperf / "kws_test.npz",
    )
    report = compare(config, tmp_path / "report")
    (quantized,) = report.stages[1:]
    assert quantized.layers
    assert not quantized.layers.unmatched
    check_in_browser(browser, tmp_path / "report" / "report.html", EVERYWHERE)


@pytest.mark.usefixtures("mlperf")
def test_the_page_of_ic(browser: Any, tmp_path: Path) -> None:
    arrays = np.load(MLPERF / "ic" / "test.npz")
    images = arrays["x"][:40].astype(np.float32)
    np.savez(tmp_path / "test.npz", x=images, y=arrays["y"][:40])
    config = CompareConfig(
        model=MLPERF / "ic" / "pretrainedResnet.h5",
        candidates=(NamedModel(path=MLPERF / "ic" / "reference_int8.tflite"),),
        test=tmp_path / "test.npz",
    )
    report = compare(config, tmp_path / "report")
    page = tmp_path / "report" / "report.html"
    written = page.with_suffix(".md").read_text()
    (output,) = output_names(report)
    differing = worst_runs(report, output)[-1].differing  # as on that interpreter
    for sample in differing:
        line = written.partition(f"- **Sample {sample.index}** ")[2].partition("\n")[0]
        assert f"int8: {sample.of_other.label} {sample.of_other.score:.2f}, " in line
    assert page.read_text().count('src="data:image/png;base64,') == len(differing)
    check_in_browser(browser, page, EVERYWHERE)


def test_the_pages_of_a_pruned_model(
    browser: Any, digits: Path, pruned_digits: Bundle, tmp_path: Path
) -> None:
    check_schema(pruned_digits.folder / "report.json", "export")
    check_in_browser(browser, pruned_digits.folder / "report.html", ONCE_EACH)
    config = CompareConfig(
        model=digits / "digits.h5",
        candidates=(NamedModel(path=pruned_digits.folder / "int8.tflite"),),
        test=digits / "test.npz",
    )
    report = compare(config, tmp_path / "report")
    floating, pruned, quantized = report.stages
    assert [stage.role for stage in report.stages] == ["float", "pruned", "quantized"]
    assert floating.sparsity
    assert pruned.sparsity
    assert floating.sparsity.layers.keys() == pruned.sparsity.layers.keys()
    assert pruned.origin
    assert pruned.origin.c_array is None
    assert quantized.origin
    assert quantized.origin.is_same_as_c
    written = (tmp_path / "report" / "report.md").read_text()
    lines = written.partition("### From float to C")[2].partition("###")[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    assert list(dict.fromkeys(row[0] for row in rows)) == [
        *("float", "pruned", "int8", "int8, C array")
    ]
    on_tflm, array = rows[-2:]
    assert on_tflm[:2] == ["int8", "tflm"]
    assert "same bytes" in array[1]
    assert array[2:] == on_tflm[2:]  # the same quality, flash and arena
    check_in_browser(browser, tmp_path / "report" / "report.html", ONCE_EACH)


def hostile(dtype: str) -> bytes:
    """Make a classifier whose layers, inputs and outputs have names that are scripts."""
    tiny = Tiny()

    def tensor(name: str, shape: tuple[int, ...], scale: float, **of: Any) -> int:
        return tiny.tensor(name, Value(shape, dtype, None if dtype == "float32" else scale, **of))

    values = np.random.default_rng(0).integers(-127, 128, (CLASSES, SIZE))
    kernel = values if dtype == "int8" else values / 512
    input_ = tensor(f"x{SCRIPT}", (1, SIZE), 1 / 64)
    weights = tensor(f"m/{SCRIPT}/kernel", (CLASSES, SIZE), 1 / 512, values=kernel)
    logits = tensor(f"m/{SCRIPT}/MatMul", (1, CLASSES), 1 / 16)
    output = tensor(f"m/{IMAGE}/Softmax", (1, CLASSES), 1 / 256, zero_point=-128)
    tiny.operator("FULLY_CONNECTED", [input_, weights, -1], [logits], table="FullyConnectedOptions")
    tiny.operator("SOFTMAX", [logits], [output], table="SoftmaxOptions", beta=1.0)
    return tiny.to_bytes([input_], [output])


def test_names_that_are_scripts_are_shown_as_text(browser: Any, tmp_path: Path) -> None:
    paths = {dtype: tmp_path / f"{dtype}{IMAGE}.tflite" for dtype in ("float32", "int8")}
    for dtype, path in paths.items():
        path.write_bytes(hostile(dtype))
    random = np.random.default_rng(1)
    samples = random.uniform(-1, 1, (40, SIZE)).astype(np.float32)
    np.savez(tmp_path / f"{IMAGE}.npz", x=samples, y=random.integers(0, CLASSES, 40))
    labels = tmp_path / f"labels{IMAGE}.txt"
    labels.write_text("".join(f"{SCRIPT}{number}\n" for number in range(CLASSES)))
    config = CompareConfig(
        model=paths["float32"],
        candidates=(NamedModel(path=paths["int8"], name=SCRIPT),),
        test=tmp_path / f"{IMAGE}.npz",
        labels=labels,
    )
    report = compare(config, tmp_path / "report")
    assert report.stages[1].layers
    page = tmp_path / "report" / "report.html"
    assert not re.search(r"<script[\s>/]", page.read_text())
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.read_text()
    assert "<script" not in (tmp_path / "report" / "report.md").read_text()
    check_in_browser(browser, page, ONCE_EACH)
