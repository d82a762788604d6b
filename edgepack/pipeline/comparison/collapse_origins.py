"""Where the outputs of a comparison's models collapse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.steps.collapse_origin import find_collapsed_layer
from edgepack.report.data.compare import QUANTIZED, Stage


def find_collapse_origins(setup: ComparisonSetup, stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages, each quantized one whose outputs collapsed with where they did."""
    candidates = {each.name: each for each in setup.candidates}
    collapsed = {stage.name: outputs for stage in stages if (outputs := _collapsed(stage))}
    return [
        replace(stage, collapse_origin=_origin(setup, candidates[stage.name], collapsed))
        if stage.role == QUANTIZED and stage.name in collapsed
        else stage
        for stage in stages
    ]


def _collapsed(stage: Stage) -> set[str]:
    """Return the outputs of a stage that collapsed on an interpreter."""
    results = (item for run in stage.runs.values() for item in run.outputs.items())
    return {
        name for name, result in results if result.distance is not None and result.distance.collapse
    }


def _origin(
    setup: ComparisonSetup, candidate: Candidate, collapsed: Mapping[str, set[str]]
) -> CollapseOrigin | None:
    """Return where a candidate collapsed: before it was quantized, or in one of its layers."""
    pruned = candidate.pruned
    for each in setup.candidates if pruned else ():
        is_source = pruned is not None and each.file.data == pruned.data
        if is_source and collapsed[candidate.name] <= collapsed.get(each.name, set()):
            return CollapseOrigin(stage=each.name)
    return find_collapsed_layer(
        (pruned or setup.float_model.tflite(setup.samples)).path,
        candidate.file.path,
        setup.samples.data.inputs,
        setup.work,
        setup.progress,
        verbose=setup.verbose,
    )
