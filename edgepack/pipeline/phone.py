"""A .tflite file for apps: with metadata, and with classes that run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgepack.config.labels import output_with_labels, read_labels
from edgepack.config.phone import PhoneConfig
from edgepack.config.preprocessing import Preprocessing
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import ConfigError
from edgepack.emit.phone.kotlin import kotlin
from edgepack.emit.phone.metadata import with_metadata
from edgepack.emit.phone.phone_model import PhoneModel, model_ends, require_prepared
from edgepack.emit.phone.swift import swift
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import companion_files
from edgepack.pipeline.validation.read_inputs import ValidatedFile, making_sense_of, read_file
from edgepack.report.data.phone import PhoneReport
from edgepack.storage.artifact import describe_all
from edgepack.storage.manifest import Manifest
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import describe_data, versions

_COMMAND = "phone"


def phone(app: PhoneConfig) -> PhoneReport:
    """Write a folder with the model, its metadata in the file, and a class in Kotlin and in Swift.

    Raises :class:`~edgepack.core.errors.ModelError` for a file that is damaged or that apps cannot
    run, :class:`~edgepack.core.errors.ConfigError` for labels or preprocessing that do not fit it,
    and :class:`~edgepack.core.errors.OutputError`.
    """
    model = _phone_model(app, read_file(app.model))
    with making_sense_of(app.model):
        data = with_metadata(model)
    inputs = [*app.inputs.values(), *companion_files(app.model)]
    with staged_output(app.output, _COMMAND, inputs, force=app.force) as folder:
        (folder / model.file).write_bytes(data)
        for suffix, text in ((".kt", kotlin(model)), (".swift", swift(model))):
            (folder / f"{model.class_name}{suffix}").write_text(text, encoding="utf-8")
        artifacts = describe_all(folder)
        made = Manifest(
            command=_COMMAND,
            artifacts=artifacts,
            asked={_COMMAND: _described(app, model)},
            versions=versions(["flatbuffers"]),
        )
        made.write(folder)
    return PhoneReport(
        name=model.name,
        class_name=model.class_name,
        artifacts=artifacts,
        notes=tuple(_notes(app, model)),
    )


def _phone_model(app: PhoneConfig, file: ValidatedFile) -> PhoneModel:
    """Put together what the emitters take."""
    graph = file.model.main
    with making_sense_of(app.model):
        inputs = model_ends(
            "input", [each.name for each in file.signature.inputs], graph.input_tensors
        )
        outputs = model_ends("output", file.outputs, graph.output_tensors)
    preprocessing = read_project_file(app.project_file).described(file.signature)
    try:
        for end in inputs:
            require_prepared(end, preprocessing[end.title])
    except ConfigError as error:
        raise ConfigError(f"{app.project_file}: {error}") from None
    labels: tuple[str, ...] = ()
    labelled = 0
    if app.labels is not None:
        labels = read_labels(app.labels)
        labelled = output_with_labels(app.labels, labels, file.signature.outputs)
    return PhoneModel(
        name=_text(app.name or default_name(app.model)),
        data=file.data,
        model=file.model,
        inputs=inputs,
        outputs=outputs,
        preprocessing=preprocessing,
        labels=labels,
        labelled=labelled,
        description=_text(app.description),
    )


def _text(given: str) -> str:
    """Put marks in the place of what is no text: a path may hold any bytes."""
    return given.encode("utf-8", "replace").decode()


def _described(app: PhoneConfig, model: PhoneModel) -> dict[str, Any]:
    """Tell what was asked for, by names and content."""
    inputs = {role: describe_data(path) for role, path in app.inputs.items()}
    return inputs | {"name": model.name, "description": model.description}


def _notes(app: PhoneConfig, model: PhoneModel) -> Iterator[str]:
    """Say what the app has to know, or do itself."""
    if app.labels is None:
        yield "no labels: if an output tells classes, name them with --labels FILE"
    bare = [
        end.title
        for end in model.inputs
        if model.preprocessing[end.title] == Preprocessing() and model.is_real(end)
    ]
    if bare:
        yield (
            f"{', '.join(bare)}: the app gives real values as the model was trained on; describe"
            " how they come about with --config FILE"
        )
    custom = {
        operator.name
        for graph in model.model.subgraphs
        for operator in graph.operators
        if operator.is_custom
    }
    if custom:
        yield f"{', '.join(sorted(custom))}: custom operators, which the app has to bring"
