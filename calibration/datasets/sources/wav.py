"""A folder of WAV files; soundfile decodes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.folder import Folder
from edgepack.config.preprocessing import Audio
from edgepack.core.errors import DatasetError

SUFFIXES = (".wav", ".wave")
_HEAD_BYTES = 8
_UNKNOWN_BYTES = 0x7FFFF000
"""From here on a size stands for one that was not known when a stream was written."""


def is_sound(head: bytes) -> bool:
    """Whether bytes begin as a WAV file does."""
    return head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE"


class WavFolder(Folder):
    """A folder of WAV files: float32 (time,) in -1 to 1, the channels averaged.

    All must have the described sample rate, or without a description that of the first.
    """

    kind = "sounds"

    def __init__(
        self, path: Path, files: Iterable[str], label: str | None, audio: Audio | None
    ) -> None:
        super().__init__(path, files, label)
        self._rate = audio and audio.sample_rate
        self._clip = (audio and audio.clip_samples) or -1
        self._wanted = f"the project file says {self._rate}"

    def read(self, file: Path) -> NDArray[Any]:
        """Decode a file, no more of it than is described."""
        import soundfile

        try:
            _require_whole(file)
            with soundfile.SoundFile(file) as opened:
                rate = opened.samplerate
                waves = opened.read(self._clip, dtype="float32", always_2d=True)
        except DatasetError:
            raise
        except Exception as error:
            raise DatasetError(
                f"{file}: no WAV file that can be decoded: {error}; remove or repair it"
            ) from error
        if self._rate is None:
            self._rate, self._wanted = rate, f"{file.name} has {rate}"
        if rate != self._rate:
            raise DatasetError(
                f"{file}: has a sample rate of {rate} Hz, and {self._wanted}; convert the files"
                " to one rate"
            )
        if not len(waves):
            raise DatasetError(f"{file}: holds no sound; remove it, or record it again")
        return np.asarray(waves.mean(axis=1))


def _require_whole(file: Path) -> None:
    """Raise :class:`DatasetError` for less than a head announces, which libsndfile lets pass."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    announced = int.from_bytes(head[4:], "big" if head.startswith(b"RIFX") else "little")
    held = file.stat().st_size - _HEAD_BYTES
    # Some writers count a last byte that pads, and leave it out.
    is_short = held >= 0 and held + 1 < announced < _UNKNOWN_BYTES
    if head[:4] in (b"RIFF", b"RIFX") and is_short:
        raise DatasetError(
            f"{file}: cut off: its head announces {announced} bytes, and it has {held};"
            " remove it, or copy it again"
        )
