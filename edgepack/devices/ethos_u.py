"""Compile models for Ethos-U NPUs with Arm's compiler Vela, in a separate process."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from edgepack.core.errors import ModelError, TargetError
from edgepack.core.packages import VELA
from edgepack.core.temporary_folders import temporary_folder
from edgepack.devices.delegates import Undelegated
from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite
from edgepack.workers.client import Limits
from edgepack.workers.programs import run_program

LIMITS = Limits(time_s=60.0, memory_bytes=4 << 30)

_ON_NPU = "ethos-u"
_KIB = 1024
_MODEL, _WRITTEN = "model.tflite", "model_vela.tflite"
# The reason may end in the names of tensors, which can be of any length.
_REASON = re.compile(r"operator: \w+, ofm: '(.*)'\nReason: (.*?)\.?(?: \(.*\))?\n")
_CHOICES = re.compile(r"--accelerator-config: invalid choice: .*\(choose from (.*)\)")
# It runs in an empty folder, so that it imports installed packages only.
_BOOT = """
import json, sys
path, memory, *arguments = sys.argv[1:]
sys.path[:] = json.loads(path)
from edgepack.workers.process_limits import limit_process
limit_process(memory_bytes=json.loads(memory))
from ethosu.vela.vela import main
sys.exit(main(arguments))
"""


@dataclass(frozen=True, kw_only=True)
class NpuPlan:
    """Vela's plan for a model.

    ``operators`` is the number of operators in the model; those in ``left`` stay on the CPU.
    ``sram_bytes`` is the memory for activations and for the weights that Vela buffers,
    ``file_bytes`` the size of the .tflite file that it writes. ``cycles`` and ``inference_s`` are
    its estimates for one inference on the system that its configuration file calls ``system``,
    which is clocked at ``clock_hz``.
    """

    operators: int
    left: tuple[Undelegated, ...]
    sram_bytes: int
    file_bytes: int
    cycles: int
    inference_s: float
    system: str
    clock_hz: float


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """The result of running a version of Vela: a plan for the accelerator, or why it failed."""

    accelerator: str
    version: str
    plan: NpuPlan | None = None
    failure: str | None = None


def compile_for(accelerator: str, data: bytes, *, limits: Limits = LIMITS) -> Compilation:
    """Compile the bytes of a .tflite file for an accelerator, in Vela's naming (ethos-u55-128).

    If Vela fails on the model or exceeds the limits, the result's ``failure`` says so. Raises
    :class:`MissingToolError` without Vela, :class:`TargetError` for an accelerator that it does
    not know, and :class:`~edgepack.core.errors.ModelError` if the bytes are not a .tflite file.
    """
    VELA.require()
    graph = read_tflite(data).main
    plan, failure = None, None
    with temporary_folder() as folder:
        try:
            output = _run(folder, accelerator, data, limits)
            plan = _plan(graph, folder, output)
        except _FailureError as error:
            failure = str(error)
    return Compilation(
        accelerator=accelerator, version=str(VELA.version()), plan=plan, failure=failure
    )


class _FailureError(Exception):
    """Why Vela did not compile a model."""


def _run(folder: Path, accelerator: str, data: bytes, limits: Limits) -> str:
    """Run Vela in a folder, which it writes to; return its standard output and error."""
    (folder / _MODEL).write_bytes(data)
    settings = (json.dumps(sys.path), json.dumps(limits.memory_bytes))
    arguments = (_MODEL, "--output-dir", ".", f"--accelerator-config={accelerator}")
    command = [sys.executable, "-c", _BOOT, *settings, *arguments]
    done = run_program(command, time_s=limits.time_s, folder=folder)
    if known := _CHOICES.search(done.errors):
        names = known[1].replace("'", "")
        raise TargetError(f"unknown accelerator {accelerator!r}; Vela knows {names}")
    if done.failure:
        raise _FailureError(done.failure.replace("RuntimeError: ", ""))
    return done.output + done.errors


def _plan(graph: Graph, folder: Path, output: str) -> NpuPlan:
    try:
        compiled = (folder / _WRITTEN).read_bytes()
        (summary,) = folder.glob("*_summary_*.csv")
        with summary.open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        return NpuPlan(
            operators=len(graph.operators),
            left=_left(graph, _read(compiled), dict(_REASON.findall(output))),
            sram_bytes=round(float(row["sram_memory_used"]) * _KIB),
            file_bytes=len(compiled),
            cycles=int(row["cycles_total"]),
            inference_s=float(row["inference_time"]),
            system=row["system_config"],
            clock_hz=float(row["core_clock"]),
        )
    except (FileNotFoundError, KeyError, OverflowError, ValueError) as error:
        raise _FailureError(f"writes no plan: {error}") from error


def _read(compiled: bytes) -> Graph:
    try:
        return read_tflite(compiled).main
    except ModelError as error:
        raise _FailureError(f"writes a file that cannot be read: {error}") from None


def _left(graph: Graph, compiled: Graph, reasons: dict[str, str]) -> tuple[Undelegated, ...]:
    """Return the operators that Vela left unchanged, identified by the tensors they write."""
    names = layer_names(graph)
    copied = {
        compiled.tensors[i].name
        for operator in compiled.operators
        if operator.name != _ON_NPU
        for i in operator.outputs
    }
    return tuple(
        Undelegated(
            index=index,
            operator=operator.name,
            layer=names[i],
            why=reasons.get(graph.tensors[i].name),
        )
        for index, operator in enumerate(graph.operators)
        for i in operator.outputs[:1]
        if graph.tensors[i].name in copied
    )
