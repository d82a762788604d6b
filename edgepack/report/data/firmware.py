"""The report of ``edgepack firmware``.

:mod:`edgepack.report.text.firmware` writes it as text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.core.signature import TensorSpec
from edgepack.devices.target import Target
from edgepack.report.data.target import EXIT_STATUS, FAILED, PASSED, TargetReport, gravest
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class ModelReport:
    """The firmware of one model.

    ``operators`` are those that the resolver registers. ``arena_bytes`` is the arena size in the
    source, and ``ram_bytes`` that plus the RAM of the runtime itself. The test vectors are
    ``vectors`` samples of ``data``: ``test`` or ``random``.
    """

    file: str
    artifact: Artifact
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[str, ...]
    arena_bytes: int
    ram_bytes: int
    vectors: int
    data: str
    target: TargetReport

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as they are in report.json."""
        fields = {
            "file": self.file,
            "artifact": asdict(self.artifact),
            "inputs": [asdict(spec) for spec in self.inputs],
            "outputs": [asdict(spec) for spec in self.outputs],
            "operators": list(self.operators),
            "arena_bytes": self.arena_bytes,
            "ram_bytes": self.ram_bytes,
            "vectors": self.vectors,
            "data": self.data,
        }
        return fields | {"target": self.target.to_dict()}


@dataclass(frozen=True, kw_only=True)
class FirmwareReport:
    """Firmware for a target in a project layout.

    ``models`` are by name, ``files`` by path. ``flash_bytes`` is that of all models, and of the
    runtime once.
    """

    target: Target
    layout: str
    models: dict[str, ModelReport]
    files: dict[str, Artifact]
    flash_bytes: int

    @property
    def arena_bytes(self) -> int:
        """The largest arena in bytes: models that run in turn can share one."""
        return max(model.arena_bytes for model in self.models.values())

    @property
    def ram_bytes(self) -> int:
        """The largest arena and the RAM of the runtime itself, in bytes."""
        return max(model.ram_bytes for model in self.models.values())

    @property
    def fits(self) -> bool:
        """Whether all models together fit into the flash, and the largest arena into the RAM."""
        return all(
            left is None or needed <= left
            for needed, left in (
                (self.flash_bytes, self.target.model_flash_bytes),
                (self.ram_bytes, self.target.model_ram_bytes),
            )
        )

    @property
    def word(self) -> str:
        """The gravest outcome of the models; ``FAILED`` if they do not fit together."""
        words = {model.target.word for model in self.models.values()}
        return gravest(words if self.fits else {FAILED})

    @property
    def passed(self) -> bool:
        """Whether each model passed on the target, and all fit together."""
        return self.word == PASSED

    @property
    def exit_status(self) -> int:
        """0: passed, 1: failed, 3: could not be checked, 4: the samples do not show it."""
        return EXIT_STATUS[self.word]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {
            "schema": SCHEMA,
            "target": self.target.name,
            "layout": self.layout,
            "passed": self.passed,
            "flash_bytes": self.flash_bytes,
            "flash_limit_bytes": self.target.model_flash_bytes,
            "ram_bytes": self.ram_bytes,
            "ram_limit_bytes": self.target.model_ram_bytes,
            "models": {name: model.to_dict() for name, model in self.models.items()},
            "files": {path: asdict(artifact) for path, artifact in self.files.items()},
        }
