"""The stages of a comparison: each model with what its outputs are worth, by interpreter."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.pipeline.comparison.cached_runs import Answer
from edgepack.pipeline.comparison.candidates import Contestant
from edgepack.pipeline.comparison.scoring import Scoring
from edgepack.pipeline.comparison.setup import Contest
from edgepack.report.data.comparison import FLOAT, Stage, StageRun


def score_all(
    contest: Contest, of_float: Answer, answers: Mapping[str, Mapping[str, Answer]]
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


def _float_stage(contest: Contest, answer: Answer, scorings: Mapping[str, Scoring]) -> Stage:
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
    contestant: Contestant, answers: Mapping[str, Answer], scorings: Mapping[str, Scoring]
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


def _run(contestant: Contestant, answer: Answer, scorings: Mapping[str, Scoring]) -> StageRun:
    """Score what one interpreter gave, output by output in the float model's order."""
    tensors = contestant.file.model.main.output_tensors
    scored = () if answer.failure else zip(scorings.items(), tensors, strict=True)
    return StageRun(
        version=answer.version,
        failure=answer.failure,
        outputs={name: scoring.result(answer, tensor) for (name, scoring), tensor in scored},
    )
