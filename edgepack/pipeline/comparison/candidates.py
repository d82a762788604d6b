"""The models of a comparison, but for the float one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from edgepack.config.firmware import NamedModel
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.signature import Signature, fits
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import compressed_name, origin, pruned_float
from edgepack.pipeline.validation.read_inputs import ValidatedFile, read_file
from edgepack.report.data.comparison import FLOAT, PRUNED, QUANTIZED, Origin
from edgepack.tflite.converter_names import without_suffix


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A .tflite file that is held against the float model, under a name of its own.

    ``pruned`` is the pruned float model that it was quantized from, None if it was not pruned.
    """

    name: str
    role: str
    file: ValidatedFile
    origin: Origin | None
    pruned: ValidatedFile | None = None


def read_candidates(
    candidates: Sequence[NamedModel], source: Path, signature: Signature
) -> list[Candidate]:
    """Read the candidates; before each the pruned float model that it was quantized from, if any.

    Raises :class:`ModelError` for a file that does not take and give what the float model does,
    and :class:`ConfigError` for two of the same name.
    """
    quantized = [
        _read(name, candidate.path, source)
        for name, candidate in zip(_names(candidates), candidates, strict=True)
    ]
    found = list(_with_pruned(quantized))
    for contestant in found:
        _require_same_ends(contestant.file, source, signature)
    return found


def _read(name: str, path: Path, source: Path) -> Candidate:
    pruned = pruned_float(path, source)
    return Candidate(
        name=name,
        role=QUANTIZED,
        file=read_file(path),
        origin=origin(path),
        pruned=None if pruned is None else read_file(pruned),
    )


def _with_pruned(quantized: Sequence[Candidate]) -> Iterator[Candidate]:
    """Put each pruned model, once, before the first that was quantized from it."""
    taken = {FLOAT, *(each.name for each in quantized)}
    once = {each.pruned.data for each in quantized if each.pruned is not None}
    told: set[bytes] = set()
    for each in quantized:
        if each.pruned is not None and each.pruned.data not in told:
            stage = compressed_name(each.origin)
            name = _other_than(taken, stage if len(once) == 1 else f"{stage} {each.name}")
            its_origin = origin(each.pruned.path)
            yield Candidate(name=name, role=PRUNED, file=each.pruned, origin=its_origin)
            taken.add(name)
            told.add(each.pruned.data)
        yield each
        told.add(each.file.data)


def _other_than(taken: Collection[str], name: str) -> str:
    """Give a name that is not taken: this one, or else this one with a number."""
    numbered = (f"{name} {number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def _names(candidates: Sequence[NamedModel]) -> list[str]:
    """Name files as the user does, or by their own names; by their models' if those are equal."""
    for name_of in (lambda path: path.stem, default_name):
        names = [each.name or name_of(each.path) for each in candidates]
        if len(set(names)) == len(names) and FLOAT not in names:
            return names
    raise ConfigError(
        f"two models are called {_twice([FLOAT, *names])!r}: name them, such as"
        f" mine={candidates[-1].path}"
    )


def _twice(names: Sequence[str]) -> str:
    return next(name for place, name in enumerate(names) if name in names[:place])


def _require_same_ends(file: ValidatedFile, source: Path, signature: Signature) -> None:
    for its, wanted in (
        (file.signature.inputs, signature.inputs),
        (file.signature.outputs, signature.outputs),
    ):
        if len(its) != len(wanted) or not all(
            fits(found.shape, spec.shape) for found, spec in zip(its, wanted, strict=True)
        ):
            raise ModelError(
                f"{file.path}: takes and gives {file.signature}, {source}"
                f" {signature}; give models that were made of the same one"
            )
    order, right = (
        [without_suffix(each.name) for each in of.inputs] for of in (file.signature, signature)
    )
    if order != right and sorted(order) == sorted(right):
        raise ModelError(
            f"{file.path}: takes its inputs in another order, {', '.join(order)}, than {source},"
            f" {', '.join(right)}; give models that edgepack made, which keep it"
        )
