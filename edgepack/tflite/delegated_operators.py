"""Find the operators that delegates run, by asking an interpreter in a worker process."""

from __future__ import annotations

from typing import Any

_DELEGATE = "DELEGATE"


def left_by_delegates(interpreter: Any) -> list[int] | None:
    """Return the operators of the main graph that no delegate runs, by index.

    ``interpreter`` is an ``Interpreter`` of TensorFlow Lite's Python interface, of LiteRT or
    tflite-runtime, with its tensors allocated; XNNPACK is applied by default. Returns None if this
    version of the interpreter does not list its nodes.
    """
    list_nodes = getattr(interpreter, "_get_ops_details", None)
    if list_nodes is None:
        return None
    nodes = list_nodes()
    operators = {node["index"]: node for node in nodes if node["op_name"] != _DELEGATE}
    delegates = [node for node in nodes if node["op_name"] == _DELEGATE]
    delegated = {index for delegate in delegates for index in _replaced(delegate, operators)}
    return sorted(operators.keys() - delegated)


def _replaced(delegate: dict[str, Any], operators: dict[int, dict[str, Any]]) -> set[int]:
    """Return the operators that a delegate's node replaces: all between its inputs and outputs."""
    writers = {int(i): index for index, node in operators.items() for i in node["outputs"]}
    boundary = {int(i) for i in delegate["inputs"]}
    replaced: set[int] = set()
    pending = [int(i) for i in delegate["outputs"]]
    while pending:
        index = writers.get(pending.pop())
        if index is None or index in replaced:
            continue
        replaced.add(index)
        pending += [int(i) for i in operators[index]["inputs"] if int(i) not in boundary]
    return replaced
