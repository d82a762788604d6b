"""Targets: device descriptions in TOML files, which are found by name or by path.

A name is that of a file in :mod:`edgepack.targets` or in the user's own folder of targets,
``edgepack/targets`` in ``$XDG_CONFIG_HOME`` (``~/.config`` if that is not set). A user's target
takes precedence over one of the same name that comes with edgepack. Hidden files are ignored.
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
from edgepack.config.known_words import require_one_of
from edgepack.config.tables import checked_values, require_known
from edgepack.config.toml import parse_toml
from edgepack.core.errors import ConfigError, TableError, TargetError
from edgepack.core.user_files import read_user_text, require_not_special
from edgepack.core.user_folders import user_folder
from edgepack.core.wording import did_you_mean
from edgepack.footprint import KERNELS
from edgepack.runtimes import RUNTIMES
from edgepack.runtimes.supported_operators import measured_operators, measured_versions, version_key

KINDS = ("phone", "board", "microcontroller")
QUANTIZATIONS = ("full-integer", "any")
DELEGATES = ("xnnpack", "gpu")
LAYOUTS = ("cmake", "arduino", "esp-idf", "zephyr", "platformio")
"""Layouts of firmware projects, those of :data:`edgepack.emit.tflm.layouts.LAYOUTS`."""
ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
"""The accelerators that Vela 5.2 compiles for; names end in the MACs per cycle."""
DATA_TYPES = (
    *("bool", "string", "resource", "variant"),
    *("int2", "int4", "int8", "int16", "int32", "int64"),
    *("uint4", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "float32", "float64"),
    *("complex64", "complex128"),
)
"""The tensor types of TFLite's schema in LiteRT 2.3."""
ALL = "all"
"""The name that stands for every target; no target can have it."""

_SUFFIX = ".toml"
_SUGGESTIONS = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device.

    ``sources`` name the documents that the figures come from. ``interpreters`` maps the runtimes
    of :mod:`edgepack.runtimes` that run models on the device to the oldest release that they must
    run on. ``quantization`` is ``full-integer`` if only the model's inputs and outputs may be
    float. ``data_types`` are the supported types of tensors, ``operators`` the supported operators;
    if empty, all that the interpreters support. ``kernels`` are those of TensorFlow Lite Micro
    (:data:`KERNELS`), ``layout`` is that of firmware projects (:data:`LAYOUTS`), ``cmake`` if None.
    ``flash_bytes``, which counts storage of any kind, and ``ram_bytes`` are what the device has,
    None for no limit; ``application_flash_share`` and ``application_ram_share`` are the fractions
    of them, 0 to below 1, that are reserved for the application. ``accelerator`` is an Ethos-U in
    Vela's naming (:data:`ACCELERATORS`).
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
        """The flash in bytes that is available to the model and the runtime; None for no limit."""
        return _available(self.flash_bytes, self.application_flash_share)

    @property
    def model_ram_bytes(self) -> int | None:
        """The RAM in bytes that is available to the model and the runtime; None for no limit."""
        return _available(self.ram_bytes, self.application_ram_share)


def _available(total: int | None, share: float) -> int | None:
    return None if total is None else int(total * (1 - share))


def target_names() -> list[str]:
    """Return the names of all targets that can be found by name, in alphabetical order."""
    return sorted({name for folder in _folders() for name in _names(folder)})


def list_targets() -> tuple[Target, ...]:
    """Return all targets that can be found by name, the user's own included, in alphabetical order.

    Raises :class:`TargetError` if files of the user are invalid.
    """
    targets, errors = read_all_targets()
    if errors:
        raise combine_errors(errors)
    return targets


def read_all_targets() -> tuple[tuple[Target, ...], tuple[TargetError, ...]]:
    """Return all targets that can be found by name and are valid, and the errors of the others."""
    read = [_load_or_error(name) for name in target_names()]
    return (
        tuple(each for each in read if isinstance(each, Target)),
        tuple(each for each in read if isinstance(each, TargetError)),
    )


def combine_errors(errors: Iterable[TargetError]) -> TargetError:
    """Return one error with the messages of several."""
    return TargetError("; ".join(map(str, errors)))


def _load_or_error(name: str) -> Target | TargetError:
    try:
        return load_target(name)
    except TargetError as error:
        return error


def load_target(name: str) -> Target:
    """Read a target by its name or by the path of its file.

    Raises :class:`TargetError` for an unknown name, with the nearest known one, and for a file
    that cannot be read or is invalid.
    """
    path = target_file(name)
    if not is_target_path(name):  # a pipe that the user names, such as <(...), is read
        require_not_special(path, TargetError)
    text = read_user_text(path, TargetError, "target file")
    return parse_target(name if is_target_path(name) else str(path), text)


def target_file(name: str) -> Path:
    """Return the file of a target, found by its name or path; a path need not exist.

    Raises :class:`TargetError` for an unknown name, with the nearest known one.
    """
    if is_target_path(name):
        return Path(name)
    for folder in _folders():
        if name in _names(folder):
            return Path(str(folder.joinpath(f"{name}{_SUFFIX}")))
    raise TargetError(
        f"unknown target {name!r}: {did_you_mean(name, target_names())}edgepack targets lists all;"
        f" or pass the path of a {_SUFFIX} file"
    )


def is_target_path(name: str) -> bool:
    """Whether the name of a target is the path of its file."""
    return name.endswith(_SUFFIX) or os.sep in name


