"""What is on disk is what is installed."""

from __future__ import annotations

import configparser
import zipfile
from pathlib import Path

from conftest import ROOT, python


def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_every_package_on_disk_is_listed() -> None:
    listed = set(setup()["options"]["packages"].split())
    folders = {"edgepack": "", "targets": "edgepack.", "calibration": "edgepack."}
    found = {
        prefix + ".".join(path.parent.relative_to(ROOT).parts)
        for folder, prefix in folders.items()
        for path in (ROOT / folder).rglob("__init__.py")
        if not any(parent.is_symlink() for parent in path.parents)
    }
    assert listed == found


def test_the_wheel_holds_edgepack_alone_with_its_targets(tmp_path: Path) -> None:
    done = python("-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edgepack"}
    assert {
        "edgepack/targets/rp2040.toml",
        "edgepack/calibration/datasets/reader.py",
        "edgepack/calibration/lint/data_rules.py",
        "edgepack/footprint/kernel_bytes.json",
        "edgepack/runtimes/attempt.tflite",
        "edgepack/runtimes/operators.json",
        "edgepack/py.typed",
    } <= set(names)


def test_the_top_level_is_what_it_should_be() -> None:
    listed = python(
        "-c",
        "import subprocess; print(subprocess.check_output(['git', 'ls-files'], text=True))",
        cwd=ROOT,
    ).stdout.split()
    assert {name.split("/")[0] for name in listed} == {
        *("setup.cfg", "edgepack", "targets", "calibration", "tests", "scripts", "docs"),
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml"),
        "requirements-light.txt",
        *(".gitignore", ".ci"),
    }
