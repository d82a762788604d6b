"""Descriptions of preprocessing: what lies between what a sensor gives and what a model takes.

They are data, so that the same description serves calibration and test here and code on the
device; :mod:`edgepack.calibration.datasets.preprocess` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from edgepack.core.errors import ConfigError

COLORS = ("rgb", "bgr", "gray")
FEATURES = ("log-mel", "mfcc")

_MAX_SIDE = 1 << 12
_MOST = {
    "sample_rate": 1 << 20,
    "clip_samples": 1 << 24,
    "frame_length": 1 << 16,
    "frame_step": 1 << 24,
    "fft_length": 1 << 16,
    "mel_bins": 1 << 10,
    "coefficients": 1 << 10,
}
"""Far more than a device takes, and still little enough to be computed here."""
_OF_FEATURES = (
    *("frame_length", "frame_step", "fft_length", "mel_bins", "lower_hz", "upper_hz", "log_offset"),
    "coefficients",  # the last: of MFCCs only
)
_LARGEST = (2 - 2**-23) * 2.0**127
_SMALLEST = 2.0**-126
"""Of normal float32."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """Geometry and colours, for samples of shape (height, width, channels).

    ``resize`` is (height, width), bilinear as ``tf.image.resize`` does it by default: pixels
    are points at half-pixel centres, and shrinking averages no more than four of them. ``crop``
    is the (height, width) that is kept about the centre, after resizing. ``colors`` is one of
    :data:`COLORS`; gray is 0.299 R + 0.587 G + 0.114 B. Raises :class:`ConfigError` for what
    does not fit.
    """

    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    colors: str | None = None

    def __post_init__(self) -> None:
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            if size is not None and not 1 <= min(size) <= max(size) <= _MAX_SIDE:
                raise ConfigError(
                    f"{name} {list(size)}: give height and width in pixels, 1 to {_MAX_SIDE}"
                )
        if self.colors not in (None, *COLORS):
            raise ConfigError(f"colors {self.colors!r}: the orders are {', '.join(COLORS)}")


@dataclass(frozen=True, kw_only=True)
class Audio:
    """Features of sound, for samples of shape (time,) in -1 to 1; 16-bit integers become that.

    ``sample_rate`` is in Hz, and files of another are refused; channels are averaged. Lengths are
    in samples: ``clip_samples`` is that of the whole, which is cut off at its end or filled up
    with zeros there. ``features`` is one of :data:`FEATURES`; None leaves the wave as it is.
    Frames of ``frame_length`` begin every ``frame_step``, are multiplied by a Hann window and
    filled up with zeros to ``fft_length`` (the next power of two); ``mel_bins`` triangles between
    ``lower_hz`` and ``upper_hz`` (half the rate) sum the magnitudes, and the logarithm is that of
    the sum plus ``log_offset``. MFCCs are the first ``coefficients`` of its DCT. Shapes are
    (frames, mel bins) and (frames, coefficients). Raises :class:`ConfigError` for what does not
    fit.
    """

    sample_rate: int
    clip_samples: int | None = None
    features: str | None = None
    frame_length: int | None = None
    frame_step: int | None = None
    fft_length: int | None = None
    mel_bins: int = 40
    lower_hz: float = 20.0
    upper_hz: float | None = None
    log_offset: float = 1e-6
    coefficients: int = 13

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if (value := getattr(self, name)) is not None and not 1 <= value <= most:
                raise ConfigError(f"{name} {value}: must be 1 to {most}")
        if self.features is not None:
            self._check_features()
        for name in self._unused():
            needed = "mfcc" if self.features else " or ".join(FEATURES)
            raise ConfigError(f"{name} needs features: {needed}")

    def _unused(self) -> list[str]:
        """Name what differs from its default and is of no use to the features."""
        used = {None: 0, "log-mel": -1, "mfcc": len(_OF_FEATURES)}[self.features]
        defaults = {each.name: each.default for each in fields(self)}
        return [name for name in _OF_FEATURES[used:] if getattr(self, name) != defaults[name]]

    def _check_features(self) -> None:
        if self.features not in FEATURES:
            raise ConfigError(f"features {self.features!r}: known are {', '.join(FEATURES)}")
        if self.frame_length is None or self.frame_step is None:
            raise ConfigError(f"{self.features} needs a frame_length and a frame_step, in samples")
        if self.fft_size < self.frame_length:
            raise ConfigError(
                f"fft_length {self.fft_length}: must hold a frame of {self.frame_length} samples"
            )
        if not 0 <= self.lower_hz < self.top_hz <= self.sample_rate / 2:
            raise ConfigError(
                f"lower_hz {self.lower_hz:g} and upper_hz {self.top_hz:g}: must rise, and end at"
                f" half the sample rate, {self.sample_rate / 2:g}, at most"
            )
        if self.features == "mfcc" and self.coefficients > self.mel_bins:
            raise ConfigError(
                f"coefficients {self.coefficients}: must be 1 to {self.mel_bins}, the mel_bins"
            )
        if not 0 < self.log_offset < float("inf"):
            raise ConfigError(f"log_offset {self.log_offset}: must be above 0, such as 1e-6")

    @property
    def fft_size(self) -> int:
        """The length of the FFT: as described, or the next power of two of a frame's."""
        return self.fft_length or 1 << ((self.frame_length or 1) - 1).bit_length()

    @property
    def top_hz(self) -> float:
        """Where the last triangle ends: as described, or at half the sample rate."""
        return self.sample_rate / 2 if self.upper_hz is None else self.upper_hz


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to each sample of an input: image or audio first, then the values.

    Values become ``(x * scale + offset - mean) / std``, in float32; ``mean`` and ``std`` have one
    number, or one for each channel, the last axis. Raises :class:`ConfigError` for what does not
    fit.
    """

    image: Image | None = None
    audio: Audio | None = None
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.image and self.audio:
            raise ConfigError("a sample is an image or audio: describe one of them")
        numbers = {"scale": (self.scale,), "offset": (self.offset,)}
        for name, values in (numbers | {"mean": self.mean, "std": self.std}).items():
            if not values or not all(abs(value) <= _LARGEST for value in values):
                raise ConfigError(f"{name} {list(values)}: give finite numbers, as float32 holds")
        if min(self.std) < _SMALLEST or abs(self.scale) < _SMALLEST:
            is_scale = abs(self.scale) < _SMALLEST
            wrong = f"scale {self.scale:g}" if is_scale else f"std {min(self.std):g}"
            raise ConfigError(f"{wrong}: must not be 0 in float32, and std is above 0")

    @property
    def changes_values(self) -> bool:
        """Whether values become others by scale, offset, mean or std."""
        return (self.scale, self.offset, *self.mean, *self.std) != (
            *(1.0, 0.0),
            *(0.0 for _ in self.mean),
            *(1.0 for _ in self.std),
        )

    @property
    def rank(self) -> int | None:
        """The number of dimensions of a sample before preprocessing; None for that of the input."""
        if self.image:
            return 3
        return 1 if self.audio else None
