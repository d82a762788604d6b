"""Descriptions of preprocessing: the steps from raw sensor data to model inputs.

They are plain data, so that the same description applies to calibration data, to test data and to
the generated code for the device; :mod:`edgepack.calibration.datasets.preprocess` executes them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from edgepack.config.checked_settings import Settings
from edgepack.config.known_words import require_one_of
from edgepack.core.errors import ConfigError

COLORS = ("rgb", "bgr", "gray")
FEATURES = ("log-mel", "mfcc")

_MAX_SIDE = 1 << 12
_MAX_VALUES = {
    "sample_rate": 1 << 20,
    "clip_samples": 1 << 24,
    "frame_length": 1 << 16,
    "frame_step": 1 << 24,
    "fft_length": 1 << 16,
    "mel_bins": 1 << 10,
    "coefficients": 1 << 10,
}
"""Far more than a device can handle, but few enough to compute on this machine."""
_FEATURE_KEYS = (
    *("frame_length", "frame_step", "fft_length", "mel_bins", "lower_hz", "upper_hz", "log_offset"),
    "coefficients",  # last, because it is for MFCCs only
)
_LARGEST = (2 - 2**-23) * 2.0**127
"""The largest finite float32."""
_SMALLEST = 2.0**-126
"""The smallest normal float32."""


@dataclass(frozen=True, kw_only=True)
class Image(Settings):
    """Geometry and colors of image samples of shape (height, width, channels).

    ``resize`` is (height, width) in pixels; interpolation is bilinear as in ``tf.image.resize`` by
    default: with half-pixel centers and without antialiasing, so that each pixel is computed from
    at most four. ``crop`` is the (height, width) of the center crop, taken after resizing.
    ``colors`` is one of :data:`COLORS`; gray is 0.299 R + 0.587 G + 0.114 B. Raises
    :class:`ConfigError` for values out of range.
    """

    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    colors: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            if size is not None and not 1 <= min(size) <= max(size) <= _MAX_SIDE:
                raise ConfigError(
                    f"{name} {list(size)}: height and width must be 1 to {_MAX_SIDE} pixels"
                )
        if self.colors is not None:
            require_one_of("colors", self.colors, COLORS)


@dataclass(frozen=True, kw_only=True)
class Audio(Settings):
    """Audio features, for samples of shape (time,) from -1 to 1; 16-bit integers are scaled to it.

    ``sample_rate`` is in Hz, and files with another rate are rejected; channels are averaged.
    Lengths are in samples: ``clip_samples`` is the length of a clip, which is truncated or
    zero-padded at its end. ``features`` is one of :data:`FEATURES`; None keeps the waveform.
    Frames of ``frame_length`` start every ``frame_step``, are multiplied by a Hann window and
    zero-padded to ``fft_length`` (default: the next power of two). ``mel_bins`` triangular filters
    from ``lower_hz`` to ``upper_hz`` (default: half the sample rate) sum the magnitudes, and the
    log-mel value is the logarithm of that sum plus ``log_offset``. MFCCs are the first
    ``coefficients`` of the DCT of these values. The results have the shapes (frames, mel_bins) and
    (frames, coefficients). Raises :class:`ConfigError` for inconsistent values.
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
        super().__post_init__()
        for name, limit in _MAX_VALUES.items():
            if (value := getattr(self, name)) is not None and not 1 <= value <= limit:
                raise ConfigError(f"{name} {value}: must be 1 to {limit}")
        if self.features is not None:
            require_one_of("features", self.features, FEATURES)
            self._check_features()
        for name in self._unused_keys():
            needed = "mfcc" if self.features else " or ".join(FEATURES)
            raise ConfigError(f"{name} needs features: {needed}")

    def _unused_keys(self) -> list[str]:
        """Return the keys that are set but have no effect on these features."""
        used = {None: 0, "log-mel": -1, "mfcc": len(_FEATURE_KEYS)}[self.features]
        defaults = {each.name: each.default for each in fields(self)}
        return [name for name in _FEATURE_KEYS[used:] if getattr(self, name) != defaults[name]]

    def _check_features(self) -> None:
        if self.frame_length is None or self.frame_step is None:
            raise ConfigError(f"{self.features} needs a frame_length and a frame_step, in samples")
        if self.fft_size < self.frame_length:
            raise ConfigError(
                f"fft_length {self.fft_length}: must be at least the frame_length,"
                f" {self.frame_length}"
            )
        if not 0 <= self.lower_hz < self.top_hz <= self.sample_rate / 2:
            raise ConfigError(
                f"lower_hz {self.lower_hz:g} and upper_hz {self.top_hz:g}: must increase, and be at"
                f" most half the sample rate, {self.sample_rate / 2:g}"
            )
        if self.features == "mfcc" and self.coefficients > self.mel_bins:
            raise ConfigError(
                f"coefficients {self.coefficients}: must be at most the mel_bins, {self.mel_bins}"
            )
        if not 0 < self.log_offset < float("inf"):
            raise ConfigError(f"log_offset {self.log_offset}: must be above 0, such as 1e-6")

    @property
    def fft_size(self) -> int:
        """The FFT length in samples; by default the frame length rounded up to a power of two."""
        return self.fft_length or 1 << ((self.frame_length or 1) - 1).bit_length()

    @property
    def top_hz(self) -> float:
        """The upper edge of the mel filters in Hz; by default half the sample rate."""
        return self.sample_rate / 2 if self.upper_hz is None else self.upper_hz


@dataclass(frozen=True, kw_only=True)
class Preprocessing(Settings):
    """Preprocessing of each sample of an input: image or audio steps first, then its values.

    ``image`` or ``audio`` are the steps for such samples, None for other samples. Values become
    ``(x * scale + offset - mean) / std``, in float32, with ``scale`` and ``offset``; ``mean`` and
    ``std`` have one number, or one per channel (last axis). Raises :class:`ConfigError` for values
    that are not finite, or for a ``scale`` or ``std`` that is 0 in float32.
    """

    image: Image | None = None
    audio: Audio | None = None
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image and self.audio:
            raise ConfigError("a sample is an image or audio, not both: describe one of them")
        numbers = {"scale": (self.scale,), "offset": (self.offset,)}
        for name, values in (numbers | {"mean": self.mean, "std": self.std}).items():
            if not values or not all(abs(value) <= _LARGEST for value in values):
                raise ConfigError(f"{name} {list(values)}: give finite numbers, within float32")
        if min(self.std) < _SMALLEST or abs(self.scale) < _SMALLEST:
            is_scale = abs(self.scale) < _SMALLEST
            setting = f"scale {self.scale:g}" if is_scale else f"std {min(self.std):g}"
            raise ConfigError(f"{setting}: must not be 0 in float32, and std must be above 0")

    @property
    def changes_values(self) -> bool:
        """Whether scale, offset, mean or std change any value."""
        return (self.scale, self.offset, *self.mean, *self.std) != (
            *(1.0, 0.0),
            *(0.0 for _ in self.mean),
            *(1.0 for _ in self.std),
        )

    @property
    def rank(self) -> int | None:
        """The rank of a sample before preprocessing; None if it is the rank of the input."""
        if self.image:
            return 3
        return 1 if self.audio else None
