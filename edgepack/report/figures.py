"""The figures of a report, each with what it is and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from edgepack.metrics import Unit, listed
from edgepack.report.reading import Node
from edgepack.report.table import milliseconds
from edgepack.report.target import FAILED, NOT_CHECKED, PASSED

_WHOLE_STEPS = 10

Plain = float | str | None
Value = Plain | tuple[str, ...]


class Group(str, Enum):
    """What figures tell, the weightiest first."""

    VERDICT = "verdict"
    METRIC = "metric"
    SIZE = "size"
    REST = "rest"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of figure: its unit, how reports print it, and which way is better.

    ``better`` is 1 if more is better, -1 if less is, 0 if neither can be said. ``ranks`` are words
    from the worst to the best. ``change`` writes a difference; None leaves it to the percentage.
    """

    unit: str
    better: int = 0
    ranks: tuple[str, ...] = ()
    show: Callable[[float], str] = "{:g}".format
    change: Callable[[float], str] | None = None


def _points(change: float) -> str:
    return f"{100 * change:+.2f} points"


def _decibels(change: float) -> str:
    return f"{change:+.3g} dB"


def _steps(number: float) -> str:
    return f"{number:,.0f} LSB" if number >= _WHOLE_STEPS else f"{number:.2g} LSB"


def _mebibytes(number: float) -> str:
    return f"{number / (1 << 20):,.0f} MiB"


def _bytes(change: float) -> str:
    return f"{change:+,} B"


RUNS, FAILS = "runs", "fails"

VERDICT = Kind(unit="verdict", ranks=tuple(word.lower() for word in (FAILED, NOT_CHECKED, PASSED)))
RUN = Kind(unit="run", ranks=(FAILS, RUNS))
REASONS = Kind(unit="reason", better=-1)
FRACTION = Kind(unit="fraction", better=1, show="{:.4f}".format, change=_points)
ERROR = Kind(unit="error", better=-1, show="{:.5g}".format)
VALUE = Kind(unit="value", show="{:.5g}".format)
RATIO = Kind(unit="dB", better=1, show="{:.2f} dB".format, change=_decibels)
AGREEMENT = Kind(unit="fraction", better=1, show="{:.2%}".format, change=_points)
SQNR = Kind(unit="dB", better=1, show="{:.1f} dB".format, change=_decibels)
MAX_ERROR = Kind(unit="error", better=-1, show="{:.3g}".format)
BYTES = Kind(unit="bytes", better=-1, show="{:,} B".format, change=_bytes)
CYCLES = Kind(unit="cycles", better=-1, show="{:,}".format, change="{:+,}".format)
ZEROS = Kind(unit="fraction", show="{:.1%}".format, change=_points)
STEPS = Kind(unit="LSB", show=_steps)
TIME = Kind(unit="ms", show=milliseconds)
MEMORY = Kind(unit="bytes", show=_mebibytes)
COUNT = Kind(unit="count", show="{:,}".format, change="{:+,}".format)
SETTING = Kind(unit="setting")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a report; ``what`` is the same in all reports. A tuple is a set of texts."""

    group: Group
    what: str
    kind: Kind
    value: Value


def bundle_figures(report: Node, manifest: Node, *, is_named: bool) -> Iterator[Figure]:
    """Take the figures out of the report of an export or a validation.

    ``is_named`` says that outputs are told apart by their names.
    """
    scheme = _scheme(report)
    for name, target in report["targets"].children().items():
        yield from _verdict(f"{name}: ", target)
        yield from _footprint(f"{name}: ", target)
    for name, runtime in report["runtimes"].children().items():
        yield from _runtime(name, runtime, is_named=is_named)
    for name, output in report["comparison"]["outputs"].children().items():
        yield from _output(f"{name}: " if is_named else "", output)
    artifacts = report["artifacts"].children()
    quantized = artifacts.get(f"{scheme}.tflite", report["artifact"])
    yield from _file("quantized model", quantized)
    if "float.tflite" in artifacts:
        yield from _file("float.tflite", artifacts["float.tflite"])
    for path, artifact in artifacts.items():
        if path.endswith(".c"):
            yield _size("model.c, as text", artifact["bytes"])
    zeros = {"float": report["sparsity"], "quantized": report["sparsity"][scheme]}
    for which, sparsity in zeros.items():
        yield _rest(f"zeros in the {which} model", ZEROS, sparsity["overall"].number())
    yield from _settings(report, scheme)
    for role, made_of in manifest["recipe"].children().items():
        if role in _ROLES:
            yield _rest(_ROLES[role], SETTING, _origin(made_of))


def firmware_figures(report: Node, *, is_named: bool) -> Iterator[Figure]:
    """Take the figures out of the report of firmware; ``is_named`` likewise tells models apart."""
    yield Figure(group=Group.VERDICT, what="firmware", kind=VERDICT, value=_word(report))
    yield _size("flash", report["flash_bytes"])
    yield _size("RAM", report["ram_bytes"])
    for name, model in report["models"].children().items():
        start = f"{name}: " if is_named else ""
        yield from _verdict(start, model["target"])
        yield from _file(f"{start}model", model["artifact"])
        yield _size(f"{start}arena", model["arena_bytes"])
        yield _rest(f"{start}operator", SETTING, model["operators"].texts())
        yield _rest(f"{start}test vectors", COUNT, model["vectors"].number())
    for key in ("target", "layout"):
        yield _rest(key, SETTING, report[key].text())


def _word(judged: Node) -> str | None:
    """Find a verdict; the reports of older versions have ``passed`` alone."""
    passed = judged["passed"].flag()
    told = None if passed is None else (PASSED if passed else FAILED).lower()
    return judged["verdict"].text() or told


def _verdict(start: str, target: Node) -> Iterator[Figure]:
    """Tell a target's verdict and its reasons."""
    judged = {"verdict": (VERDICT, _word(target)), "reason": (REASONS, target["reasons"].texts())}
    for what, (kind, value) in judged.items():
        yield Figure(group=Group.VERDICT, what=f"{start}{what}", kind=kind, value=value)


