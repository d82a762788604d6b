"""What delegates took of a model, read off an interpreter that has them: in worker processes."""

from __future__ import annotations

from typing import Any

_DELEGATE = "DELEGATE"


def left_by_delegates(interpreter: Any) -> list[int] | None:
    """Tell which operators of the main graph no delegate took; XNNPACK needs no asking.

    ``interpreter`` is an ``Interpreter`` of TensorFlow Lite's Python interface, of LiteRT or
    tflite-runtime, its tensors allocated. Returns indices, or None if this version does not tell.
    """
    list_nodes = getattr(interpreter, "_get_ops_details", None)
    if list_nodes is None:
        return None
    nodes = list_nodes()
    operators = {node["index"]: node for node in nodes if node["op_name"] != _DELEGATE}
    delegates = [node for node in nodes if node["op_name"] == _DELEGATE]
    taken = {index for delegate in delegates for index in _replaced(delegate, operators)}
    return sorted(operators.keys() - taken)


def _replaced(delegate: dict[str, Any], operators: dict[int, dict[str, Any]]) -> set[int]:
    """Find the operators that a delegate's node stands for: all between its ends."""
    writers = {int(i): index for index, node in operators.items() for i in node["outputs"]}
    ends = {int(i) for i in delegate["inputs"]}
    found: set[int] = set()
    wanted = [int(i) for i in delegate["outputs"]]
    while wanted:
        index = writers.get(wanted.pop())
        if index is None or index in found:
            continue
        found.add(index)
        wanted += [int(i) for i in operators[index]["inputs"] if int(i) not in ends]
    return found
