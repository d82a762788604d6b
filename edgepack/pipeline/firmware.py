"""Firmware: C sources of .tflite files for microcontrollers, without TensorFlow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

from edgepack import bundle
from edgepack.build import LONE, Build
from edgepack.deviation import Validation
from edgepack.emit.files import model_files
from edgepack.emit.firmware import End, FirmwareModel
from edgepack.emit.layouts import LAYOUTS, Layout
from edgepack.emit.main import main_cc
from edgepack.emit.model_settings import elements
from edgepack.emit.names import MAX_NAME, ends, model_names
from edgepack.errors import ConversionError, MissingToolError, ModelError, RecipeError, TargetError
from edgepack.footprint import Arena
from edgepack.footprint.flash import operator_names, runtime_flash_bytes
from edgepack.labels import labelled_output, read_labels
from edgepack.load.tflite_file import of_file
from edgepack.manifest import describe_data, manifest
from edgepack.pipeline.evidence import gather, judge_all
from edgepack.pipeline.file import File, read_file
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.vectors import vector_inputs, vectors
from edgepack.progress import Progress, Silent, Update
from edgepack.recipe_file import RecipeFile, read_recipe_file
from edgepack.report.firmware import FirmwareReport, ModelReport
from edgepack.report.target import TargetReport
from edgepack.runtimes import RUNTIMES
from edgepack.runtimes.processes import Interpreters, Run, interpreters
from edgepack.target import Target, load_target
from edgepack.types import Model

_TFLM = RUNTIMES["tflm"]
_ALIGNMENT = 16
_DEFAULT_LAYOUT = "cmake"
_REPORT = "report.json"

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What is asked for one model."""

    file: File
    labels: tuple[str, ...]
    labels_file: Path | None
    recipe_file: RecipeFile
    test: Any

    @property
    def described(self) -> dict[str, Any]:
        """Its files, by name and content."""
        given = {
            "model": self.file.path,
            "labels": self.labels_file,
            "recipe_file": self.recipe_file.path,
            "test": self.test,
        }
        return {role: describe_data(data) for role, data in given.items() if data is not None}


def firmware(
    build: Build, progress: Progress | None = None, *, verbose: bool = False
) -> FirmwareReport:
    """Write the C sources of .tflite files, as a project for a target.

    Writes ``build.output`` whole or not at all, and returns the report that it holds. A model that
    does not pass on the target is still written: ``report.passed`` tells. ``verbose`` lets the
    interpreter write to standard error. Raises an :class:`~edgepack.errors.EdgepackError` for what
    a user can cause or cure, among it a model that TensorFlow Lite Micro does not run.
    """
    progress = progress or Silent()
    target = load_target(build.target)
    _require_micro(target)
    layout_name = build.layout or target.layout or _DEFAULT_LAYOUT
    layout = _layout(layout_name)
    with (
        bundle.stage(build.output, force=build.force) as folder,
        tempfile.TemporaryDirectory(prefix="edgepack-") as work,
        interpreters([_TFLM], jobs=1, verbose=verbose) as running,
    ):
        with progress.step("load"):
            asked = _ask(build)
        models: dict[str, FirmwareModel] = {}
        reports: dict[str, ModelReport] = {}
        with progress.step("run") as update:
            for name, each in asked.items():
                place = Path(work) / name
                place.mkdir()
                models[name], reports[name] = _prepare(
                    build, target, name, each, running, place, update
                )
        with progress.step("emit"):
            texts: dict[str, str] = {}
            for name, model in models.items():
                with of_file(asked[name].file.path):
                    texts |= model_files(model)
            bundle.write_texts(folder, _project(layout, list(models.values()), texts))
        report = FirmwareReport(
            target=target,
            layout=layout_name,
            models=reports,
            files=bundle.describe_all(folder),
            flash_bytes=_flash_bytes(list(models.values()), target),
        )
        bundle.write_json(folder / _REPORT, report.to_dict())
        files = report.files | {_REPORT: bundle.describe(folder / _REPORT)}
        made = {"firmware": _described(build, target, layout_name, asked)}
        bundle.write_json(
            folder / bundle.MANIFEST, manifest(made, files, ["numpy"], runtimes=[_TFLM])
        )
    return report


def _require_micro(target: Target) -> None:
    """Raise for a target without TensorFlow Lite Micro, and if that is not installed here."""
    if target.kernels is None:
        raise TargetError(
            f"{target.name}: runs no TensorFlow Lite Micro; name a microcontroller, which edgepack"
            " targets lists, or use edgepack phone"
        )
    if target.accelerator:
        raise TargetError(
            f"{target.name}: its {target.accelerator} runs models that Vela has compiled, which"
            " are not written as firmware; name a target without an NPU, such as corstone-300"
        )
    if missing := _TFLM.missing():
        raise MissingToolError(f"the test vectors and the arena come from tflm: {missing}")


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise RecipeError(f"layout {name!r}: the layouts are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _project(
    layout: Layout, models: Sequence[FirmwareModel], texts: Mapping[str, str]
) -> dict[str, str]:
    """Write the whole project around the models' ``texts``, by path."""
    name = project_name([model.name for model in models])
    return layout.lay_out(name, texts, main_cc(models, layout.entry))