def _footprint(start: str, target: Node) -> Iterator[Figure]:
    """Tell what the model takes of a target."""
    footprint, plan = target["footprint"], target["compilation"]["plan"]
    yield _size(f"{start}flash", target["flash_bytes"])
    yield _size(f"{start}RAM", footprint["ram_bytes"])
    yield _size(f"{start}arena", footprint["arena"]["least"])
    yield _size(f"{start}SRAM of the NPU", plan["sram_bytes"])
    cycles = plan["cycles"].number()
    yield Figure(group=Group.SIZE, what=f"{start}cycles of the NPU", kind=CYCLES, value=cycles)


def _runtime(name: str, runtime: Node, *, is_named: bool) -> Iterator[Figure]:
    run = RUNS if runtime["failure"].text() is None else FAILS
    yield Figure(group=Group.VERDICT, what=name, kind=RUN, value=run)
    for output, deviation in runtime["deviations"].children().items():
        start = f"{output}: " if is_named else ""
        yield _rest(f"{start}{name}: off reference", STEPS, deviation["max_lsb"].number())
    median = runtime["latency"]["median_ms"].number()
    yield _rest(f"{name}: median time on the host", TIME, median)
    yield _rest(f"{name}: memory on the host", MEMORY, runtime["peak_memory_bytes"].number())
    yield _rest(f"{name}: version", SETTING, runtime["version"].text())


_OF_OUTPUTS = ("metric", "float", "pruned")  # any other key is a scheme


def _scheme(report: Node) -> str:
    """Find what a model was quantized to; empty if nothing says so."""
    if scheme := report["quantization"]["scheme"].text():
        return scheme
    outputs = report["comparison"]["outputs"].children().values()
    keys = (key for output in outputs for key in output.children() if key not in _OF_OUTPUTS)
    return next(keys, "")


def _output(start: str, output: Node) -> Iterator[Figure]:
    name = output["metric"].text()
    metric = listed(name) if name else None
    kind = VALUE if metric is None else _OF_UNITS[metric.unit]
    scored: dict[str, Node] = {"pruned": output["pruned"]}
    for key, scores in output.children().items():
        if key not in _OF_OUTPUTS:
            scored |= scores.children()
    if name is not None:
        values = {"float": output["float"]} | {who: score["value"] for who, score in scored.items()}
        for who, value in values.items():
            yield _metric(f"{start}{who}: {name}", kind, value)
    for label, kind_of, key in _SCORES:
        for who, score in scored.items():
            yield _metric(f"{start}{who}: {label}", kind_of, score[key])


_OF_UNITS = {
    Unit.FRACTION: FRACTION,
    Unit.ERROR: ERROR,
    Unit.DECIBELS: RATIO,
    Unit.PLAIN: VALUE,
}
_SCORES = (
    ("agreement", AGREEMENT, "agreement"),
    ("SQNR", SQNR, "sqnr_db"),
    ("max error", MAX_ERROR, "max_abs_error"),
)


def _settings(report: Node, scheme: str) -> Iterator[Figure]:
    quantization, calibration = report["quantization"], report["calibration"]
    compared = report["comparison"]
    is_export = "pruning" in report.children()
    observer = "as given" if calibration.children() else None
    settings: Mapping[str, Value] = {
        "model" if is_export else "file": report["model"].text(),
        "scheme": scheme or None,
        "scheme of layers": _layers(quantization["layers"]),
        "input type": quantization["input_type"].text(),
        "output type": quantization["output_type"].text(),
        "scales of dense layers": quantization["dense"].text(),
        "left in float": quantization["in_float"].texts(),
        "observer": calibration["observer"].text() or observer,
        "pruning": report["pruning"]["way"].text() or ("none" if is_export else None),
        "float model run by": report["float_runtime"].text(),
        "compared on": compared["data"].text() or report["data"].text(),
    }
    for what, value in settings.items():
        yield _rest(what, SETTING, value)
    counts = {
        "samples compared": compared["samples"].number() or report["samples"].number(),
        "samples calibrated with": calibration["samples"].number(),
    }
    for what, count in counts.items():
        yield _rest(what, COUNT, count)


def _layers(pairs: Node) -> tuple[str, ...] | None:
    entries = pairs.entries()
    return None if entries is None else tuple("=".join(each.texts() or ()) for each in entries)


_ROLES = {
    "model": "source model",
    "representative": "representative dataset",
    "test": "test data",
    "ranges": "ranges",
    "train": "training data",
}


def _origin(made_of: Node) -> str | None:
    """Name what went in as the manifest does: a function or an object, or a file and its hash."""
    named = made_of["function"].text() or made_of["object"].text() or made_of["name"].text()
    digest = (made_of["sha256"].text() or "")[:8]
    return f"{named} {digest}".rstrip() if named else None


def _file(what: str, artifact: Node) -> Iterator[Figure]:
    yield _size(what, artifact["bytes"])
    digest = artifact["sha256"].text()
    yield _rest(f"SHA-256 of {what}", SETTING, digest[:12] if digest else None)


def _metric(what: str, kind: Kind, value: Node) -> Figure:
    return Figure(group=Group.METRIC, what=what, kind=kind, value=value.number())


def _size(what: str, value: Node) -> Figure:
    return Figure(group=Group.SIZE, what=what, kind=BYTES, value=value.number())


def _rest(what: str, kind: Kind, value: Value) -> Figure:
    return Figure(group=Group.REST, what=what, kind=kind, value=value)
