"""The models of a comparison, but for the float one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgepack.build import Source
from edgepack.errors import ModelError, RecipeError
from edgepack.pipeline.file import File, read_file
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import origin, pruned_float
from edgepack.report.comparison import FLOAT, PRUNED, QUANTIZED, Origin
from edgepack.types import Signature, TensorSpec


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A .tflite file that is held against the float model, under a name of its own."""

    name: str
    role: str
    file: File
    origin: Origin | None


def read_contestants(
    candidates: Sequence[Source], source: Path, signature: Signature
) -> list[Contestant]:
    """Read the candidates; before each the pruned float model that it was quantized from, if any.

    Raises :class:`ModelError` for a file that does not take and give what the float model does,
    and :class:`RecipeError` for two of the same name.
    """
    names = _names(candidates)
    found: list[Contestant] = []
    for name, candidate in zip(names, candidates, strict=True):
        for contestant in _read(name, candidate.path, source):
            _require_same_ends(contestant.file, source, signature)
            if all(contestant.file.data != known.file.data for known in found) or (
                contestant.role == QUANTIZED
            ):
                found.append(contestant)
    return found


def _read(name: str, path: Path, source: Path) -> Iterator[Contestant]:
    file, its_origin = read_file(path), origin(path)
    pruned = pruned_float(path, source)
    if pruned is not None:
        called = PRUNED if name == path.stem else f"{PRUNED} {name}"
        yield Contestant(name=called, role=PRUNED, file=read_file(pruned), origin=origin(pruned))
    yield Contestant(name=name, role=QUANTIZED, file=file, origin=its_origin)


def _names(candidates: Sequence[Source]) -> list[str]:
    """Name files as the user does, or by their own names; by their models' if those are equal."""
    for name_of in (lambda path: path.stem, default_name):
        names = [each.name or name_of(each.path) for each in candidates]
        if len(set(names)) == len(names) and FLOAT not in names:
            return names
    raise RecipeError(
        f"two models are called {_twice([FLOAT, *names])!r}: name them, such as"
        f" mine={candidates[-1].path}"
    )


def _twice(names: Sequence[str]) -> str:
    return next(name for place, name in enumerate(names) if name in names[:place])


def _require_same_ends(file: File, source: Path, signature: Signature) -> None:
    for its, wanted in (
        (file.signature.inputs, signature.inputs),
        (file.signature.outputs, signature.outputs),
    ):
        if len(its) != len(wanted) or not all(map(_fits, its, wanted)):
            raise ModelError(
                f"{file.path}: takes and gives {_ends(file.signature)}, {source}"
                f" {_ends(signature)}; give models that were made of the same one"
            )


def _fits(its: TensorSpec, wanted: TensorSpec) -> bool:
    """Whether shapes are equal but for what the float model leaves open."""
    return len(its.shape) == len(wanted.shape) and all(
        size in (None, found) for found, size in zip(its.shape, wanted.shape, strict=True)
    )


def _ends(signature: Signature) -> str:
    return " and ".join(
        ", ".join(map(str, specs)) for specs in (signature.inputs, signature.outputs)
    )
