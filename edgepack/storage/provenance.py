"""The provenance of an output folder: its inputs, settings, versions and processor."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgepack.config.compression_step import step_as_json
from edgepack.config.export import ExportConfig
from edgepack.config.inputs import is_function_name
from edgepack.config.model_source import ModelSettings, ModelSource
from edgepack.core.codec import as_json
from edgepack.core.errors import ModelError
from edgepack.core.packages import installed_versions
from edgepack.core.version import __version__
from edgepack.core.wording import WARNING
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.manifest import MADE_FROM, RECIPE, Manifest, Source, find_source

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
    distributions: Collection[str] = (), interpreters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the versions of edgepack, Python, the packages that are there, and interpreters."""
    return (
        {"edgepack": __version__, "python": platform.python_version()}
        | installed_versions(distributions)
        | dict(interpreters)
    )


def model_manifest(
    command: str,
    artifacts: dict[str, Artifact],
    inputs: Mapping[str, Any],
    settings: Mapping[str, Any],
    interpreters: Mapping[str, str],
) -> Manifest:
    """Return the manifest of a folder that was made of a model with settings, as JSON values.

    ``inputs`` are those that :func:`describe_inputs` returns.
    """
    return Manifest(
        command=command,
        artifacts=artifacts,
        request={RECIPE: {**inputs, **settings}, "processor": processor()},
        versions=package_versions(_DISTRIBUTIONS, interpreters),
    )


def loading_settings(config: ModelSettings) -> dict[str, Any]:
    """Return how a model is loaded, as a manifest lists it."""
    return {"custom_objects": list(config.custom_objects), "allow_unsafe": config.allow_unsafe}


def export_settings(config: ExportConfig) -> dict[str, Any]:
    """Return the settings of an export, without its inputs, as a manifest lists them."""
    return loading_settings(config) | {
        "observer": config.observer,
        # Without compression, manifests have always had "prune": null.
        **(
            {"compress": [*map(step_as_json, config.compress)]}
            if config.compress
            else {"prune": None}
        ),
        "samples": config.samples,
        "seed": config.seed,
        "quantization": as_json(config.quantization),
        **({"split_outputs": True} if config.split_outputs else {}),
        "targets": list(config.targets),
        "metric": config.metric,
        **({"budgets": budgets} if (budgets := config.budgets.given) else {}),
    }


def processor() -> dict[str, str | None]:
    """Return what the last bits of floats depend on: the architecture and vector instructions.

    TensorFlow and LiteRT choose kernels by them, which sum in different orders. The instructions
    are None if the system does not report them.
    """
    known = (
        set(_CPUINFO.read_text(encoding="utf-8", errors="replace").split())
        if _CPUINFO.is_file()
        else set()
    )
    vectors = next((name for name in _VECTORS if name in known), None)
    return {"architecture": platform.machine(), "vectors": vectors}


def describe_model(source: ModelSource) -> dict[str, Any]:
    """Describe the files of a model by their roles, as :func:`describe_data` does."""
    return {role: describe_data(path) for role, path in source.inputs.items()}


def describe_inputs(config: ExportConfig, model: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the inputs of an export by their roles, as :func:`describe_data` does.

    ``model`` is what :func:`describe_model` returned before the model was loaded. Raises
    :class:`ModelError` if its files have changed since: what was loaded is then unknown.
    """
    inputs = {role: describe_data(data) for role, data in config.inputs.items()}
    for role, described in model.items():
        if inputs[role] != described:
            raise ModelError(
                f"{config.inputs[role]}: changed while it was read; run the command again when it"
                " is complete"
            )
    return inputs


_ROLES = {
    "model": "model",
    "weights": "file of weights",
    "representative": "representative dataset",
    "test": "test data",
    "train": "training data",
    "ranges": "file of ranges",
    "recipe_file": "project file",
}


def repeat_notes(repeats: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield a note if inputs are others than those of the export that is repeated.

    ``repeats`` are those by the manifest of the export, ``inputs`` those that were read; both are
    as :func:`describe_inputs` returns them.
    """
    others = [
        f"the {what} was {_identity(repeats[role])} and is {_identity(inputs[role])}"
        for role, what in _ROLES.items()
        if role in repeats and role in inputs and _content(repeats[role]) != _content(inputs[role])
    ]
    if others:
        yield (
            f"{WARNING}the result does not repeat the export of the manifest in --config:"
            f" {'; '.join(others)}"
        )


def _content(described: Mapping[str, Any]) -> Any:
    return described.get("sha256") or _name(described)


def _identity(described: Mapping[str, Any]) -> str:
    digest = described.get("sha256")
    return f"{_name(described)} (SHA-256 {str(digest)[:12]}...)" if digest else _name(described)


def _name(described: Mapping[str, Any]) -> str:
    return str(described.get("name") or described.get("function") or described.get("object"))


def describe_data(data: Any) -> dict[str, Any]:
    """Describe an input: a file or folder with its SHA-256 and bytes, a function or an object.

    A file that edgepack wrote also has what it was made from, by the manifest beside it.
    """
    if isinstance(data, str) and is_function_name(data):
        return {"function": data}
    if not isinstance(data, (str, Path)):
        return {"object": type(data).__qualname__}
    path = Path(data).resolve()
    return _described(path.name, describe(path), find_source(path))


def describe_read(path: Path, artifact: Artifact) -> dict[str, Any]:
    """Describe a file as :func:`describe_data` does, whose content was read before."""
    return _described(path.name, artifact, find_source(path.resolve()))


def _described(name: str, artifact: Artifact, source: Source | None) -> dict[str, Any]:
    made_from = {MADE_FROM: as_json(source)} if source else {}
    return {"name": name} | asdict(artifact) | made_from
