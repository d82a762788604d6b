"""The provenance of an output folder: its inputs, settings, versions and processor."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgepack.config.export import Recipe, is_function_name, step_as_json, without_none
from edgepack.core.codec import as_json
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.manifest import RECIPE, Manifest

_DISTRIBUTIONS = (
    "keras",
    "numpy",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
)
_CPUINFO = Path("/proc/cpuinfo")
_VECTORS = ("avx512f", "avx2", "avx", "sve", "asimd")  # the widest first


def package_versions(
    distributions: Iterable[str] = (), interpreters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the versions of edgepack, Python, ``distributions`` and ``interpreters``."""
    return (
        {"edgepack": version("edgepack"), "python": platform.python_version()}
        | {name: version(name) for name in distributions}
        | dict(interpreters)
    )


def export_manifest(
    command: str,
    recipe: Recipe,
    artifacts: dict[str, Artifact],
    inputs: dict[str, Any],
    interpreters: Mapping[str, str],
) -> Manifest:
    """Return the manifest of a folder that a recipe made.

    ``inputs`` are those that :func:`describe_inputs` returns.
    """
    settings = {
        "custom_objects": list(recipe.custom_objects),
        "allow_unsafe": recipe.allow_unsafe,
        "observer": recipe.observer,
        # Without compression, manifests have always had "prune": null.
        **(
            {"compress": [*map(step_as_json, recipe.compress)]}
            if recipe.compress
            else {"prune": None}
        ),
        "samples": recipe.samples,
        "seed": recipe.seed,
        "quantization": as_json(recipe.quantization),
        **({"split_outputs": True} if recipe.split_outputs else {}),
        "targets": list(recipe.targets),
        "metric": recipe.metric,
        **({"budgets": budgets} if (budgets := _set_budgets(recipe)) else {}),
    }
    return Manifest(
        command=command,
        artifacts=artifacts,
        request={RECIPE: inputs | settings, "processor": processor()},
        versions=package_versions(_DISTRIBUTIONS, interpreters),
    )


def _set_budgets(recipe: Recipe) -> dict[str, Any]:
    return without_none(**as_json(recipe.budgets))


def processor() -> dict[str, str | None]:
    """Return what the last bits of floats depend on: the architecture and vector instructions.

    TensorFlow and LiteRT choose kernels by them, which sum in different orders. The instructions
    are None if the system does not report them.
    """
    known = set(_CPUINFO.read_text().split()) if _CPUINFO.is_file() else set()
    vectors = next((name for name in _VECTORS if name in known), None)
    return {"architecture": platform.machine(), "vectors": vectors}


def describe_inputs(recipe: Recipe) -> dict[str, Any]:
    """Describe the inputs of a recipe by their roles, as :func:`describe_data` does."""
    return {role: describe_data(data) for role, data in recipe.inputs.items()}


def describe_data(data: Any) -> dict[str, Any]:
    """Describe an input: a file or folder with its SHA-256 and bytes, a function or an object."""
    if isinstance(data, str) and is_function_name(data):
        return {"function": data}
    if not isinstance(data, (str, Path)):
        return {"object": type(data).__qualname__}
    path = Path(data)
    return {"name": path.resolve().name} | asdict(describe(path))
