#!/usr/bin/env python3
"""Load models of many kinds as edgepack does, without --allow-unsafe; print those it refuses.

    .venv/bin/python scripts/loads.py [keras|tf_keras]    # the zoo, keras.applications, MLPerf Tiny

Each is built with random weights, saved in every format of its Keras, and loaded. Takes minutes.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zoo
import zoo_layers

from edgepack.errors import ModelError
from edgepack.load import load_model
from edgepack.recipe import Source

MLPERF = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
LARGE = ("Large", "XL", "B5", "B6", "B7", "V2L", "V2M", "VGG", "152", "101", "NASNetLarge")
"""The same layers as in the smaller ones, more of them."""


def models(kit: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name all models of a Keras, and say how to build them."""
    for name, build in zoo.MODELS.items():
        yield name, lambda build=build: build(kit)
    for name, build in inspect.getmembers(kit.applications, inspect.isfunction):
        if name not in zoo.MODELS and not any(part in name for part in LARGE):
            yield name, lambda build=build: build(weights=None)


def refused(path: Path, kit: Any = None) -> str | None:
    """Load a model; returns what it was refused for, though its Keras loads it."""
    own = [
        f"zoo_layers:{name}" for name, each in vars(zoo_layers).items() if isinstance(each, type)
    ]
    try:
        load_model(Source(path=path))
    except ModelError as error:
        if "Sampling" in str(error):  # of the zoo's own
            load_model(
                Source(path=path, custom_objects=tuple(f"zoo_layers:{name}" for name in own))
            )
            return None
        try:
            (kit or importlib.import_module("tf_keras")).models.load_model(path, compile=False)
        except Exception:  # noqa: BLE001 (whatever it is, it is not edgepack's)
            return None
        return str(error)
    return None


def main(packages: list[str]) -> None:
    """Load them, and tell."""
    given = [*MLPERF.glob("*/*.h5"), *MLPERF.glob("kws/kws_ref_model")]
    found = {f"MLPerf Tiny's {path.name}": refused(path) for path in given}
    for package in packages:
        kit = importlib.import_module(package)
        for name, build in models(kit):
            model = build()
            for ending in (".keras", ".h5"):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / f"model{ending}"
                    model.save(path)
                    found[f"{package}: {name}{ending}"] = refused(path, kit)
            kit.backend.clear_session()
    for name, why in found.items():
        if why is not None:
            print(f"{name}: {why}")
    print(f"{sum(why is None for why in found.values())} of {len(found)} loaded")


if __name__ == "__main__":
    main(sys.argv[1:] or ["keras", "tf_keras"])
