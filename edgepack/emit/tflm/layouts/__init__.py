"""Project layouts: models and a self-test as a build system expects them, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgepack.emit.tflm.layouts.arduino import ARDUINO
from edgepack.emit.tflm.layouts.cmake import CMAKE
from edgepack.emit.tflm.layouts.esp_idf import ESP_IDF
from edgepack.emit.tflm.layouts.platformio import PLATFORMIO
from edgepack.emit.tflm.layouts.project import Layout
from edgepack.emit.tflm.layouts.zephyr import ZEPHYR

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "cmake": CMAKE,
        "arduino": ARDUINO,
        "esp-idf": ESP_IDF,
        "zephyr": ZEPHYR,
        "platformio": PLATFORMIO,
    }
)

__all__ = ["LAYOUTS", "Layout"]
