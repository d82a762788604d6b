"""Firmware projects: C sources of .tflite files for microcontrollers, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.firmware import FirmwareConfig
from edgepack.config.known_words import require_one_of
from edgepack.core.errors import MissingToolError, TargetError
from edgepack.core.former_names import former_argument
from edgepack.core.progress import NoProgress, Progress
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.devices.target import Target, load_target, target_file
from edgepack.emit.c.c_identifiers import MAX_NAME
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.layouts import LAYOUTS, Layout
from edgepack.emit.tflm.main_cc import main_cc
from edgepack.emit.tflm.model_files import model_files
from edgepack.footprint.flash import runtime_flash_bytes
from edgepack.load.tflite_file import name_file_in_errors
from edgepack.pipeline.firmware_project.prepare_model import prepare_model
from edgepack.pipeline.firmware_project.read_models import ModelInputs, read_model_inputs
from edgepack.report.data.firmware import FirmwareReport, ModelReport
from edgepack.runtimes import TFLM
from edgepack.runtimes.installed import missing_packages, versions_of
from edgepack.runtimes.processes import interpreters
from edgepack.storage import text_files
from edgepack.storage.artifact import describe, describe_all
from edgepack.storage.manifest import Manifest
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import package_versions
from edgepack.tflite.graph import Model

_DEFAULT_LAYOUT = "cmake"
_REPORT = "report.json"
_COMMAND = "firmware"


@former_argument("build", "config")
@takes(FirmwareConfig)
def firmware(
    config: FirmwareConfig, progress: Progress | None = None, *, verbose: bool = False
) -> FirmwareReport:
    """Write the C sources of .tflite files as a project for a target.

    Writes ``config.output`` atomically, and returns the report that it contains. A model that fails
    on the target is still written; see ``report.passed``. ``verbose`` lets the interpreter write to
    standard error. Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause
    or cure, including a model that TensorFlow Lite Micro does not run.
    """
    progress = progress or NoProgress()
    target = load_target(config.target)
    _require_micro(target)
    layout_name = config.layout or target.layout or _DEFAULT_LAYOUT
    layout = _layout(layout_name)
    with progress.step("load"):
        model_inputs = read_model_inputs(config)
    paths = [
        target_file(config.target),
        *(data for each in model_inputs.values() for data in each.read),
    ]
    with (
        staged_output(config.output, _COMMAND, paths, force=config.force) as folder,
        TemporaryFolder(folder.parent) as work,
        interpreters([TFLM], jobs=1, verbose=verbose) as running,
    ):
        models: dict[str, FirmwareModel] = {}
        reports: dict[str, ModelReport] = {}
        with progress.step("run") as update:
            for name, each in model_inputs.items():
                model_work = work / name
                model_work.mkdir()
                models[name], reports[name] = prepare_model(
                    config, target, name, each, running, model_work, update
                )
        with progress.step("emit"):
            texts: dict[str, str] = {}
            for name, model in models.items():
                with name_file_in_errors(model_inputs[name].file.path):
                    texts |= model_files(model)
            text_files.write_texts(folder, _project(layout, list(models.values()), texts))
        report = FirmwareReport(
            target=target,
            layout=layout_name,
            models=reports,
            files=describe_all(folder),
            flash_bytes=_flash_bytes(list(models.values()), target),
        )
        text_files.write_json(folder / _REPORT, report.to_dict())
        manifest = Manifest(
            command=_COMMAND,
            artifacts=report.files | {_REPORT: describe(folder / _REPORT)},
            request={_COMMAND: _described(config, target, layout_name, model_inputs)},
            versions=package_versions(["numpy"], versions_of([TFLM])),
        )
        manifest.write(folder)
    return report


def _require_micro(target: Target) -> None:
    """Raise an error unless the target runs TensorFlow Lite Micro, and that is installed.

    Raises :class:`TargetError` or :class:`MissingToolError`.
    """
    if target.kernels is None:
        raise TargetError(
            f"{target.name}: does not run TensorFlow Lite Micro; name a microcontroller (see"
            " edgepack targets), or use edgepack phone"
        )
    if target.accelerator:
        raise TargetError(
            f"{target.name}: its {target.accelerator} runs models that Vela has compiled, which"
            " are not written as firmware; name a target without an NPU, such as corstone-300"
        )
    if messages := missing_packages([TFLM]):
        raise MissingToolError(f"the test vectors and the arena come from tflm: {messages[0]}")


def _layout(name: str) -> Layout:
    require_one_of("layout", name, LAYOUTS)
    return LAYOUTS[name]


def _project(
    layout: Layout, models: Sequence[FirmwareModel], texts: Mapping[str, str]
) -> dict[str, str]:
    """Return the files of the whole project by path; ``texts`` are those of the models."""
    name = project_name([model.name for model in models])
    return layout.lay_out(name, texts, main_cc(models, layout.entry))


def project_name(names: Sequence[str]) -> str:
    """Return a project name from its models, shortened to the first one if it would be too long.

    Arduino allows at most 63 characters for the name of a library.

    >>> project_name(["kws", "ic"]), project_name(["kws"] * 20)
    ('kws_ic', 'kws_and_19')
    """
    joined = "_".join(names)
    return joined if len(joined) <= MAX_NAME else f"{names[0]}_and_{len(names) - 1}"


def _flash_bytes(models: Sequence[FirmwareModel], target: Target) -> int:
    """Return the flash of all models in bytes, with one runtime that has all their operators."""
    assert target.kernels is not None  # noqa: S101 (required above)
    graphs = tuple(graph for each in models for graph in each.model.subgraphs)
    runtime = runtime_flash_bytes(Model(subgraphs=graphs), target.kernels)
    return runtime + sum(len(each.data) for each in models)


def _described(
    config: FirmwareConfig, target: Target, layout: str, model_inputs: Mapping[str, ModelInputs]
) -> dict[str, Any]:
    """Describe the settings for the manifest, files by name and content."""
    return {
        "target": target.name,
        "layout": layout,
        "arena_margin_percent": config.arena_margin_percent,
        "vectors": config.vectors,
        "models": {name: each.described for name, each in model_inputs.items()},
    }
