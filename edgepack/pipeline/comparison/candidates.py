"""The candidates of a comparison: the models that are compared with the float model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from edgepack.config.firmware import NamedModel
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.signature import Signature, shape_fits
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import compressed_float, compressed_name, find_origin
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file, split_cure
from edgepack.report.data.compare import FLOAT, PRUNED, QUANTIZED, Origin
from edgepack.tflite.converter_names import without_converter_affixes

_SAME_MODEL = "give models made from the same one"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A .tflite file that is compared with the float model, under a unique name.

    ``pruned`` is the pruned float model that it was quantized from, None if it was not pruned.
    """

    name: str
    role: str
    file: ParsedFile
    origin: Origin | None
    pruned: ParsedFile | None = None


def read_candidates(
    candidates: Sequence[NamedModel], source: Path, signature: Signature
) -> list[Candidate]:
    """Read the candidates, each preceded by the pruned float model it was quantized from, if any.

    ``source`` is the float model's path. Raises :class:`ModelError` for a file whose inputs and
    outputs differ from the float model's, and :class:`ConfigError` for two of the same name.
    """
    quantized = [
        _read(name, candidate.path, source)
        for name, candidate in zip(_names(candidates), candidates, strict=True)
    ]
    all_candidates = list(_with_pruned(quantized))
    for candidate in all_candidates:
        _require_same_signature(candidate, source, signature)
    return all_candidates


def _read(name: str, path: Path, source: Path) -> Candidate:
    pruned = compressed_float(path, source)
    return Candidate(
        name=name,
        role=QUANTIZED,
        file=read_file(path),
        origin=find_origin(path),
        pruned=None if pruned is None else read_file(pruned),
    )


def _with_pruned(quantized: Sequence[Candidate]) -> Iterator[Candidate]:
    """Insert each pruned model, once, before the first model that was quantized from it."""
    used_names = {FLOAT, *(each.name for each in quantized)}
    pruned_models = {each.pruned.data for each in quantized if each.pruned is not None}
    listed: set[bytes] = set()
    for each in quantized:
        if each.pruned is not None and each.pruned.data not in listed:
            stage = compressed_name(each.origin)
            name = _unused_name(
                used_names, stage if len(pruned_models) == 1 else f"{stage} {each.name}"
            )
            pruned_origin = find_origin(each.pruned.path)
            yield Candidate(name=name, role=PRUNED, file=each.pruned, origin=pruned_origin)
            used_names.add(name)
            listed.add(each.pruned.data)
        yield each
        listed.add(each.file.data)


def _unused_name(used: Collection[str], name: str, space: str = " ") -> str:
    """Return the name, with a number from 2 upwards behind a ``space`` if it is used already."""
    numbered = (f"{name}{space}{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in used)


def _names(candidates: Sequence[NamedModel]) -> list[str]:
    """Name the candidates: as the user does, else by file name, else by default model name.

    Raises :class:`ConfigError` if two names are still equal.
    """
    for name_of in (lambda path: path.stem, default_name):
        names = [each.name or name_of(each.path) for each in candidates]
        if len(set(names)) == len(names) and FLOAT not in names:
            return names
    taken = _first_duplicate([FLOAT, *names])
    clashing = max(index for index, name in enumerate(names) if name == taken)
    free = _unused_name(names, "mine", "")
    raise ConfigError(
        f"two models are called {taken!r}: name them, such as {free}={candidates[clashing].path}"
    )


def _first_duplicate(names: Sequence[str]) -> str:
    return next(name for index, name in enumerate(names) if name in names[:index])


def _require_same_signature(candidate: Candidate, source: Path, signature: Signature) -> None:
    file = candidate.file
    for specs, float_specs in (
        (file.signature.inputs, signature.inputs),
        (file.signature.outputs, signature.outputs),
    ):
        if len(specs) != len(float_specs) or not all(
            shape_fits(spec.shape, expected.shape)
            for spec, expected in zip(specs, float_specs, strict=True)
        ):
            raise ModelError(
                f"{file.path}: has the inputs and outputs {file.signature}, but {source} has"
                f" {signature}; {split_cure(file, source, signature) or _SAME_MODEL}"
            )
    order, float_order = (
        [without_converter_affixes(each.name) for each in of.inputs]
        for of in (file.signature, signature)
    )
    if order != float_order and sorted(order) == sorted(float_order):
        raise ModelError(
            f"{file.path}: has its inputs in another order, {', '.join(order)}, than {source},"
            f" {', '.join(float_order)}; give models made by edgepack, which keeps the order"
        )
