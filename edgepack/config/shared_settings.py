"""Settings that several commands share: their data, and how they calibrate and quantize a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgepack.config.model_source import ModelSettings
from edgepack.config.quantization import Quantization
from edgepack.core.errors import ConfigError

DEFAULT_TARGETS = ("android-arm64", "nano-33-ble-sense")
DEFAULT_OBSERVER = "min-max"
DEFAULT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class CalibrationDataSettings(ModelSettings):
    """Settings of a command that loads a model and its datasets.

    ``representative`` and ``test`` are files or folders in a format of
    :mod:`edgepack.calibration.datasets.sources`, names of functions as ``module:function``, or
    objects that provide samples: arrays, an iterable, a Keras Sequence, a tf.data.Dataset.
    ``project_file`` describes their preprocessing (:mod:`edgepack.config.project_file`).
    ``samples`` is the number of samples used of the representative dataset, all with None; ``seed``
    determines which.
    """

    representative: Any = None
    test: Any = None
    project_file: Path | None = None
    samples: int | None = None
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"samples {self.samples}: calibration needs at least 1")
        require_valid_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class QuantizingSettings(CalibrationDataSettings):
    """Settings of a command that quantizes a model.

    ``observer`` is a key of :data:`edgepack.calibration.activations.observers.OBSERVERS` and
    chooses the activation ranges; with ``ranges``, a calibration.json, nothing is observed.
    ``split_outputs`` makes each part of an output that a concatenation joins an output of its own,
    with a scale of its own. ``targets`` are names or paths, as for
    :func:`edgepack.devices.target.load_target`. An existing output folder is replaced only with
    ``force``. ``strict`` makes the linter's findings errors. ``quantization`` has the scheme of the
    model and those of single layers.
    """

    observer: str = DEFAULT_OBSERVER
    ranges: Path | None = None
    quantization: Quantization = field(default_factory=Quantization)
    split_outputs: bool = False
    targets: tuple[str, ...] = ()
    force: bool = False
    strict: bool = False


def require_valid_seed(seed: int) -> None:
    """Raise :class:`ConfigError` if a seed is negative."""
    if seed < 0:
        raise ConfigError(f"seed {seed}: must not be negative")
