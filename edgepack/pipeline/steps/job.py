"""The state of a pipeline: its folders, the model in its worker process, and the data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgepack.calibration.activations.observers import make_observer
from edgepack.calibration.activations.ranges import read_entries
from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.budgets import Budgets
from edgepack.config.compression_step import DISTILLATION
from edgepack.config.export import ExportConfig
from edgepack.config.inputs import without_none
from edgepack.config.project_file import read_project_file
from edgepack.config.quantization import FLOAT_TFLITE, Quantization, tflite_name
from edgepack.config.shared_settings import DEFAULT_OBSERVER
from edgepack.core.codec import restore
from edgepack.core.errors import ConfigError
from edgepack.core.progress import NoProgress, Progress
from edgepack.core.signature import LoadedModelInfo, Signature
from edgepack.devices.scheme_support import why_unsupported
from edgepack.metrics import (
    Measure,
    choose_measures,
    choose_training_measures,
    label_notes,
    require_known_metric,
)
from edgepack.pipeline.steps.check import project_file_budgets
from edgepack.pipeline.steps.model_process import session_folder
from edgepack.runtimes import REFERENCE, Runtime
from edgepack.runtimes.installed import (
    installed_runtimes,
    missing_packages,
    require_any_installed,
    runtimes_named,
)
from edgepack.storage.arrays import Arrays, save_arrays
from edgepack.storage.dataset import Dataset, require_same_classes
from edgepack.workers.client import Worker


@dataclass(frozen=True)
class Job:
    """One run of a pipeline.

    Output files go to ``folder`` and temporary arrays to ``work``. ``session`` is the TensorFlow
    process; it writes to ``session_folder`` and nowhere else.
    """

    config: ExportConfig
    folder: Path
    work: Path
    session_folder: Path
    session: Worker
    progress: Progress
    verbose: bool = False

    @property
    def float_tflite(self) -> Path:
        """The path of the float model."""
        return self.folder / FLOAT_TFLITE

    @property
    def quantized_tflite(self) -> Path:
        """The path of the quantized model, which is named after its scheme."""
        return self.folder / tflite_name(self.config.quantization.scheme)

    @property
    def calibrated_tflite(self) -> Path:
        """The path of the float model with its activation ranges."""
        return self.work / "calibrated.tflite"

    def save(self, name: str, arrays: Arrays) -> dict[str, str]:
        """Save arrays for a worker; returns the paths of their .npy files, by array name."""
        return save_arrays(self.work / name, arrays)


def new_job(
    config: ExportConfig,
    folder: Path,
    work: Path,
    session: Worker,
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> Job:
    """Return a job for a ``session`` that was started in ``work`` by ``model_session``."""
    return Job(
        config=config,
        folder=folder,
        work=work,
        session_folder=session_folder(work),
        session=session,
        progress=progress or NoProgress(),
        verbose=verbose,
    )


@dataclass(frozen=True)
class JobData:
    """The datasets of a job, cast to the model's inputs and checked against its outputs.

    ``runtime`` is the name of what runs the float model. ``representative`` is the test data where
    there is no representative dataset. Interpreters run, and outputs are compared, on
    ``evaluation_data``: the test data if there is any (``is_tested``), else ``representative``.
    ``measures`` has an entry for each output that can be measured on the test data,
    ``training_targets`` for each output that fine-tuning has targets for in ``train``. ``budgets``
    are those of the project file, by its path. ``notes`` are remarks about reading the data.
    """

    signature: Signature
    runtime: str
    representative: Dataset
    evaluation_data: Dataset
    is_tested: bool
    measures: dict[str, Measure]
    train: Dataset | None
    training_targets: dict[str, Measure]
    budgets: dict[str, Budgets]
    notes: tuple[str, ...]


def find_runtimes(
    names: Collection[str], quantization: Quantization
) -> tuple[list[Runtime], tuple[str, ...]]:
    """Return the installed runtimes of these names and the reference kernels, and notes.

    The notes say which are not installed. The reference kernels are omitted, with a note, where
    they do not support the quantization. Raises what
    :func:`~edgepack.runtimes.installed.require_any_installed` does if none of the runtimes is
    installed.
    """
    runtimes = runtimes_named(names)
    require_any_installed(runtimes)
    why = why_unsupported(quantization, REFERENCE.name)
    if why is None:
        runtimes.insert(0, REFERENCE)
        return installed_runtimes(runtimes), missing_packages(runtimes)
    note = f"nothing was compared with the reference kernels of tflite-runtime: {why}"
    return installed_runtimes(runtimes), (*missing_packages(runtimes), note)


def require_data(config: ExportConfig) -> None:
    """Raise :class:`ConfigError` if data that the scheme needs are lacking, or settings are unused.

    Unused settings are an observer or ranges where there are no ranges to choose.
    """
    scheme, needs_ranges = config.quantization.scheme, config.quantization.needs_ranges
    if config.representative is None and config.ranges is None and needs_ranges:
        raise ConfigError(
            f"scheme {scheme} needs activation ranges: give --representative, or --ranges"
        )
    if config.ranges and config.observer != DEFAULT_OBSERVER:
        raise ConfigError(
            f"observer {config.observer!r}: has no effect, since --ranges are given; leave one of"
            " the two out"
        )
    if config.observer != DEFAULT_OBSERVER and not needs_ranges:
        raise ConfigError(
            f"observer {config.observer!r}: scheme {scheme} has no activation ranges; leave it out"
        )
    if config.ranges and not needs_ranges:
        raise ConfigError(f"scheme {scheme} has no activation ranges: leave --ranges out")
    if config.representative is None and config.test is None:
        raise ConfigError(
            f"scheme {scheme} needs samples to compare with float: give --test or --representative"
        )


def load_model_and_data(job: Job) -> JobData:
    """Load the model and the datasets, and check that they fit together.

    Raises :class:`ConfigError` for settings that do not apply, and what loading the model and
    reading the datasets raise.
    """
    config = job.config
    require_known_metric(config.metric)
    make_observer(config.observer)
    if config.ranges:
        read_entries(config.ranges)
    if config.metric is not None and config.test is None and config.train is None:
        raise ConfigError(f"metric {config.metric!r} needs samples to measure: give --test")
    project_file = read_project_file(config.project_file)
    sources = without_none(
        representative=config.representative, test=config.test, train=config.train
    )
    with (
        job.progress.step("load") as update,
        dataset_reader(sources.values(), project_file, verbose=job.verbose) as reader,
    ):
        loaded = restore(
            LoadedModelInfo, job.session.call("load", update=update, strategy=config.strategy)
        )
        signature = loaded.signature
        stored = {
            role: reader.read(
                data,
                signature,
                job.work / role,
                samples=config.samples if role == "representative" else None,
                seed=config.seed,
                update=update,
            )
            for role, data in sources.items()
        }
    datasets = {role: each.dataset() for role, each in stored.items()}
    test, train = datasets.get("test"), datasets.get("train")
    representative = datasets.get("representative", test)
    assert representative is not None  # noqa: S101 (require_data demands one of them)
    require_same_classes(datasets.values())
    measures = choose_measures(config.metric, test, signature) if test else {}
    targets = _training_targets(config, train, signature) if train else {}
    return JobData(
        signature=signature,
        runtime=loaded.runtime,
        representative=representative,
        evaluation_data=test or representative,
        is_tested=test is not None,
        measures=measures,
        train=train,
        training_targets=targets,
        budgets=project_file_budgets(project_file),
        notes=(
            *loaded.notes,
            *(note for each in stored.values() for note in each.notes),
            *(label_notes(measures, test, signature, "test") if test else ()),
            *(label_notes(targets, train, signature, "training") if train else ()),
        ),
    )


def _training_targets(
    config: ExportConfig, train: Dataset, signature: Signature
) -> dict[str, Measure]:
    """Choose what each output is trained on; none if every step distils its own model.

    Raises :class:`ConfigError` if the training data has no targets.
    """
    if all(each.loss == DISTILLATION for each in config.fine_tunings):
        return {}  # training uses the model's own outputs as targets
    targets = choose_training_measures(config.metric, train, signature)
    if not targets:
        raise ConfigError(
            f"{train.source}: fine-tuning needs labels in 'y', or the metric 'reconstruction-mse',"
            f" or the loss {DISTILLATION!r}, which needs none"
        )
    return targets
