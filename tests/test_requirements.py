"""What edgepack requires, by its own metadata, for this Python and system."""

from __future__ import annotations

from importlib.metadata import requires
from itertools import product

import pytest
from packaging.requirements import Requirement

from edgepack.core.packages import LITERT, OPTIONAL, REQUIRED, TFLITE_MICRO, TFLITE_RUNTIME
from edgepack.core.requirements import own_requirements, parse_requirements, refusal, wanted

LINES = requires("edgepack") or []
SYSTEMS = {
    "Linux on x86-64": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "Linux on aarch64": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "macOS on arm64": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "Windows on x86-64": {"sys_platform": "win32", "platform_machine": "AMD64"},
}


@pytest.mark.parametrize(("name", "python"), [*product(SYSTEMS, ("3.10", "3.11", "3.12", "3.13"))])
def test_interpreters_are_required_where_there_are_builds_of_them(name: str, python: str) -> None:
    system = {**SYSTEMS[name], "python_version": python}
    required = {key for key, each in parse_requirements(LINES, ["images"], system).items() if each}
    assert {"ai-edge-litert", "tensorflow", "pillow"} <= required
    assert ("tflite-micro" in required) == (name == "Linux on x86-64")
    is_old = python in {"3.10", "3.11"}
    assert ("tflite-runtime" in required) == (is_old and name.startswith("Linux"))
    assert ("tomli" in required) == (python == "3.10")


def test_a_version_that_is_not_required_is_refused_with_what_is() -> None:
    assert wanted("click") == "click>=8.2"
    assert refusal("click", "8.5.1") is None
    assert refusal("click", "8.2.dev1") == "version 8.2.dev1 is not >=8.2, as required"
    assert refusal("click", "8.banana") == "version 8.banana is not >=8.2, as required"
    assert refusal("nothing", "1") is None
    assert wanted("nothing") == "nothing"


def test_every_package_that_is_required_is_one_that_doctor_examines() -> None:
    of_dev = {Requirement(line).name for line in LINES if 'extra == "dev"' in line}
    interpreters = (LITERT, TFLITE_MICRO, TFLITE_RUNTIME)
    known = {each.distribution for each in (*REQUIRED, *OPTIONAL, *interpreters)}
    required = {name for name, needed in own_requirements().items() if needed} - of_dev
    assert required | {"tflite-runtime"} == known  # on Python 3.12 there is none
