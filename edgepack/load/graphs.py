"""Graphs of TensorFlow, looked through before TensorFlow imports them.

An operator may read files, call Python or talk to other hosts; importing a graph already computes
parts of it. So each operator, in all functions, is held against the list of those that only
compute. Those that read and write checkpoints are in every SavedModel, where only the saver has
them: they are let through where nothing else leads to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import shown
from edgepack.load import allowlist
from edgepack.tflite.graph import Model, Operator

_SAVER = {
    *("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "Save", "SaveSlices"),
    *("Restore", "RestoreSlice"),
}
_FLEX = "Flex"
_IMPLEMENTS = "api_implements"
_NOT_ITS_OWN = "it is no function of the graph, and TensorFlow would run an operator of this name"

_RESTORE = {"RestoreV2", "Restore", "RestoreSlice"}
_PASSING_ON = {"Identity", "PlaceholderWithDefault"}
_CALLING = ("PartitionedCall", "StatefulPartitionedCall")
"""Operators whose inputs are the arguments of the function that they call."""


def require_pure(path: Path, saved: Any) -> None:
    """Raise :class:`UnsafeModelError` if a graph of a SavedModel reaches outside itself.

    ``saved`` is the SavedModel's protocol buffer.
    """
    for meta in saved.meta_graphs:
        graph = _Graph(meta)
        if twice := graph.twice():
            raise ModelError(f"{path}: damaged: its graph holds {shown(twice)} twice")
        for name in graph.functions:
            if _is_registered(name):
                raise _refusal(path, f"redefines the operator {name}", "TensorFlow has it")
        for node in graph.all_nodes():
            why = None if node.op in graph.functions else allowlist.operators().why_not(node.op)
            if why is not None and node.op not in _SAVER:
                raise _refusal(path, f"holds the operator {node.op}", why)
            for name in _handed_on(node.attr):
                if name not in graph.functions:
                    raise _refusal(path, f"calls {shown(name)}", _NOT_ITS_OWN)
        # TensorFlow 2 calls the functions of objects, and lets the graph around them be.
        has_objects = len(saved.meta_graphs) == 1 and meta.HasField("object_graph_def")
        for node in graph.of_objects() if has_objects else graph.outside_the_saver():
            if node.op in _SAVER:
                why = str(allowlist.operators().why_not(node.op))
                raise _refusal(path, f"holds the operator {node.op} outside its saver", why)


def require_pure_operators(path: Path, model: Model) -> None:
    """Raise :class:`UnsafeModelError` if a .tflite file holds what TensorFlow would run for it.

    Those are custom operators whose names are those of TensorFlow's with a word before them.
    """
    for operator in (each for graph in model.subgraphs for each in graph.operators):
        if operator.is_custom and operator.name.startswith(_FLEX):
            for name in chain([operator.name.removeprefix(_FLEX)], _run_for(path, operator)):
                if (why := allowlist.operators().why_not(name)) is not None:
                    raise _refusal(path, f"holds the operator {shown(name)}", why)


def _run_for(path: Path, operator: Operator) -> Iterator[str]:
    """Name the operator that TensorFlow runs: it goes by the options, whatever the name is."""
    from flatbuffers import flexbuffers

    try:
        _, options = flexbuffers.GetRoot(operator.custom_options).AsVector
        from tensorflow.core.framework.node_def_pb2 import NodeDef

        node = NodeDef.FromString(bytes(options.AsBlob))
        yield from (node.op, *_handed_on(node.attr))
    except Exception as error:
        raise ModelError(
            f"{path}: damaged .tflite file: the options of {operator.name} cannot be read"
        ) from error


class _Graph:
    """A graph with its functions, and what leads to what."""

    def __init__(self, meta: Any) -> None:
        self._meta = meta
        self._nodes = {node.name: node for node in meta.graph_def.node}
        self.functions = {
            function.signature.name: function for function in meta.graph_def.library.function
        }

    def twice(self) -> str | None:
        """Name a node or function that is there twice: only one of them would be looked at."""
        graph = self._meta.graph_def
        its = [[node.name for node in graph.node]]
        its.append([function.signature.name for function in graph.library.function])
        counts = (Counter(names).most_common(1) for names in its)
        return next((name for found in counts for name, count in found if count > 1), None)

    def all_nodes(self) -> Iterator[Any]:
        """Go through all nodes, those of functions included."""
        yield from self._nodes.values()
        for function in self.functions.values():
            yield from function.node_def

    def of_objects(self) -> Iterator[Any]:
        """Go through the nodes of the functions that may run when a model's objects are used.

        Those are what objects hold, gradients, and all others but those that the saver calls.
        """
        objects, library = self._meta.object_graph_def, self._meta.graph_def.library
        saver = self._meta.saver_def
        ends = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
        called = {name for node in self._leading_to(ends) for name in _calls(node)}
        names = self.functions.keys() - called
        names |= set(objects.concrete_functions)
        # TensorFlow's optimizer may put one that implements the same in the place of another.
        names |= {name for name, each in self.functions.items() if _IMPLEMENTS in each.attr}
        names |= {each.gradient_func for each in (*library.gradient, *library.registered_gradients)}
        for each in objects.nodes:
            names.add(each.bare_concrete_function.concrete_function_name)
            names.update(each.function.concrete_functions)
        yield from self._of_functions(names)

    def outside_the_saver(self) -> Iterator[Any]:
        """Go through the nodes that may run when a graph of TensorFlow 1 is loaded or used.

        Those are all but the saver's, which are what leads to its ends and to nothing else; of
        those the ones that restore are left out, and count where they are not the saver's.
        """
        saver = self._meta.saver_def
        saving = {node.name for node in self._leading_to([saver.save_tensor_name])}
        restoring = list(self._leading_to([saver.restore_op_name]))
        others = self._nodes.keys() - saving - {node.name for node in restoring}
        yield from self._leading_to([*others, *self._named()])
        yield from (node for node in restoring if node.op not in _RESTORE)
        own = frozenset([_node_name(saver.filename_tensor_name)])
        yield from self._restoring_from_elsewhere(
            [node for node in restoring if self._nodes.get(node.name) is node], own, set()
        )

    def _restoring_from_elsewhere(
        self, nodes: Iterable[Any], own: frozenset[str], seen: set[tuple[str, frozenset[str]]]
    ) -> Iterator[Any]:
        """Go through the nodes that restore from other files than the model's own.

        ``own`` are the nodes and arguments, among ``nodes`` of one function, that hold the name
        by which TensorFlow gives the model's checkpoint.
        """
        by_name = {node.name: node for node in nodes}

        def is_own(tensor: str) -> bool:
            name = _node_name(tensor)
            for _ in range(len(by_name)):
                node = by_name.get(name)
                if name in own or node is None or node.op not in _PASSING_ON or not node.input:
                    break
                name = _node_name(node.input[0])
            return name in own

        for node in by_name.values():
            if node.op in _RESTORE and not (node.input and is_own(node.input[0])):
                yield node
            for name in self.functions.keys() & set(_calls(node)):
                function = self.functions[name]
                arguments = (
                    zip(function.signature.input_arg, node.input, strict=False)
                    if node.op in (*_CALLING, name)
                    else ()
                )
                its = frozenset(arg.name for arg, tensor in arguments if is_own(tensor))
                if (name, its) not in seen:
                    seen.add((name, its))
                    yield from self._restoring_from_elsewhere(function.node_def, its, seen)

    def _named(self) -> Iterator[str]:
        """Name the tensors and nodes that signatures, initializers and variables name."""
        from tensorflow.core.framework import variable_pb2

        for signature in self._meta.signature_def.values():
            for tensor in (*signature.inputs.values(), *signature.outputs.values()):
                yield tensor.name
                yield from (each.name for each in tensor.composite_tensor.components)
                sparse = tensor.coo_sparse
                yield sparse.values_tensor_name
                yield sparse.indices_tensor_name
                yield sparse.dense_shape_tensor_name
        for name, collection in self._meta.collection_def.items():
            yield from collection.node_list.value
            if name.endswith("variables"):
                for variable in map(
                    variable_pb2.VariableDef.FromString, collection.bytes_list.value
                ):
                    yield variable.initializer_name
                    yield variable.snapshot_name
                    yield variable.initial_value_name

    def _leading_to(self, ends: Iterable[str]) -> Iterator[Any]:
        """Go back from nodes through their inputs, and into the functions that they call."""
        called: set[str] = set()
        seen: set[str] = set()
        waiting = [_node_name(end) for end in ends]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            yield node
            called.update(_calls(node))
            waiting.extend(map(_node_name, node.input))
        yield from self._of_functions(called)

    def _of_functions(self, names: Iterable[str]) -> Iterator[Any]:
        """Go through the nodes of functions, and of the functions that those call."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.functions:
                continue
            seen.add(name)
            for node in self.functions[name].node_def:
                yield node
                waiting.extend(_calls(node))


def _calls(node: Any) -> Iterator[str]:
    """Name the functions that a node calls, or hands on to be called."""
    yield node.op
    yield from _handed_on(node.attr)


def _handed_on(attributes: Any) -> Iterator[str]:
    """Name the functions among the attributes of a node, and among those of such functions."""
    waiting = list(attributes.values())
    while waiting:
        attribute = waiting.pop()
        functions = [*attribute.list.func]
        if attribute.HasField("func"):
            functions.append(attribute.func)
        for function in functions:
            if function.name:
                yield function.name
            waiting.extend(function.attr.values())


def _node_name(tensor: str) -> str:
    """Name the node that gives a tensor, or that is waited for.

    >>> _node_name("dense/MatMul:0"), _node_name("^init")
    ('dense/MatMul', 'init')
    """
    return tensor.removeprefix("^").partition(":")[0]


def _is_registered(name: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name) is not None


def _refusal(path: Path, what: str, why: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"{path}: its graph {what}, which is refused: {why}; save the model without it, or give"
        " --allow-unsafe if you trust whoever made the file"
    )
