"""The targets that come with edgepack: plausible figures, with their sources in each file."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from conftest import ROOT

from edgepack.devices.target import Target, load_target

NAMES = sorted(path.stem for path in (ROOT / "targets").glob("*.toml"))
TARGETS = [load_target(name) for name in NAMES]
MICROCONTROLLERS = [target for target in TARGETS if target.kind == "microcontroller"]
KERNELS = {
    "Cortex-M0+": "cmsis-nn",
    "Cortex-M4F": "cmsis-nn-dsp",
    "Cortex-M7F": "cmsis-nn-dsp",
    "Cortex-M33F": "cmsis-nn-dsp",
    "Cortex-M55": "cmsis-nn-mve",
    "Xtensa LX6": "esp-nn",
    "Xtensa LX7": "esp-nn-s3",
    "RISC-V": "esp-nn",
}


def test_popular_devices_are_included() -> None:
    assert set(NAMES) >= {
        *("android-arm64", "iphone-15", "linux-arm64", "raspberry-pi-4", "raspberry-pi-zero-2-w"),
        *("nano-33-ble-sense", "stm32l4r5zi", "stm32f746", "stm32h743", "stm32u585", "nrf5340"),
        *("rp2040", "rp2350", "esp32", "esp32-s3", "esp32-c3", "corstone-300", "ethos-u55"),
    }


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_a_file_documents_its_figures(target: Target) -> None:
    text = (ROOT / "targets" / f"{target.name}.toml").read_text()
    assert text.startswith("# ")  # which memory is counted, and which is not
    assert all(re.search(r"[A-Z]\w+.*[a-z]", source) for source in target.sources)
    for above, line in pairwise(text.splitlines()):
        if line.startswith("application_"):
            assert above.startswith(("# ", "application_"))  # a comment says what each share is for


@pytest.mark.parametrize("target", MICROCONTROLLERS, ids=lambda target: target.name)
def test_figures_of_a_microcontroller_are_plausible(target: Target) -> None:
    assert target.flash_bytes
    assert target.ram_bytes
    assert target.flash_bytes % 1024 == target.ram_bytes % 1024 == 0
    assert 256 * 1024 <= target.ram_bytes <= target.flash_bytes <= 8 << 20
    assert 16 <= target.clock_mhz <= 600
    assert target.application_flash_share > 0 < target.application_ram_share
    assert target.quantization == "full-integer"
    (kernels,) = {kernels for name, kernels in KERNELS.items() if name in target.processor}
    assert target.kernels == kernels


def test_phones_and_boards_run_models_that_are_not_quantized() -> None:
    for target in TARGETS:
        if target.kind != "microcontroller":
            assert target.quantization == "any"
            assert "xnnpack" in target.delegates
            assert ("gpu" in target.delegates) == (target.kind == "phone")
            assert 100 << 20 < (target.model_ram_bytes or 0) < 8 << 30
            assert (target.flash_bytes is not None) == (target.kind == "phone")


def test_the_models_of_mlperf_tiny_fit_its_reference_board() -> None:
    # Flash and arena on a Cortex-M4F with CMSIS-NN, runtime and static RAM included.
    board = load_target("stm32l4r5zi")
    for flash, ram in ((107_640, 24_296), (150_004, 56_472), (305_184, 3_664)):
        assert flash < (board.model_flash_bytes or 0) / 2
        assert ram < (board.model_ram_bytes or 0) / 2
