"""Folders of WAV files, decoded with soundfile."""

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
_HEADER_BYTES = 8
_UNKNOWN_BYTES = 0x7FFFF000
"""Header sizes from this value on mean that the size was unknown when a stream was written."""


def is_sound(head: bytes) -> bool:
    """Whether bytes, 12 or more, begin with the signature of a WAV file."""
    return head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE"


class WavFolder(Folder):
    """A folder of WAV files, read as float32 (time,) in -1 to 1, the channels averaged.

    All must have the sample rate of the project file or, if it sets none, that of the first file.
    """

    kind = "sounds"

    def __init__(
        self, path: Path, files: Iterable[str], label: str | None, audio: Audio | None
    ) -> None:
        super().__init__(path, files, label)
        self._rate = audio and audio.sample_rate
        self._clip = (audio and audio.clip_samples) or -1
        self._rate_source = f"the project file specifies {self._rate} Hz"

    def read(self, file: Path) -> NDArray[Any]:
        """Decode a file, up to ``clip_samples`` of the project file; shape (time,), float32.

        Raises :class:`DatasetError` for a file that is truncated, empty or cannot be decoded, and
        for another sample rate.
        """
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
                f"{file}: cannot be decoded as a WAV file: {error}; remove or repair it"
            ) from error
        if self._rate is None:
            self._rate, self._rate_source = rate, f"{file.name} has {rate} Hz"
        if rate != self._rate:
            raise DatasetError(
                f"{file}: has a sample rate of {rate} Hz, but {self._rate_source}; convert the"
                " files to one rate"
            )
        if not len(waves):
            raise DatasetError(f"{file}: contains no audio; remove it, or record it again")
        return np.asarray(waves.mean(axis=1))


def _require_whole(file: Path) -> None:
    """Raise :class:`DatasetError` for a truncated file, which libsndfile silently accepts."""
    with file.open("rb") as opened:
        header = opened.read(_HEADER_BYTES)
    expected = int.from_bytes(header[4:], "big" if header.startswith(b"RIFX") else "little")
    actual = file.stat().st_size - _HEADER_BYTES
    # Some writers count the last padding byte, but do not write it.
    is_short = actual >= 0 and actual + 1 < expected < _UNKNOWN_BYTES
    if header[:4] in (b"RIFF", b"RIFX") and is_short:
        raise DatasetError(
            f"{file}: truncated: its header specifies {expected} bytes, but it has {actual};"
            " remove it, or copy it again"
        )
