"""The section of samples on which a model differs most from float."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.evaluation.results import Shown, WorstSample
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.shown_samples import ShownSample, ShownSamples
from edgepack.report.data.stage_runs import StageOutput, output_names, output_title, worst_runs
from edgepack.report.document.blocks import (
    Block,
    Card,
    Cards,
    Details,
    Picture,
    Plot,
    Section,
    Text,
)
from edgepack.report.sections.sample_media import is_drawn, number_row, sample_media

_FIRST = 6
_TOP = 3


def disagreements_section(report: CompareReport, samples: ShownSamples) -> Section | None:
    """Return the worst samples of each model, as pictures, waveforms or numbers.

    ``samples`` are their inputs and outputs, and need not have all of them.
    """
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        for index, each in enumerate(worst_runs(report, output)):
            if each.agrees:
                blocks.append(Text(text=output_title(report, each.agreement_in_words, output)))
            cards = [
                _card(
                    each,
                    sample,
                    samples.get((each.stage.name, output, sample.index)),
                    report.classes.get(output, ()),
                    f"sample-{place}-{index}-{number}",
                )
                for number, sample in enumerate(each.differing)
            ]
            blocks += _blocks(cards, output_title(report, f"Samples of {each.name}", output))
    if not blocks:
        return None
    return Section(
        id="samples",
        title="Where the models disagree",
        lead=(
            "Samples with a class other than float's, or of outputs without classes those that are"
            " farthest from float's. The numbers are indices in the test data, from 0."
        ),
        blocks=tuple(blocks),
    )


def class_and_score(shown: Shown) -> str:
    """Return a class with its score, as far as there are any."""
    if shown.label is None:
        return ""
    return shown.label if shown.score is None else f"{shown.label} ({shown.score:.2f})"


def _blocks(cards: Sequence[Card], label: str) -> Iterator[Block]:
    if cards:
        yield Text(text=f"{label}:")
        yield Cards(label=label, cards=tuple(cards[:_FIRST]))
    if rest := cards[_FIRST:]:
        continued = Cards(label=f"{label}, continued", cards=tuple(rest))
        yield Details(summary=f"{len(rest)} more: {label}", blocks=(continued,))


def _card(
    each: StageOutput,
    sample: WorstSample,
    shown: ShownSample | None,
    names: Sequence[str],
    id_: str,
) -> Card:
    drawn: tuple[Plot | Picture, ...] = ()
    rows: list[str] = []
    outputs: list[str] = []
    if shown:
        for place, (name, values) in enumerate(shown.inputs.items()):
            drawn += sample_media(f"{id_}-input-{place}", [(f"input {name}", values)])
            if not is_drawn(values):
                rows.append(f"{name}: {number_row(values)}")
        both = [("float", shown.of_float), (each.stage.name, shown.of_other)]
        if sample.of_other.label is None and each.has_classes:
            both = [(f"classes by {name}", _class_map(values)) for name, values in both]
        if sample.of_other.label is None:
            drawn += sample_media(f"{id_}-output", both)
        outputs = [
            f"{name}: {_output(values, names, sample)}"
            for name, values in both
            if sample.of_other.label is not None or not is_drawn(values)
        ]
    return Card(
        title=f"Sample {sample.index:,}",
        media=drawn,
        lines=(*rows, *_lines(each, sample, has_outputs=bool(outputs)), *outputs),
    )


def _lines(each: StageOutput, sample: WorstSample, *, has_outputs: bool) -> Iterator[str]:
    if sample.wanted is not None:
        yield f"label: {sample.wanted}"
    if not has_outputs and sample.of_other.label is not None:
        yield f"float: {class_and_score(sample.of_float)}"
        yield f"{each.stage.name}: {class_and_score(sample.of_other)}"
    if each.has_classes:
        yield f"KL divergence: {sample.distance:.3g} nats"
    else:
        yield f"mean squared error: {sample.distance:.3g}"


def _class_map(values: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each pixel of scores (H, W, classes); a single score is unchanged."""
    return values if values.shape[-1] == 1 else values.argmax(axis=-1)


def _output(values: NDArray[Any], names: Sequence[str], sample: WorstSample) -> str:
    """Return the three highest class scores; of other outputs the first numbers."""
    scores = np.asarray(values, np.float64)
    if sample.of_other.label is None or scores.ndim != 1 or len(names) != scores.size:
        return number_row(values)
    best = np.argsort(-scores, kind="stable")[:_TOP]
    return ", ".join(f"{names[index]} {scores[index]:.2f}" for index in best)
