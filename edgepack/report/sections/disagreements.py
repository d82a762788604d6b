"""The samples on which float and another model are farthest apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.evaluation.results import Shown, WorstSample
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.shown_samples import Exhibits, ShownSample
from edgepack.report.data.stage_runs import StageOutput, output_names, title, worst_runs
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
from edgepack.report.sections.sample_media import is_drawn, media, numbers

_FIRST = 6
_TOP = 3


def disagreements(report: ComparisonReport, exhibits: Exhibits) -> Section | None:
    """Show the worst samples of each model as pictures, waveforms or rows."""
    blocks: list[Block] = []
    for place, output in enumerate(output_names(report)):
        for index, each in enumerate(worst_runs(report, output)):
            cards = [
                _card(
                    each,
                    sample,
                    exhibits.get((each.stage.name, output, sample.index)),
                    report.classes.get(output, ()),
                    f"sample-{place}-{index}-{number}",
                )
                for number, sample in enumerate(each.output.worst)
            ]
            blocks += _blocks(cards, title(report, f"Samples of {each.name}", output))
    if not blocks:
        return None
    return Section(
        id="samples",
        title="Where they disagree",
        lead=(
            "Samples of another class first, then those whose outputs are farthest from float's;"
            " numbers count the test samples from 0."
        ),
        blocks=tuple(blocks),
    )


def said(shown: Shown) -> str:
    """Tell a class and its score."""
    if shown.label is None:
        return ""
    return shown.label if shown.score is None else f"{shown.label} ({shown.score:.2f})"


def _blocks(cards: Sequence[Card], label: str) -> Iterator[Block]:
    if cards:
        yield Text(text=f"{label}:")
        yield Cards(label=label, cards=tuple(cards[:_FIRST]))
    if rest := cards[_FIRST:]:
        folded = Cards(label=f"{label}, continued", cards=tuple(rest))
        yield Details(summary=f"{len(rest)} more: {label}", blocks=(folded,))


def _card(
    each: StageOutput,
    sample: WorstSample,
    exhibit: ShownSample | None,
    names: Sequence[str],
    id_: str,
) -> Card:
    drawings: tuple[Plot | Picture, ...] = ()
    rows: list[str] = []
    outputs: list[str] = []
    if exhibit:
        for place, (name, values) in enumerate(exhibit.inputs.items()):
            drawings += media(f"{id_}-input-{place}", [(f"input {name}", values)])
            if not is_drawn(values):
                rows.append(f"{name}: {numbers(values)}")
        both = [("float", exhibit.of_float), (each.stage.name, exhibit.of_other)]
        if sample.of_other.label is None and _has_classes(each):
            both = [(f"classes by {name}", _class_map(values)) for name, values in both]
        if sample.of_other.label is None:
            drawings += media(f"{id_}-output", both)
        outputs = [
            f"{name}: {_output(values, names, sample)}"
            for name, values in both
            if sample.of_other.label is not None or not is_drawn(values)
        ]
    return Card(
        title=f"Sample {sample.index:,}",
        media=drawings,
        lines=(*rows, *_lines(each, sample, has_outputs=bool(outputs)), *outputs),
    )


def _lines(each: StageOutput, sample: WorstSample, *, has_outputs: bool) -> Iterator[str]:
    if sample.wanted is not None:
        yield f"label: {sample.wanted}"
    if not has_outputs and sample.of_other.label is not None:
        yield f"float says {said(sample.of_float)}, {each.stage.name} {said(sample.of_other)}"
    if _has_classes(each):
        yield f"KL divergence: {sample.distance:.3g} nats"
    else:
        yield f"mean squared error: {sample.distance:.3g}"


def _has_classes(each: StageOutput) -> bool:
    """Whether an output tells a class of each sample, or of each pixel."""
    return each.output.distance is not None and each.output.distance.agreement is not None


def _class_map(values: NDArray[Any]) -> NDArray[Any]:
    """Tell the class of each pixel of shape (H, W, classes); a lone score is left as it is."""
    return values if values.shape[-1] == 1 else values.argmax(axis=-1)


def _output(values: NDArray[Any], names: Sequence[str], sample: WorstSample) -> str:
    """Write the highest class scores; of what is no class scores, the numbers."""
    scores = np.asarray(values, np.float64)
    if sample.of_other.label is None or scores.ndim != 1 or len(names) != scores.size:
        return numbers(values)
    best = np.argsort(-scores, kind="stable")[:_TOP]
    return ", ".join(f"{names[index]} {scores[index]:.2f}" for index in best)
