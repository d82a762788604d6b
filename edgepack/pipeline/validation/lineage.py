"""Whether a file was made from the float model that it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from edgepack.compression import TECHNIQUES
from edgepack.compression.pruning.settings import Prune
from edgepack.core.wording import WARNING
from edgepack.layer_errors.match_weights import Likeness, match_weights
from edgepack.load.tflite_file import find_quantized
from edgepack.pipeline.validation.read_inputs import ParsedFile, reporting_damage
from edgepack.report.format.text_table import list_names
from edgepack.storage.manifest import Manifest, Source, find_source
from edgepack.tflite.graph import Model

_SHA_DIGITS = 12

_Ancestors = dict[tuple[str, str | None], tuple[str, ...]]


def as_source(file: ParsedFile) -> Source:
    """Describe a .tflite file as the source of others."""
    made_from = find_source(file.path.resolve())
    return Source(name=file.path.name, **asdict(file.artifact), made_from=made_from)


def lineage_notes(
    file: ParsedFile, reference: Source, float_model: Callable[[], Model], name: str | None = None
) -> Iterator[str]:
    """Yield notes if the difference of a file from ``reference`` is not that of quantization.

    It is not if the file is not quantized, if it was made from another model, or if either of the
    two was compressed. The
    manifests beside them tell, or else the weights, for which ``float_model`` returns the reference
    as a .tflite file. Notes call the file ``name``, else by its own name.
    """
    name = name or file.path.name
    path = file.path.resolve()
    source = find_source(path)
    if not any(map(find_quantized, file.model.subgraphs)):
        yield f"{WARNING}{name} is not quantized: what it loses is not lost by quantization"
    ancestors, of_reference = _ancestors(source), _ancestors(reference)
    if source and _is_listed_beside(path, reference):
        *_, original = source.chain
        if techniques := next(reversed(ancestors.values())):
            yield _without_compression(file.path.name, reference.name, original.name, techniques)
        return
    for key, techniques in ancestors.items():
        if of_reference.get(key) == ():
            if techniques:
                yield _with_compression(name, reference.name, techniques)
            return
    with reporting_damage(file.path):
        layers = match_weights(float_model(), file.model)
    worst = max(layers.values(), default=Likeness.SAME)
    known = source.compress if source else ()
    if Likeness.PRUNED in layers.values():
        known = known or (Prune.technique,)
    if worst in (Likeness.PRUNED, Likeness.CHANGED) and known:
        yield _with_compression(name, reference.name, known)
    elif worst is not Likeness.SAME:
        alike = [layer for layer, likeness in layers.items() if likeness is worst]
        having = "all layers have" if len(alike) == len(layers) else _having(alike)
        yield _of_another(name, reference, source, f"{having} {_FOUND[worst]}")


def _ancestors(source: Source | None) -> _Ancestors:
    """Return the techniques by which a file was compressed since, by each model before it."""
    ancestors: _Ancestors = {}
    techniques: tuple[str, ...] = ()
    for each in source.chain if source else ():
        techniques = each.compress + techniques
        ancestors.setdefault((each.sha256, each.weights), techniques)
    return ancestors


def _is_listed_beside(path: Path, reference: Source) -> bool:
    """Whether the same command wrote a file and its float model into the same folder."""
    manifest = Manifest.beside(path)
    listed = manifest.artifacts.values() if manifest else ()
    return any(each and each.sha256 == reference.sha256 for each in listed)


def _without_compression(
    name: str, reference: str, original: str, techniques: tuple[str, ...]
) -> str:
    how = _words(techniques)
    return (
        f"{WARNING}{reference} is the model after it was {how}: what it lost when it was {how} is"
        f" neither in the comparison nor in max_drop; edgepack compare {original} {name}"
        " --test DATA has the whole loss"
    )


def _with_compression(name: str, reference: str, techniques: tuple[str, ...]) -> str:
    how = _words(techniques)
    return (
        f"{name} was {how} before it was quantized, and {reference} was not: the comparison"
        f" includes what it lost when it was {how}"
    )


def _words(techniques: tuple[str, ...]) -> str:
    """Return how a model was compressed, in the past participle."""
    known = {each: TECHNIQUES[each].stage for each in techniques if each in TECHNIQUES}
    return " and ".join(known.values()) or "compressed"


_FOUND = {
    Likeness.CHANGED: "similar weights, which differ by more than rounding, as after more training"
    " or another compression",
    Likeness.OTHER: "other weights",
}


def _having(layers: Sequence[str]) -> str:
    names = list_names(layers)
    return f"the layers {names} have" if len(layers) > 1 else f"the layer {names} has"


def _of_another(name: str, reference: Source, source: Source | None, found: str) -> str:
    cure, other = "so compare it with the one that it was made from", reference.name
    if source:
        made_from = source.name
        if source.name == reference.name:  # only the content tells files of one name apart
            made_from = f"a {source.name} with the SHA-256 {_start(source)}"
            other = f"this {reference.name} (SHA-256 {_start(reference)})"
        cure = f"and its manifest says that it was made from {made_from}: compare it with that"
    return (
        f"{WARNING}{name} was made from another model than {other}: {found}; what it loses is"
        f" not lost by quantization alone, {cure}"
    )


def _start(source: Source) -> str:
    return f"{source.sha256[:_SHA_DIGITS]}..."
