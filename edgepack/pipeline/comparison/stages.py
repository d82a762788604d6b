"""The stages of a comparison: each model with what its outputs are worth, by interpreter."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.scoring import Scoring
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.report.data.comparison import FLOAT, Stage, StageRun


def score_all(
    contest: ComparisonSetup,
    of_float: RuntimeOutputs,
    answers: Mapping[str, Mapping[str, RuntimeOutputs]],
) -> list[Stage]:
    """Score the float model, then each contestant; ``answers`` are by its name and runtime."""
    scorings = {
        output.name: Scoring(
            place,
            of_float,
            contest.measures.get(output.name, ()),
            contest.classes.get(output.name, ()),
            contest.cache,
        )
        for place, output in enumerate(contest.floating.signature.outputs)
    }
    return [
        _float_stage(contest, of_float, scorings),
        *(_stage(each, answers[each.name], scorings) for each in contest.contestants),
    ]


def _float_stage(
    contest: ComparisonSetup, answer: RuntimeOutputs, scorings: Mapping[str, Scoring]
) -> Stage:
    floating = contest.floating
    run = StageRun(
        version=answer.version,
        failure=None,
        outputs={name: scoring.float_result() for name, scoring in scorings.items()},
    )
    return Stage(
        name=FLOAT,
        role=FLOAT,
        file=floating.path.resolve().name,
        artifact=floating.artifact,
        is_converted=False,
        runs={floating.runtime: run},
    )


def _stage(
    contestant: Candidate, answers: Mapping[str, RuntimeOutputs], scorings: Mapping[str, Scoring]
) -> Stage:
    return Stage(
        name=contestant.name,
        role=contestant.role,
        file=contestant.file.path.name,
        artifact=contestant.file.artifact,
        is_converted=False,
        runs={runtime: _run(contestant, each, scorings) for runtime, each in answers.items()},
        origin=contestant.origin,
    )


def _run(
    contestant: Candidate, answer: RuntimeOutputs, scorings: Mapping[str, Scoring]
) -> StageRun:
    """Score what one interpreter gave, output by output in the float model's order."""
    tensors = contestant.file.model.main.output_tensors
    scored = () if answer.failure else zip(scorings.items(), tensors, strict=True)
    return StageRun(
        version=answer.version,
        failure=answer.failure,
        outputs={name: scoring.result(answer, tensor) for (name, scoring), tensor in scored},
    )
