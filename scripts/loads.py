#!/usr/bin/env python3
"""Load models of many kinds as edgepack does, without --allow-unsafe; print what it refuses.

    .venv/bin/python scripts/loads.py [keras|tf_keras]    # the zoo, keras.applications, MLPerf Tiny

Each is built with random weights, saved in every format of its Keras, and loaded. Takes minutes.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zoo
import zoo_layers

from edgepack.config.export import ModelSource
from edgepack.core.errors import ModelError
from edgepack.load import load_model

MLPERF = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
LOADED = "loaded"
LARGE = ("Large", "XL", "B5", "B6", "B7", "V2L", "V2M", "VGG", "152", "101", "NASNetLarge")
"""The same layers as in the smaller ones, more of them."""


def models(kit: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name all models of a Keras, and say how to build them."""
    for name, build in zoo.MODELS.items():
        yield name, lambda build=build: build(kit)
    for name, build in inspect.getmembers(kit.applications, inspect.isfunction):
        if name not in zoo.MODELS and not any(part in name for part in LARGE):
            yield name, lambda build=build: build(weights=None)


def is_own(each: object) -> bool:
    """Whether something is a class of the zoo's own."""
    return isinstance(each, type) and each.__module__ == zoo_layers.__name__


def outcome(path: Path, kit: Any) -> str:
    """Load a model as edgepack does; returns what came of it."""
    try:
        load_model(ModelSource(path=path))
    except ModelError as error:
        told = str(error)
    else:
        return LOADED
    own = [name for name, each in vars(zoo_layers).items() if is_own(each)]
    if any(f"names {place}{name}'" in told for name in own for place in ("'", "'zoo_layers.")):
        named = tuple(f"zoo_layers:{name}" for name in own)
        load_model(ModelSource(path=path, custom_objects=named))
        return "loaded with --custom-objects, which it needs"
    try:
        kit.models.load_model(path, compile=False)
    except Exception:  # noqa: BLE001 (whatever it is, it is not edgepack's)
        return "not loaded by its own Keras either"
    return f"REFUSED: {told}"


def main(packages: list[str]) -> None:
    """Load them, and tell."""
    legacy = importlib.import_module("tf_keras")
    given = [*MLPERF.glob("*/*.h5"), *MLPERF.glob("kws/kws_ref_model")]
    found = {f"MLPerf Tiny's {path.name}": outcome(path, legacy) for path in given}
    for package in packages:
        kit = importlib.import_module(package)
        for name, build in models(kit):
            model = build()
            for ending in (".keras", ".h5"):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / f"model{ending}"
                    model.save(path)
                    found[f"{package}: {name}{ending}"] = outcome(path, kit)
            kit.backend.clear_session()
    for name, told in found.items():
        if told != LOADED:
            print(f"{name}: {told}")
    for told, count in Counter(found.values()).most_common():
        print(f"{count:6}  {told}")
    sys.exit(any(told.startswith("REFUSED") for told in found.values()))


if __name__ == "__main__":
    main(sys.argv[1:] or ["keras", "tf_keras"])
