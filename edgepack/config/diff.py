"""Settings of ``edgepack diff``: the two reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.checked_settings import Settings


@dataclass(frozen=True, kw_only=True)
class DiffConfig(Settings):
    """Settings for showing what became better or worse from report ``a`` to report ``b``.

    Each is an output folder of ``export``, ``quantize``, ``compare`` or ``firmware``, the
    report.json in it, or a file with the output of ``edgepack validate --format json``.
    """

    a: Path
    b: Path
