"""The comparison of a float model with others that were made of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from edgepack import bundle
from edgepack.cache import Cache, default_folder
from edgepack.calibration.dataset import Dataset
from edgepack.calibration.reader import reader
from edgepack.errors import MissingToolError, ModelError
from edgepack.labels import labelled_output, read_labels
from edgepack.manifest import describe_data, manifest
from edgepack.metrics import Measure, companions, measures, require_known
from edgepack.pipeline.answers import Answer, Question, Samples, ask
from edgepack.pipeline.close_look import CloseLook, strangers
from edgepack.pipeline.contestants import Contestant, read_contestants
from edgepack.pipeline.exhibits import exhibits
from edgepack.pipeline.float_model import FloatModel
from edgepack.pipeline.folds import cross_validate
from edgepack.pipeline.scoring import Scoring
from edgepack.progress import Progress, Silent, Update
from edgepack.recipe_file import read_recipe_file
from edgepack.report.comparison import FLOAT, ComparisonReport, Stage, StageRun
from edgepack.report.comparison_page import comparison_document
from edgepack.report.exhibits import Exhibits
from edgepack.report.page.files import write_page
from edgepack.runtimes import RUNTIMES, Runtime
from edgepack.target import load_targets
from edgepack.trial import Trial
from edgepack.types import Signature

_LITERT = RUNTIMES["litert"]


def compare(
    trial: Trial, progress: Progress | None = None, *, verbose: bool = False
) -> ComparisonReport:
    """Compare a float model with others on the same samples, and tell whether a drop is real.

    Writes ``trial.output``, if it is set, whole or not at all: report.html, report.md, report.json
    and the manifest. ``verbose`` lets TensorFlow and the interpreters write to standard error.
    What an interpreter fails at is a result.

    Raises an :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure.
    """
    progress = progress or Silent()
    require_known(trial.metric)
    recipe_file = read_recipe_file(trial.recipe_file)
    labels = read_labels(trial.labels) if trial.labels else ()
    runtimes, notes = _runtimes(trial)
    with ExitStack() as stack:
        folder = trial.output and stack.enter_context(bundle.stage(trial.output, force=trial.force))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgepack-")))
        cache = Cache(default_folder() if trial.is_cached else None, work)
        with (
            progress.step("load") as update,
            reader([trial.test], recipe_file, verbose=verbose) as reading,
        ):
            floating = FloatModel(trial.source, cache, stack, work, verbose=verbose)
            contestants = read_contestants(trial.candidates, trial.model, floating.signature)
            spooled = reading.read(trial.test, floating.signature, work / "test", update=update)
        samples = Samples(data=spooled.dataset())
        measured = _measures(trial, samples.data, floating.signature)
        classes = _classes(trial, labels, samples.data, floating.signature)
        with progress.step("run") as update:
            of_float, answers = _run(
                floating, contestants, runtimes, samples, cache, work, update, verbose=verbose
            )
        with progress.step("compare"):
            scorings = {
                output.name: Scoring(
                    place,
                    of_float,
                    measured.get(output.name, ()),
                    classes.get(output.name, ()),
                    cache,
                )
                for place, output in enumerate(floating.signature.outputs)
            }
            stages = [
                _float_stage(floating, of_float, scorings),
                *(_stage(each, answers[each.name], scorings) for each in contestants),
            ]
        folds = None
        if trial.folds is not None:
            its = contestants[-1]
            folds = cross_validate(
                trial, its.file.path, its.origin, progress=progress, verbose=verbose
            )
        lint = None
        if folder is not None:
            look = CloseLook(trial, floating, samples, cache, work, progress, verbose=verbose)
            stages = look.at_all(stages, contestants)
            lint = look.lint()
        made_of = _made_of(trial, floating, contestants)
        report = ComparisonReport(
            model=trial.model.resolve().name,
            float_runtime=floating.runtime,
            data=made_of["test"],
            samples=len(samples),
            classes=classes,
            metrics={name: each[0].metric.name for name, each in measured.items()},
            stages=tuple(stages),
            folds=folds,
            lint=lint,
            max_drop=trial.max_drop,
            inputs=made_of,
            versions=manifest({}, {}, _DISTRIBUTIONS, runtimes)["versions"],
            notes=(*notes, *spooled.notes, *strangers(stages)),
        )
        if folder is not None:
            shown = exhibits(report, contestants, samples.data.inputs, of_float, answers)
            _write(folder, report, shown, runtimes)
    return report


_DISTRIBUTIONS = ("numpy", "scikit-learn", "scipy")


def _runtimes(trial: Trial) -> tuple[list[Runtime], tuple[str, ...]]:
    """Find the interpreters of the targets, and say which are not to be had here."""
    wanted = {name for target in load_targets(trial.targets) for name in target.interpreters}
    known = [runtime for name, runtime in RUNTIMES.items() if name in wanted]
    notes = tuple(dict.fromkeys(why for runtime in known if (why := runtime.missing())))
    found = [runtime for runtime in known if runtime.missing() is None]
    if not found:
        raise MissingToolError(f"none of the targets' interpreters is here: {'; '.join(notes)}")
    return found, notes


def _measures(trial: Trial, data: Dataset, signature: Signature) -> dict[str, list[Measure]]:
    """Choose how each output is measured: the metric of the verdict first, then its family."""
    chosen = measures(trial.metric, data, signature)
    return {
        output.name: companions(chosen[output.name], data, output)
        for output in signature.outputs
        if output.name in chosen
    }


_MOST_CLASSES = 10_000


def _classes(
    trial: Trial, labels: Sequence[str], data: Dataset, signature: Signature
) -> dict[str, tuple[str, ...]]:
    """Name the classes of the outputs that have any: as the user does, as folders do, by number."""
    outputs = signature.outputs
    named = labelled_output(trial.labels, labels, outputs) if trial.labels else None
    found = {}
    for place, output in enumerate(outputs):
        size = output.shape[-1] or 0
        count = 2 if size == 1 else size
        if place == named:
            found[output.name] = tuple(labels)
        elif len(data.classes) == count:
            found[output.name] = data.classes
        elif count <= _MOST_CLASSES:
            found[output.name] = tuple(str(number) for number in range(count))
    return found


def _run(
    floating: FloatModel,
    contestants: Sequence[Contestant],
    runtimes: Sequence[Runtime],
    samples: Samples,
    cache: Cache,
    work: Path,
    update: Update,
    *,
    verbose: bool,
) -> tuple[Answer, dict[str, dict[str, Answer]]]:
    """Run all models side by side; returns the float model's answer, and the others' by name."""
    questions = {each.name: Question(file=each.file, runtimes=runtimes) for each in contestants}
    if floating.file is None:
        predicted = floating.predict(samples)
        answers = ask(questions, samples, cache, work, update, verbose=verbose)
        return predicted(), answers
    questions[FLOAT] = Question(file=floating.file, runtimes=[_LITERT])
    answers = ask(questions, samples, cache, work, update, verbose=verbose)
    of_float = answers.pop(FLOAT)[_LITERT.name]
    if of_float.failure:
        raise ModelError(
            f"{floating.path}: nothing can be compared with it on LiteRT: {of_float.failure}"
        )
    return of_float, answers


def _float_stage(floating: FloatModel, answer: Answer, scorings: Mapping[str, Scoring]) -> Stage:
    run = StageRun(
        version=answer.version,
        failure=None,
        outputs={name: scoring.float_result() for name, scoring in scorings.items()},
    )
    artifact = bundle.describe(floating.path)
    return Stage(
        name=FLOAT,
        role=FLOAT,
        file=floating.path.resolve().name,
        artifact=artifact,
        is_converted=False,
        runs={floating.runtime: run},
    )


def _stage(
    contestant: Contestant, answers: Mapping[str, Answer], scorings: Mapping[str, Scoring]
) -> Stage:
    tensors = contestant.file.model.main.output_tensors
    return Stage(
        name=contestant.name,
        role=contestant.role,
        file=contestant.file.path.name,
        artifact=bundle.describe_bytes(contestant.file.data),
        is_converted=False,
        runs={
            runtime: StageRun(
                version=answer.version,
                failure=answer.failure,
                outputs={}
                if answer.failure
                else {
                    name: scoring.result(answer, tensor)
                    for (name, scoring), tensor in zip(scorings.items(), tensors, strict=True)
                },
            )
            for runtime, answer in answers.items()
        },
        origin=contestant.origin,
    )


def _made_of(
    trial: Trial, floating: FloatModel, contestants: Sequence[Contestant]
) -> dict[str, dict[str, object]]:
    """Describe what went in, by its role or name."""
    files = {"test": trial.test, "recipe_file": trial.recipe_file, "labels": trial.labels}
    return {
        **floating.inputs,
        **{
            each.name: {"name": each.file.path.name} | asdict(bundle.describe_bytes(each.file.data))
            for each in contestants
        },
        **{role: describe_data(data) for role, data in files.items() if data is not None},
    }


def _write(
    folder: Path, report: ComparisonReport, shown: Exhibits, runtimes: Sequence[Runtime]
) -> None:
    bundle.write_json(folder / "report.json", report.to_dict())
    write_page(folder, comparison_document(report, shown))
    asked = {"comparison": {"inputs": report.inputs}}
    made = manifest(asked, bundle.describe_all(folder), _DISTRIBUTIONS, runtimes)
    bundle.write_json(folder / bundle.MANIFEST, made)
