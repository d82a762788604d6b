"""The float model of a comparison: a Keras or TensorFlow model, or a .tflite file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from edgepack.config.model_source import ModelSource
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.core.codec import restore
from edgepack.core.signature import LoadedModelInfo, Signature
from edgepack.load.formats import Format, detect_format
from edgepack.load.tflite_file import TfliteFile, require_float
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs, Samples
from edgepack.pipeline.steps.model_process import collect_output, model_session, session_folder
from edgepack.pipeline.steps.model_steps import not_compared_notes
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file
from edgepack.storage.arrays import array_paths
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.cache import Cache
from edgepack.storage.provenance import describe_model
from edgepack.workers.client import Worker


class ReferenceModel:
    """Loads the model on first use, so that cached results need no TensorFlow.

    A .tflite file is not loaded by TensorFlow: ``file`` holds it, and interpreters run it. Models
    that may run custom code are never cached, because that code may have changed; their results are
    identified by the outputs themselves. ``runtime`` is the name of what runs the model, ``inputs``
    describes its files as in the manifest, ``notes`` are those of loading and converting it.
    ``stack`` closes the worker.

    Raises :class:`~edgepack.core.errors.ModelError` for a model that cannot be loaded.
    """

    signature: Signature
    runtime: str
    notes: tuple[str, ...] = ()

    def __init__(
        self, source: ModelSource, cache: Cache, stack: ExitStack, work: Path, *, verbose: bool
    ) -> None:
        self.path = source.path
        self.file: ParsedFile | None = None
        if detect_format(source.path) is Format.TFLITE:
            self.file = read_file(source.path)
            require_float(source.path, self.file.model.main)
        self._source = source
        self._stack = stack
        self._work = work
        self._verbose = verbose
        self._worker: Worker | None = None
        self._converted: ParsedFile | None = None
        self._cache = cache.without_storage() if source.runs_code else cache
        self.inputs = describe_model(source)
        self.signature, self.runtime = self._signature()

    def predict(self, samples: Samples) -> Callable[[], RuntimeOutputs]:
        """Start running a model that is not a .tflite file; returns a function that awaits it.

        Raises what the worker does when the result is awaited.
        """
        key = ["predict", self._content, samples.content]
        cached = RuntimeOutputs.from_cache(
            self._cache.find(key), [*key, []], len(self.signature.outputs)
        )
        if cached is not None:
            return lambda: cached
        session, stem = self.session(), session_folder(self._work) / "predicted"
        names = [output.name for output in self.signature.outputs]
        predicting = session.start(
            "predict",
            inputs=dict(samples.data.files),
            outputs=str(stem),
        )

        def wait() -> RuntimeOutputs:
            predicting.result()
            paths = array_paths(stem, names).values()
            files = {f"{index}.npy": Path(path) for index, path in enumerate(paths)}
            outputs = (
                [describe(path).sha256 for path in files.values()] if self._source.runs_code else []
            )
            return RuntimeOutputs.from_entry(
                self._cache.keep(key, self.runtime, files), [*key, outputs]
            )

        return wait

    def tflite(self, samples: Samples) -> ParsedFile:
        """Return the model as a float .tflite file, converted for samples and held against them."""
        if self.file is not None:
            return self.file
        if self._converted is None:
            self._converted = self._convert(samples)
        return self._converted

    def _convert(self, samples: Samples) -> ParsedFile:
        key = ["convert", self._content, samples.content]
        entry = self._cache.find(key)
        if entry is None:
            written = session_folder(self._work) / FLOAT_TFLITE
            kept_file = self._work / FLOAT_TFLITE
            converted = self.session().call(
                "convert", samples=dict(samples.data.files), float_tflite=str(written)
            )
            collect_output(written, kept_file)
            entry = self._cache.keep(key, converted, {FLOAT_TFLITE: kept_file})
        self.notes += tuple(not_compared_notes(entry.value))
        return read_file(entry.folder / FLOAT_TFLITE)

    @property
    def artifact(self) -> Artifact:
        """The size and SHA-256 of the model file as provided."""
        model = self.inputs["model"]
        return Artifact(bytes=model["bytes"], sha256=model["sha256"])

    @property
    def _content(self) -> Any:
        return [described["sha256"] for described in self.inputs.values()]

    def _signature(self) -> tuple[Signature, str]:
        if self.file is not None:
            return self.file.signature, TfliteFile.runtime
        loaded = self._cache.get_or_compute(
            ["signature", self._content], LoadedModelInfo, self._load
        )
        self.notes = loaded.notes
        return loaded.signature, loaded.runtime

    def session(self) -> Worker:
        """Return the process that has loaded the model; starts it if necessary."""
        if self._worker is None:
            self._load()
        assert self._worker is not None  # noqa: S101 (_load sets it)
        return self._worker

    def _load(self) -> LoadedModelInfo:
        worker = self._stack.enter_context(
            model_session(
                self._source,
                self._work,
                verbose=self._verbose,
                imports_tensorflow=self.file is None,
            )
        )
        loading = worker.start("load", strategy=None)
        import_module("scipy.special")  # needed for scores; takes a second while the model loads
        loaded = restore(LoadedModelInfo, loading.result())
        self._worker = worker
        return loaded