def project_name(names: Sequence[str]) -> str:
    """Name a project after its models, or after the first one where that would be too long.

    Arduino allows a library 63 characters.

    >>> project_name(["kws", "ic"]), project_name(["kws"] * 20)
    ('kws_ic', 'kws_and_19')
    """
    joined = "_".join(names)
    return joined if len(joined) <= MAX_NAME else f"{names[0]}_and_{len(names) - 1}"


def _require_values(inputs: Sequence[End], outputs: Sequence[End]) -> None:
    """Raise :class:`ModelError` for a model that gives nothing, or takes or gives no values."""
    if not outputs:
        raise ModelError("the model gives no outputs: there is nothing to test")
    for end in (*inputs, *outputs):
        elements(end)


def _ask(build: Build) -> dict[str, _Asked]:
    """Read what is asked for each model, by the names that its C symbols start with."""
    titles = [source.name or default_name(source.path) for source in build.models]
    names = model_names(titles)
    labels = _by_name("labels", build.labels, titles)
    recipe_files = _by_name("recipe", build.recipe_files, titles)
    tests = _by_name("test", build.tests, titles)
    return {
        name: _Asked(
            file=read_file(source.path),
            labels=read_labels(labels[title]) if title in labels else (),
            labels_file=labels.get(title),
            recipe_file=read_recipe_file(recipe_files.get(title)),
            test=tests.get(title),
        )
        for name, title, source in zip(names, titles, build.models, strict=True)
    }


def _by_name(
    option: str, given: Mapping[str, _Value], titles: Sequence[str]
) -> Mapping[str, _Value]:
    """Find which model each value is for; raises :class:`RecipeError` where that is not said."""
    if LONE in given:
        if len(titles) > 1:
            raise RecipeError(
                f"--{option} {given[LONE]}: does not say of which model; write"
                f" --{option} {titles[0]}={given[LONE]}"
            )
        return {titles[0]: given[LONE]}
    if unknown := sorted(given.keys() - set(titles)):
        raise RecipeError(
            f"--{option} {unknown[0]}=...: there is no such model; the models are"
            f" {', '.join(titles)}"
        )
    return given


def _prepare(
    build: Build,
    target: Target,
    name: str,
    asked: _Asked,
    running: Interpreters,
    work: Path,
    update: Update,
) -> tuple[FirmwareModel, ModelReport]:
    """Run a model for its test vectors and its arena, and judge it."""
    file = asked.file
    described = asked.recipe_file.described(file.signature)
    if asked.labels_file:
        labelled_output(asked.labels_file, asked.labels, file.signature.outputs)
    main = file.model.main
    inputs, outputs = ends(main.input_tensors, "input"), ends(main.output_tensors, "output")
    with of_file(file.path):
        _require_values(inputs, outputs)
    samples = vector_inputs(file, asked.test, asked.recipe_file, build.vectors, work, update)
    copy = work / "model.tflite"  # what was read, be it a pipe, and under a name of this length
    copy.write_bytes(file.data)
    run = running.run(model=copy, inputs=samples, outputs=file.outputs, work=work, update=update)[
        _TFLM.name
    ]
    judged = _judge(target, file, run)
    if run.outputs is None or judged.footprint is None:
        raise ConversionError(f"{file.path}: {'; '.join(judged.verdict.reasons)}")
    arena_bytes = _arena_bytes(judged.footprint.arena, build.arena_margin_percent)
    with of_file(file.path):
        golden = vectors(file.model, samples, run.outputs)
    model = FirmwareModel(
        name=name,
        data=file.data,
        model=file.model,
        inputs=inputs,
        outputs=outputs,
        arena_bytes=arena_bytes,
        preprocessing=described,
        labels=asked.labels,
        device=target.description,
        vectors=golden,
    )
    return model, ModelReport(
        file=file.path.name,
        artifact=bundle.describe(file.path),
        inputs=file.signature.inputs,
        outputs=file.signature.outputs,
        operators=tuple(operator_names(file.model)),
        arena_bytes=arena_bytes,
        ram_bytes=arena_bytes + judged.footprint.runtime_ram_bytes,
        vectors=len(model.vectors),
        data="random" if asked.test is None else "test",
        target=judged,
    )


def _judge(target: Target, file: File, run: Run) -> TargetReport:
    validation = Validation(runs={_TFLM.name: run}, deviations={}, notes=())
    with of_file(file.path):
        evidence = gather(file.model, file.data, [target], validation, None, {})
    return judge_all([target], evidence)[target.name]


def _arena_bytes(arena: Arena, margin_percent: float) -> int:
    """Size the arena: what TFLM needs to start, in any build, and the margin, in steps of 16."""
    needed = ceil((arena.least + arena.reserve) * (1 + margin_percent / 100))
    return -(-needed // _ALIGNMENT) * _ALIGNMENT


def _flash_bytes(models: Sequence[FirmwareModel], target: Target) -> int:
    """Count what all models take of the flash together, with a runtime that has all operators."""
    assert target.kernels is not None  # noqa: S101 (required above)
    graphs = tuple(graph for each in models for graph in each.model.subgraphs)
    runtime = runtime_flash_bytes(Model(subgraphs=graphs), target.kernels)
    return runtime + sum(len(each.data) for each in models)


def _described(
    build: Build, target: Target, layout: str, asked: Mapping[str, _Asked]
) -> dict[str, Any]:
    """Tell what was asked for, by names and content."""
    return {
        "target": target.name,
        "layout": layout,
        "arena_margin_percent": build.arena_margin_percent,
        "vectors": build.vectors,
        "models": {name: each.described for name, each in asked.items()},
    }
