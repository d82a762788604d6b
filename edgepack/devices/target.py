"""Targets: TOML files, found by name or by path.

A name is that of a file in :mod:`edgepack.targets`, or in the user's own folder of targets:
``edgepack/targets`` in ``$XDG_CONFIG_HOME``, which is ``~/.config`` if it is not set. A target of
the user's own goes before one of the same name that comes with edgepack. Hidden files are none.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets, parse_budgets
from edgepack.config.toml import checked_values, parse_toml, require_known
from edgepack.core.errors import TableError, TargetError
from edgepack.core.user_files import read_user_text
from edgepack.core.user_folders import user_folder
from edgepack.devices.op_registry import measured_operators, measured_versions, version_key
from edgepack.footprint import KERNELS
from edgepack.runtimes import RUNTIMES

KINDS = ("phone", "board", "microcontroller")
QUANTIZATIONS = ("full-integer", "any")
DELEGATES = ("xnnpack", "gpu")
LAYOUTS = ("cmake", "arduino", "esp-idf", "zephyr", "platformio")
"""Names of firmware projects, those of :data:`edgepack.emit.tflm.layouts.LAYOUTS`."""
ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
"""What Vela 5.2 compiles for, with the MACs a cycle."""
DATA_TYPES = (
    *("bool", "string", "resource", "variant"),
    *("int2", "int4", "int8", "int16", "int32", "int64"),
    *("uint4", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "float32", "float64"),
    *("complex64", "complex128"),
)
"""Those of TFLite's schema of LiteRT 2.3."""
ALL = "all"
"""What users call every target, so that none can be called so."""

