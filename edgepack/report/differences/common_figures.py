"""Figures that several kinds of reports have: targets, interpreters, files, inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgepack.core.findings import Finding
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


def verdict_word(report: Node) -> str | None:
    """Return the verdict of a report or a target.

    Reports of older versions have only ``passed``.
    """
    passed = report["passed"].flag()
    word = None if passed is None else (PASSED if passed else FAILED)
    return report["verdict"].text() or word


def verdict_figures(start: str, target: Node) -> Iterator[Figure]:
    """Return a target's verdict and its reasons.

    ``start`` is the beginning of the figures' names, here and below.
    """
    yield verdict_figure(f"{start}verdict", VERDICT, verdict_word(target))
    reasons = verdict_figure(f"{start}reason", REASONS, target["reasons"].texts())
    yield replace(reasons, checks=dict(_checks(target)))


def _checks(target: Node) -> Iterator[tuple[str, str]]:
    """Return the reasons of a target, each with its check, operator and layer."""
    for finding in target["findings"].entries() or ():
        check, message, cure, operator, layer = (
            finding[key].text() for key in ("check", "message", "cure", "operator", "layer")
        )
        reason = str(Finding(message=message or "", cure=cure, layer=layer))
        yield reason, f"{check}, {operator}, {layer}"


def footprint_figures(start: str, target: Node) -> Iterator[Figure]:
    """Return the memory, and for an NPU the cycles, that a model needs on a target."""
    footprint, plan = target["footprint"], target["compilation"]["plan"]
    yield size_figure(f"{start}flash", target["flash_bytes"])
    yield size_figure(f"{start}RAM", footprint["ram_bytes"])
    yield size_figure(f"{start}arena", footprint["arena"]["least"])
    yield size_figure(f"{start}SRAM of the NPU", plan["sram_bytes"])
    cycles = plan["cycles"].number()
    yield Figure(group=Group.SIZE, what=f"{start}cycles of the NPU", kind=CYCLES, value=cycles)


def run_figure(what: str, runtime: Node) -> Figure:
    """Return whether an interpreter ran a model."""
    return verdict_figure(what, RUN, RUNS if runtime["failure"].text() is None else FAILS)


def host_figures(start: str, name: str, runtime: Node, *, is_named: bool) -> Iterator[Figure]:
    """Return how an interpreter ran a model on the machine of the report.

    ``is_named`` is whether figures include the names of outputs.
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


def input_figures(inputs: Node) -> Iterator[Figure]:
    """Return a figure for each input of a known role."""
    for role, described in inputs.children().items():
        if role in _ROLES:
            yield other_figure(_ROLES[role], SETTING, _description(described))


def _description(described: Node) -> str | None:
    """Return an input's function, object or file name, as in the manifest, with a file's hash."""
    name = described["function"].text() or described["object"].text() or described["name"].text()
    digest = (described["sha256"].text() or "")[:8]
    return f"{name} {digest}".rstrip() if name else None


def file_figures(what: str, artifact: Node) -> Iterator[Figure]:
    """Return a file's size and hash."""
    yield size_figure(what, artifact["bytes"])
    digest = artifact["sha256"].text()
    yield other_figure(f"SHA-256 of {what}", SETTING, digest[:12] if digest else None)