def load_targets(names: Iterable[str]) -> list[Target]:
    """Read targets by their names or paths.

    Raises :class:`TargetError` as :func:`load_target` does, and for two with the same name.
    """
    targets = [load_target(name) for name in names]
    loaded = [target.name for target in targets]
    if duplicates := sorted({name for name in loaded if loaded.count(name) > 1}):
        raise TargetError(
            f"two targets are called {duplicates[0]!r}: leave one out, or rename its file"
        )
    return targets


def own_targets_folder() -> Path | None:
    """Return the folder of the user's own targets, which need not exist; None if there is none."""
    own = user_folder("XDG_CONFIG_HOME", ".config")
    return own / "targets" if own else None


def own_target_names() -> list[str]:
    """Return the names of the user's own targets, in alphabetical order, valid or not."""
    own = own_targets_folder()
    return sorted(_names(own)) if own else []


def _folders() -> list[Any]:
    """Return the user's own folder of targets, if there is a home for one, and edgepack's."""
    own = own_targets_folder()
    return [*([own] if own else []), files("edgepack.targets")]


def _names(folder: Any) -> list[str]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # it does not exist, or the user may not read it
        return []
    return [
        name.removesuffix(_SUFFIX)
        for name in names
        if name.endswith(_SUFFIX) and not name.startswith(".")
    ]


def parse_target(name: str, text: str) -> Target:
    """Build a target from TOML text.

    ``name`` is the target's name, or the path of its file. Raises :class:`TargetError` for invalid
    keys or values.
    """
    try:
        return _parse(Path(name).stem if name.endswith(_SUFFIX) else name, parse_toml(text))
    except (ConfigError, TableError) as error:
        raise TargetError(f"target {name!r}: {error}") from error


def _parse(name: str, table: dict[str, Any]) -> Target:
    if name == ALL:
        raise TableError(f"{ALL!r} stands for every target: rename the file")
    keys = [each.name for each in fields(Target) if each.name != "name"]
    require_known(table, keys, "the keys are")
    budgets = parse_budgets(table.pop("budgets", {}))
    target = Target(**checked_values(Target, table | {"name": name}, {*keys, "name"} - {"budgets"}))
    _require_texts(target)
    _require_names(target)
    _require_figures(target)
    _require_kernels(target)
    for interpreter, version in target.interpreters.items():
        _require_measured(interpreter, version)
    return replace(target, budgets=budgets)


def _require_texts(target: Target) -> None:
    for key in ("description", "processor"):
        if not getattr(target, key).strip():
            raise TableError(f"{key} is empty: describe the device")
    for key in ("sources", "data_types"):
        texts = getattr(target, key)
        if not texts or not all(text.strip() for text in texts):
            raise TableError(f"{key} {list(texts)}: must have at least one entry, and none empty")


def _require_names(target: Target) -> None:
    for key, known in (
        ("kind", KINDS),
        ("quantization", QUANTIZATIONS),
        ("kernels", KERNELS),
        ("layout", LAYOUTS),
        ("accelerator", ACCELERATORS),
    ):
        if (value := getattr(target, key)) is not None:
            require_one_of(key, value, known)
    _require_all(target.interpreters, RUNTIMES, "interpreter")
    _require_all(target.delegates, DELEGATES, "delegate")
    _require_all(target.data_types, DATA_TYPES, "data type")
    known_operators = measured_operators()
    for name in target.operators:
        if name not in known_operators:
            near = difflib.get_close_matches(name, known_operators, n=_SUGGESTIONS, cutoff=0)
            raise TableError(
                f"unknown operator {name!r}: no interpreter supports it; similar ones are"
                f" {', '.join(near)}"
            )
    if not target.interpreters:
        raise TableError(f"no interpreter; available are {', '.join(RUNTIMES)}")


def _require_figures(target: Target) -> None:
    for key in ("flash_bytes", "ram_bytes", "clock_mhz"):
        if (value := getattr(target, key)) is not None and not 0 < value < float("inf"):
            raise TableError(f"{key} {value}: must be greater than 0")
    for key in ("application_flash_share", "application_ram_share"):
        if not 0 <= (share := getattr(target, key)) < 1:
            raise TableError(f"{key} {share}: must be a fraction, 0 or greater and less than 1")


def _require_kernels(target: Target) -> None:
    if target.kind == "microcontroller":
        for key in ("kernels", "flash_bytes", "ram_bytes"):
            if getattr(target, key) is None:
                raise TableError(f"the key {key!r} is missing; a microcontroller requires it")
    if target.kernels and "tflm" not in target.interpreters:
        raise TableError(
            f"kernels {target.kernels!r} belong to tflm, which is not among the interpreters:"
            " leave kernels out, or add tflm"
        )
    if target.layout and not target.kernels:
        raise TableError(
            f"layout {target.layout!r} is for firmware, but the target has no kernels: leave layout"
            " out, or add kernels and tflm"
        )


def _require_all(names: Any, known: Any, what: str) -> None:
    for name in names:
        if name not in known:
            raise TableError(
                f"unknown {what} {name!r}: {did_you_mean(name, known)}the {what}s are"
                f" {', '.join(known)}"
            )


def _require_measured(interpreter: str, version: str) -> None:
    oldest, *_, newest = measured_versions(interpreter)
    try:
        is_between = version_key(oldest) <= version_key(version) <= version_key(newest)
    except (TargetError, ValueError):  # Python does not parse numbers of thousands of digits
        is_between = False
    if not is_between:
        raise TableError(
            f"interpreters: {interpreter} {version!r} is not a release from {oldest} to {newest},"
            " whose operators were measured: write the oldest of these that the model must run on"
        )
