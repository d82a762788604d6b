"""The float model of a comparison: Keras's, TensorFlow's or a .tflite file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from edgepack.config.export import ModelSource
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.core.codec import restore
from edgepack.core.signature import Loaded, Signature
from edgepack.load.formats import Format, detect_format
from edgepack.load.tflite_file import TfliteFile, require_float
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs, Samples
from edgepack.pipeline.steps.model_process import keep, model_session, own_folder
from edgepack.pipeline.validation.read_inputs import ValidatedFile, read_file
from edgepack.storage.arrays import array_paths
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.cache import Cache
from edgepack.storage.dataset import Dataset
from edgepack.storage.provenance import describe_data
from edgepack.workers.client import Worker


class ReferenceModel:
    """Loads a model when that is needed first: what is in the cache needs no TensorFlow.

    A .tflite file is not loaded here: interpreters run it, and ``file`` holds it. Models that may
    run code of their own are never cached: that code may have changed, so that only what they give
    tells their answers from any others. ``runtime`` is what runs the model, ``inputs`` describes
    its files as the manifest does. The worker is left to ``stack``.

    Raises :class:`~edgepack.core.errors.ModelError` for what cannot be loaded.
    """

    signature: Signature
    runtime: str

    def __init__(
        self, source: ModelSource, cache: Cache, stack: ExitStack, work: Path, *, verbose: bool
    ) -> None:
        self.path = source.path
        self.file: ValidatedFile | None = None
        if detect_format(source.path) is Format.TFLITE:
            self.file = read_file(source.path)
            require_float(source.path, self.file.model.main)
        self._source = source
        self._stack = stack
        self._work = work
        self._verbose = verbose
        self._worker: Worker | None = None
        self._converted: ValidatedFile | None = None
        self._cache = cache.forgetful() if source.runs_code else cache
        self.inputs = {role: describe_data(path) for role, path in source.inputs.items()}
        self.signature, self.runtime = self._signature()

    def predict(self, samples: Samples) -> Callable[[], RuntimeOutputs]:
        """Begin to run a model that is no .tflite file; what is returned waits for its answer."""
        key = ["predict", self._content, samples.content]
        found = RuntimeOutputs.found(self._cache.find(key), [*key, []], len(self.signature.outputs))
        if found is not None:
            return lambda: found
        session, stem = self.session(), own_folder(self._work) / "predicted"
        names = [output.name for output in self.signature.outputs]
        predicting = session.start(
            "predict",
            inputs=dict(samples.data.files),
            outputs=str(stem),
        )

        def wait() -> RuntimeOutputs:
            predicting.result()
            made = array_paths(stem, names).values()
            files = {f"{index}.npy": Path(path) for index, path in enumerate(made)}
            given = (
                [describe(path).sha256 for path in files.values()] if self._source.runs_code else []
            )
            return RuntimeOutputs.of(self._cache.keep(key, self.runtime, files), [*key, given])

        return wait

    def tflite(self, data: Dataset) -> ValidatedFile:
        """Give the model as a float .tflite file for samples as long as these."""
        if self.file is not None:
            return self.file
        if self._converted is None:
            self._converted = self._convert(data)
        return self._converted

    def _convert(self, data: Dataset) -> ValidatedFile:
        shapes = [list(array.shape[1:]) for array in data.inputs.values()]
        key = ["convert", self._content, shapes]
        entry = self._cache.find(key)
        if entry is None:
            made, kept = own_folder(self._work) / FLOAT_TFLITE, self._work / FLOAT_TFLITE
            self.session().call("convert", shapes=shapes, float_tflite=str(made))
            keep(made, kept)
            entry = self._cache.keep(key, None, {FLOAT_TFLITE: kept})
        return read_file(entry.folder / FLOAT_TFLITE)

    @property
    def artifact(self) -> Artifact:
        """The size and content of the model as it was given."""
        model = self.inputs["model"]
        return Artifact(bytes=model["bytes"], sha256=model["sha256"])

    @property
    def _content(self) -> Any:
        return [described["sha256"] for described in self.inputs.values()]

    def _signature(self) -> tuple[Signature, str]:
        if self.file is not None:
            return self.file.signature, TfliteFile.runtime
        loaded = self._cache.remember(["signature", self._content], Loaded, self._load)
        return loaded.signature, loaded.runtime

    def session(self) -> Worker:
        """Give the process in which TensorFlow holds the model."""
        if self._worker is None:
            self._load()
        assert self._worker is not None  # noqa: S101 (it was loaded)
        return self._worker

    def _load(self) -> Loaded:
        worker = self._stack.enter_context(
            model_session(self._source, self._work, verbose=self._verbose)
        )
        loading = worker.start("load", strategy=None)
        import_module("sklearn.metrics")  # scores need it, and it takes a second, as loading does
        loaded = restore(Loaded, loading.result())
        self._worker = worker
        return loaded
