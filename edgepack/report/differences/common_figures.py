"""The figures of what several reports have: targets, interpreters, files, what went in."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.report.data.target import FAILED, PASSED
from edgepack.report.differences.figure_kinds import (
    CYCLES,
    FAILS,
    MEMORY,
    REASONS,
    RUN,
    RUNS,
    SETTING,
    STEPS,
    TIME,
    VERDICT,
    Figure,
    Group,
    other_figure,
    size_figure,
    verdict_figure,
)
from edgepack.report.differences.read_report import Node


def word_figure(judged: Node) -> str | None:
    """Find a verdict; the reports of older versions have ``passed`` alone."""
    passed = judged["passed"].flag()
    told = None if passed is None else (PASSED if passed else FAILED).lower()
    return judged["verdict"].text() or told


def judged(start: str, target: Node) -> Iterator[Figure]:
    """Tell a target's verdict and its reasons."""
    yield verdict_figure(f"{start}verdict", VERDICT, word_figure(target))
    yield verdict_figure(f"{start}reason", REASONS, target["reasons"].texts())


def footprint_figures(start: str, target: Node) -> Iterator[Figure]:
    """Tell what the model takes of a target."""
    taken, plan = target["footprint"], target["compilation"]["plan"]
    yield size_figure(f"{start}flash", target["flash_bytes"])
    yield size_figure(f"{start}RAM", taken["ram_bytes"])
    yield size_figure(f"{start}arena", taken["arena"]["least"])
    yield size_figure(f"{start}SRAM of the NPU", plan["sram_bytes"])
    cycles = plan["cycles"].number()
    yield Figure(group=Group.SIZE, what=f"{start}cycles of the NPU", kind=CYCLES, value=cycles)


def run(what: str, runtime: Node) -> Figure:
    """Tell whether an interpreter ran a model."""
    return verdict_figure(what, RUN, RUNS if runtime["failure"].text() is None else FAILS)


def on_host(start: str, name: str, runtime: Node, *, is_named: bool) -> Iterator[Figure]:
    """Tell how an interpreter ran a model on the machine of the report.

    ``is_named`` says that outputs are told apart by their names.
    """
    for output, deviation in runtime["deviations"].children().items():
        place = f"{start}{output}: " if is_named else start
        yield other_figure(f"{place}{name}: off reference", STEPS, deviation["max_lsb"].number())
    median = runtime["latency"]["median_ms"].number()
    yield other_figure(f"{start}{name}: median time on the host", TIME, median)
    memory = runtime["peak_memory_bytes"].number()
    yield other_figure(f"{start}{name}: memory on the host", MEMORY, memory)


_ROLES = {
    "model": "source model",
    "representative": "representative dataset",
    "test": "test data",
    "ranges": "ranges",
    "train": "training data",
}


def went_in(inputs: Node) -> Iterator[Figure]:
    """Name what went in, by its role."""
    for role, made_of in inputs.children().items():
        if role in _ROLES:
            yield other_figure(_ROLES[role], SETTING, _named(made_of))


def _named(made_of: Node) -> str | None:
    """Name what went in as the manifest does: a function or an object, or a file and its hash."""
    name = made_of["function"].text() or made_of["object"].text() or made_of["name"].text()
    digest = (made_of["sha256"].text() or "")[:8]
    return f"{name} {digest}".rstrip() if name else None


def file(what: str, artifact: Node) -> Iterator[Figure]:
    """Tell a file's size and content."""
    yield size_figure(what, artifact["bytes"])
    digest = artifact["sha256"].text()
    yield other_figure(f"SHA-256 of {what}", SETTING, digest[:12] if digest else None)