_SUFFIX = ".toml"
_NEAR = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device.

    ``sources`` name the documents that the figures come from. ``interpreters`` maps runtimes of
    :mod:`edgepack.runtimes` that run the model there to the oldest version that it must run on.
    ``quantization`` is ``full-integer`` where nothing may be left in float but the model's ends.
    ``data_types`` are those of tensors; ``operators`` those it takes, all that its interpreters
    know if there are none. ``kernels`` are those of TensorFlow Lite Micro (:data:`KERNELS`), and
    ``layout`` is that of a firmware project there (:data:`LAYOUTS`), ``cmake`` if it is None.
    ``flash_bytes``, storage of whatever kind, and ``ram_bytes`` are what the device has, None for
    no limit; of each a share, a fraction, is left for the application. ``accelerator`` is an
    Ethos-U as Vela names it (:data:`ACCELERATORS`).
    """

    name: str
    description: str
    kind: str
    processor: str
    clock_mhz: float
    sources: tuple[str, ...]
    interpreters: Mapping[str, str]
    quantization: str
    data_types: tuple[str, ...]
    operators: tuple[str, ...] = ()
    kernels: str | None = None
    layout: str | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    application_flash_share: float = 0.0
    application_ram_share: float = 0.0
    delegates: tuple[str, ...] = ()
    accelerator: str | None = None
    budgets: Budgets = field(default_factory=Budgets)

    @property
    def model_flash_bytes(self) -> int | None:
        """The flash that is left for the model and the runtime."""
        return _left(self.flash_bytes, self.application_flash_share)

    @property
    def model_ram_bytes(self) -> int | None:
        """The RAM that is left for the model and the runtime."""
        return _left(self.ram_bytes, self.application_ram_share)


def _left(whole: int | None, share: float) -> int | None:
    return None if whole is None else int(whole * (1 - share))


def target_names() -> list[str]:
    """The names of all targets that are found by name, in alphabetical order."""
    return sorted({name for folder in _folders() for name in _names(folder)})


def load_target(name: str) -> Target:
    """Read a target by its name, or by the path of its file.

    Raises :class:`TargetError`, with the nearest known name.
    """
    path = target_file(name)
    text = read_user_text(path, TargetError, "target file")
    return parse_target(name if is_path(name) else str(path), text)


def target_file(name: str) -> Path:
    """Find the file of a target by its name or path; it need not be there for a path.

    Raises :class:`TargetError`, with the nearest known name.
    """
    if is_path(name):
        return Path(name)
    for folder in _folders():
        if name in _names(folder):
            return Path(str(folder.joinpath(f"{name}{_SUFFIX}")))
    near = difflib.get_close_matches(name, target_names(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise TargetError(
        f"unknown target {name!r}: {hint}edgepack targets lists all; or give the path of a"
        f" {_SUFFIX} file"
    )


def is_path(name: str) -> bool:
    """Whether the name of a target is the path of its file."""
    return name.endswith(_SUFFIX) or os.sep in name


def load_targets(names: Iterable[str]) -> list[Target]:
    """Read targets by their names or paths.

    Raises :class:`TargetError` as :func:`load_target` does, and for two of the same name.
    """
    targets = [load_target(name) for name in names]
    known = [target.name for target in targets]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise TargetError(f"two targets are called {twice[0]!r}: rename the file of one")
    return targets


def _folders() -> list[Any]:
    """Find the user's own folder of targets, if there is one that can be read, and edgepack's."""
    own = user_folder("XDG_CONFIG_HOME", ".config")
    return [*([own / "targets"] if own else []), files("edgepack.targets")]


def _names(folder: Any) -> list[str]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # it is not there, or not the user's
        return []
    return [
        name.removesuffix(_SUFFIX)
        for name in names
        if name.endswith(_SUFFIX) and not name.startswith(".")
    ]


def parse_target(name: str, text: str) -> Target:
    """Build a target from TOML text, named as is or by the path of its file.

    Raises :class:`TargetError` for what does not fit.
    """
    try:
        return _parse(Path(name).stem if name.endswith(_SUFFIX) else name, parse_toml(text))
    except TableError as error:
        raise TargetError(f"target {name!r}: {error}") from error


def _parse(name: str, table: dict[str, Any]) -> Target:
    if name == ALL:
        raise TableError(f"{ALL!r} stands for every target: rename the file")
    keys = [each.name for each in fields(Target) if each.name != "name"]
    require_known(table, keys, "the keys are")
    budgets = parse_budgets(table.pop("budgets", {}))
    target = Target(**checked_values(Target, table | {"name": name}, {*keys, "name"} - {"budgets"}))
    _require_said(target)
    _require_names(target)
    _require_figures(target)
    _require_kernels(target)
    for interpreter, version in target.interpreters.items():
        _require_measured(interpreter, version)
    return replace(target, budgets=budgets)


def _require_said(target: Target) -> None:
    for key in ("description", "processor"):
        if not getattr(target, key).strip():
            raise TableError(f"{key} is empty: write what the device is")
    for key in ("sources", "data_types"):
        listed = getattr(target, key)
        if not listed or not all(text.strip() for text in listed):
            raise TableError(f"{key} {list(listed)}: must name one at least, none of them empty")


def _require_names(target: Target) -> None:
    for key, known in (
        ("kind", KINDS),
        ("quantization", QUANTIZATIONS),
        ("kernels", (None, *KERNELS)),
        ("layout", (None, *LAYOUTS)),
        ("accelerator", (None, *ACCELERATORS)),
    ):
        if (given := getattr(target, key)) not in known:
            raise TableError(f"{key} {given!r} is not one of {', '.join(filter(None, known))}")
    _require_all(target.interpreters, RUNTIMES, "interpreter")
    _require_all(target.delegates, DELEGATES, "delegate")
    _require_all(target.data_types, DATA_TYPES, "data type")
    known_operators = measured_operators()
    for name in target.operators:
        if name not in known_operators:
            near = difflib.get_close_matches(name, known_operators, n=_NEAR, cutoff=0)
            raise TableError(
                f"unknown operator {name!r}, which no interpreter has; near it are"
                f" {', '.join(near)}"
            )
    if not target.interpreters:
        raise TableError(f"no interpreter; the interpreters are {', '.join(RUNTIMES)}")


def _require_figures(target: Target) -> None:
    for key in ("flash_bytes", "ram_bytes", "clock_mhz"):
        if (number := getattr(target, key)) is not None and not 0 < number < float("inf"):
            raise TableError(f"{key} {number}: must be above 0")
    for key in ("application_flash_share", "application_ram_share"):
        if not 0 <= getattr(target, key) < 1:
            raise TableError(f"{key} {getattr(target, key)}: is a fraction, from 0 to below 1")


def _require_kernels(target: Target) -> None:
    if target.kind == "microcontroller":
        for key in ("kernels", "flash_bytes", "ram_bytes"):
            if getattr(target, key) is None:
                raise TableError(f"the key {key!r} is missing, which a microcontroller needs")
    if target.kernels and "tflm" not in target.interpreters:
        raise TableError(
            f"kernels {target.kernels!r} are those of tflm, which is not among the interpreters:"
            " leave kernels out, or add tflm"
        )
    if target.layout and not target.kernels:
        raise TableError(
            f"layout {target.layout!r} is that of firmware, and there are no kernels to run it:"
            " leave layout out, or add kernels"
        )


def _require_all(given: Any, known: Any, what: str) -> None:
    for name in given:
        if name not in known:
            raise TableError(f"unknown {what} {name!r}; the {what}s are {', '.join(known)}")


def _require_measured(interpreter: str, version: str) -> None:
    oldest, *_, newest = measured_versions(interpreter)
    try:
        is_between = version_key(oldest) <= version_key(version) <= version_key(newest)
    except (TargetError, ValueError):  # Python reads no numbers of thousands of digits
        is_between = False
    if not is_between:
        raise TableError(
            f"interpreters: {interpreter} {version!r} is no version from {oldest} to {newest},"
            " whose operators were measured: write the oldest of these that the model must run on"
        )
