"""Sentences about what a calibration observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.calibration.activations.activation_statistics import Observed
from edgepack.calibration.activations.dead_layers import find_dead
from edgepack.calibration.activations.instrument import activation_names
from edgepack.calibration.activations.ranges import Range
from edgepack.core.wording import WARNING, counted
from edgepack.storage.dataset import Dataset
from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names

_MAX_LISTED = 4


def observation_notes(graph: Graph, observed: Observed, dataset: Dataset) -> Iterator[str]:
    """Yield notes on a float model's activations on a representative dataset, for the report."""
    yield from _dead(graph, observed)
    yield from _outliers(graph, observed, dataset)


def _outliers(graph: Graph, observed: Observed, dataset: Dataset) -> Iterator[str]:
    """Yield a note for each sample that alone widens activations, of the first such activation.

    Outliers in the model's inputs, and what they cause, are left to the linter.
    """
    indices = activation_names(graph, range(len(graph.tensors)))
    names = layer_names(graph)
    noted = {
        each.sample for name, each in observed.outliers.items() if indices[name] in graph.inputs
    }
    for name, each in observed.outliers.items():
        if each.sample in noted:
            continue
        noted.add(each.sample)
        others = sum(other.sample == each.sample for other in observed.outliers.values()) - 1
        file = f" ({dataset.names[each.sample]})" if dataset.names else ""
        more = f", and so {counted(others, 'other range')}" if others else ""
        yield (
            f"{WARNING}sample {dataset.row(each.sample)} of the representative dataset{file} alone"
            f" widens the range of {names[indices[name]]!r}{more}: it reaches {each.value:.5g}, all"
            f" other samples are from {each.low:.5g} to {each.high:.5g}; look at this sample, and"
            " repair it, or leave it out"
        )


def _dead(graph: Graph, observed: Observed) -> Iterator[str]:
    """Yield a note on the layers that are always zero, and on those that are another constant."""
    ranges = {
        name: Range(min=each.min, max=each.max) for name, each in observed.activations.items()
    }
    indices = activation_names(graph, range(len(graph.tensors)))
    values = {indices[name]: each.min for name, each in ranges.items()}
    names = layer_names(graph)
    zero, constant = [], []
    for index in find_dead(graph, ranges):
        if values[index] == 0:
            zero.append(repr(names[index]))
        else:
            constant.append(f"{names[index]!r} (always {values[index]:.5g})")
    if zero:
        yield _dead_note(zero, "zero", "activate", observed.samples)
    if constant:
        yield _dead_note(constant, "the same", "change", observed.samples)


def _dead_note(layers: Sequence[str], state: str, verb: str, samples: int) -> str:
    listed = ", ".join(layers[:_MAX_LISTED])
    if len(layers) > _MAX_LISTED:
        listed += f" and {len(layers) - _MAX_LISTED} more"
    subject, pronoun = ("layer", "it") if len(layers) == 1 else ("layers", "them")
    return (
        f"{WARNING}the output of the {subject} {listed} is {state} for all"
        f" {counted(samples, 'sample')} of the representative dataset: add samples that"
        f" {verb} {pronoun}, or remove {pronoun} from the model"
    )
