"""The ``phone`` command: a .tflite file with metadata, and classes for apps to run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.labels import find_labelled_output, read_labels
from edgepack.config.phone import PhoneConfig
from edgepack.config.preprocessing import Preprocessing
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument
from edgepack.emit.phone.kotlin import kotlin_source
from edgepack.emit.phone.metadata import with_metadata
from edgepack.emit.phone.phone_model import PhoneModel, app_io_tensors, require_preprocessing_fits
from edgepack.emit.phone.swift import swift_source
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import companion_files
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file, reporting_damage
from edgepack.report.data.phone import PhoneReport
from edgepack.storage.artifact import describe_all
from edgepack.storage.manifest import Manifest
from edgepack.storage.output_folder import staged_output
from edgepack.storage.provenance import describe_data, package_versions

_COMMAND = "phone"


@former_argument("app", "config")
@takes(PhoneConfig)
def phone(config: PhoneConfig) -> PhoneReport:
    """Write the model with embedded metadata, and a class that runs it in Kotlin and in Swift.

    Raises :class:`~edgepack.core.errors.ModelError` for a file that is damaged or that apps cannot
    run, :class:`~edgepack.core.errors.ConfigError` for labels or preprocessing that do not fit the
    model, and :class:`~edgepack.core.errors.OutputError` if the folder cannot be written.
    """
    model = _phone_model(config, read_file(config.model))
    with reporting_damage(config.model):
        data = with_metadata(model)
    inputs = [*config.inputs.values(), *companion_files(config.model)]
    with staged_output(config.output, _COMMAND, inputs, force=config.force) as folder:
        (folder / model.file).write_bytes(data)
        for suffix, text in ((".kt", kotlin_source(model)), (".swift", swift_source(model))):
            (folder / f"{model.class_name}{suffix}").write_text(
                text, encoding="utf-8", newline="\n"
            )
        artifacts = describe_all(folder)
        manifest = Manifest(
            command=_COMMAND,
            artifacts=artifacts,
            request={_COMMAND: _described(config, model)},
            versions=package_versions(["flatbuffers"]),
        )
        manifest.write(folder)
    return PhoneReport(
        name=model.name,
        class_name=model.class_name,
        artifacts=artifacts,
        notes=tuple(_notes(config, model)),
    )


def _phone_model(config: PhoneConfig, file: ParsedFile) -> PhoneModel:
    """Assemble the input of the emitters.

    Raises :class:`~edgepack.core.errors.ConfigError` for labels or preprocessing that do not fit.
    """
    graph = file.model.main
    with reporting_damage(config.model):
        inputs = app_io_tensors(
            "input", [each.name for each in file.signature.inputs], graph.input_tensors
        )
        outputs = app_io_tensors("output", file.outputs, graph.output_tensors)
    preprocessing = read_project_file(config.project_file).described(file.signature)
    try:
        for end in inputs:
            require_preprocessing_fits(end, preprocessing[end.title])
    except ConfigError as error:
        raise ConfigError(f"{config.project_file}: {error}") from None
    labels: tuple[str, ...] = ()
    labelled = 0
    if config.labels is not None:
        labels = read_labels(config.labels)
        labelled = find_labelled_output(config.labels, labels, file.signature.outputs)
    return PhoneModel(
        name=_valid_text(config.name or default_name(config.model)),
        data=file.data,
        model=file.model,
        inputs=inputs,
        outputs=outputs,
        preprocessing=preprocessing,
        labels=labels,
        labelled=labelled,
        description=_valid_text(config.description),
    )


def _valid_text(text: str) -> str:
    """Replace what cannot be encoded in UTF-8 by ``?``; a path may contain any bytes."""
    return text.encode("utf-8", "replace").decode()


def _described(config: PhoneConfig, model: PhoneModel) -> dict[str, Any]:
    """Describe the settings for the manifest: inputs by name and content, and the texts."""
    inputs = {role: describe_data(path) for role, path in config.inputs.items()}
    return inputs | {"name": model.name, "description": model.description}


def _notes(config: PhoneConfig, model: PhoneModel) -> Iterator[str]:
    """Yield notes on what the app must know, or do itself."""
    if config.labels is None:
        yield "no labels: if an output stands for classes, name them with --labels FILE"
    unprocessed = [
        end.title
        for end in model.inputs
        if model.preprocessing[end.title] == Preprocessing() and model.is_real(end)
    ]
    if unprocessed:
        yield (
            f"{', '.join(unprocessed)}: the app must provide real values like the training data;"
            " describe their preprocessing with --config FILE"
        )
    custom = {
        operator.name
        for graph in model.model.subgraphs
        for operator in graph.operators
        if operator.is_custom
    }
    if custom:
        yield f"{', '.join(sorted(custom))}: custom operators, which the app must register"
