#!/usr/bin/env python3
"""Load models of many kinds as edgepack does, without --allow-unsafe; print what it rejects.

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

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ModelError
from edgepack.load import load_model

MLPERF = Path(__file__).resolve().parents[2] / "shared" / "data" / "mlperf_tiny"
LOADED = "loaded"
LARGE = ("Large", "XL", "B5", "B6", "B7", "V2L", "V2M", "VGG", "152", "101", "NASNetLarge")
"""Skipped: they have the same kinds of layers as the smaller variants."""


def models(kit: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the models of a Keras by name, as functions that build them."""
    for name, build in zoo.MODELS.items():
        yield name, lambda build=build: build(kit)
    for name, build in inspect.getmembers(kit.applications, inspect.isfunction):
        if name not in zoo.MODELS and not any(part in name for part in LARGE):
            yield name, lambda build=build: build(weights=None)


def is_own(each: object) -> bool:
    """Whether an object is a custom class of the zoo."""
    return isinstance(each, type) and each.__module__ == zoo_layers.__name__


def outcome(path: Path, kit: Any) -> str:
    """Load a model as edgepack does; return the outcome in words."""
    try:
        load_model(ModelSource(path=path))
    except ModelError as error:
        message = str(error)
    else:
        return LOADED
    own = [name for name, each in vars(zoo_layers).items() if is_own(each)]
    if any(f"names {place}{name}'" in message for name in own for place in ("'", "'zoo_layers.")):
        custom_objects = tuple(f"zoo_layers:{name}" for name in own)
        load_model(ModelSource(path=path, custom_objects=custom_objects))
        return "loaded with --custom-objects, which it needs"
    try:
        kit.models.load_model(path, compile=False)
    except Exception:  # noqa: BLE001 (any error of Keras counts)
        return "not loaded by its own Keras either"
    return f"REJECTED: {message}"


def main(packages: list[str]) -> None:
    """Load all models, and print the outcomes."""
    legacy = importlib.import_module("tf_keras")
    paths = [*MLPERF.glob("*/*.h5"), *MLPERF.glob("kws/kws_ref_model")]
    outcomes = {f"MLPerf Tiny's {path.name}": outcome(path, legacy) for path in paths}
    for package in packages:
        kit = importlib.import_module(package)
        for name, build in models(kit):
            model = build()
            for ending in (".keras", ".h5"):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / f"model{ending}"
                    model.save(path)
                    outcomes[f"{package}: {name}{ending}"] = outcome(path, kit)
            kit.backend.clear_session()
    for name, text in outcomes.items():
        if text != LOADED:
            print(f"{name}: {text}")
    for text, count in Counter(outcomes.values()).most_common():
        print(f"{count:6}  {text}")
    sys.exit(any(text.startswith("REJECTED") for text in outcomes.values()))


if __name__ == "__main__":
    main(sys.argv[1:] or ["keras", "tf_keras"])
