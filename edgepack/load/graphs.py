"""Inspects TensorFlow graphs before TensorFlow imports them.

An operator may read files, call Python or connect to other hosts, and importing a graph already
computes parts of it. So each operator, in all functions, must be on the list of those that only
compute. Operators that read and write checkpoints are in every SavedModel, as part of its saver:
they are allowed where nothing but the saver depends on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import quote_name
from edgepack.load import allowlist
from edgepack.tflite.graph import Model, Operator

_SAVER = {
    *("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "Save", "SaveSlices"),
    *("Restore", "RestoreSlice"),
}
_FLEX = "Flex"
_IMPLEMENTS = "api_implements"
_NOT_A_FUNCTION = (
    "it is not a function of the graph, and TensorFlow would run an operator of this name"
)

_RESTORE = {"RestoreV2", "Restore", "RestoreSlice"}
_PASS_THROUGH = {"Identity", "PlaceholderWithDefault"}
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Operators whose inputs are the arguments of the function that they call."""


def require_pure(path: Path, saved: Any) -> None:
    """Raise :class:`UnsafeModelError` if a graph of a SavedModel could do more than compute.

    ``saved`` is the SavedModel's protocol buffer. Raises :class:`ModelError` if it is damaged.
    """
    operators = allowlist.allowed_operators()
    for meta in saved.meta_graphs:
        graph = _Graph(meta)
        if duplicate := graph.duplicate():
            raise ModelError(f"{path}: damaged: its graph contains {quote_name(duplicate)} twice")
        for name in graph.functions:
            if _is_registered(name):
                raise _rejected(path, f"redefines the operator {name}", "TensorFlow has it")
        for node in graph.all_nodes():
            why = None if node.op in graph.functions else operators.why_not(node.op)
            if why is not None and node.op not in _SAVER:
                raise _rejected(path, f"contains the operator {node.op}", why)
            for name in _function_attributes(node.attr):
                if name not in graph.functions:
                    raise _rejected(path, f"calls {quote_name(name)}", _NOT_A_FUNCTION)
        # TensorFlow 2 calls the functions of objects, and does not run the graph around them.
        has_objects = len(saved.meta_graphs) == 1 and meta.HasField("object_graph_def")
        for node in graph.of_objects() if has_objects else graph.outside_the_saver():
            if node.op in _SAVER:
                why = str(operators.why_not(node.op))
                raise _rejected(path, f"contains the operator {node.op} outside its saver", why)


def require_pure_operators(path: Path, model: Model) -> None:
    """Raise :class:`UnsafeModelError` if a .tflite file could make TensorFlow do more than compute.

    Custom operators are run by TensorFlow if their names are ``Flex`` and the name of an operator.
    Raises :class:`ModelError` if the options of such an operator are damaged.
    """
    for operator in (each for graph in model.subgraphs for each in graph.operators):
        if operator.is_custom and operator.name.startswith(_FLEX):
            for name in chain([operator.name.removeprefix(_FLEX)], _names_in(path, operator)):
                if (why := allowlist.allowed_operators().why_not(name)) is not None:
                    raise _rejected(path, f"contains the operator {quote_name(name)}", why)


def _names_in(path: Path, operator: Operator) -> Iterator[str]:
    """Yield the operator and functions in the options, which TensorFlow runs whatever the name."""
    from flatbuffers import flexbuffers

    try:
        _, options = flexbuffers.GetRoot(operator.custom_options).AsVector
        from tensorflow.core.framework.node_def_pb2 import NodeDef

        node = NodeDef.FromString(bytes(options.AsBlob))
        yield from (node.op, *_function_attributes(node.attr))
    except Exception as error:
        raise ModelError(
            f"{path}: damaged .tflite file: the options of {operator.name} cannot be read"
        ) from error


class _Graph:
    """A graph with its functions, and the dependencies between nodes."""

    def __init__(self, meta: Any) -> None:
        self._meta = meta
        self._nodes = {node.name: node for node in meta.graph_def.node}
        self.functions = {
            function.signature.name: function for function in meta.graph_def.library.function
        }

    def duplicate(self) -> str | None:
        """Return the name of a node or function that exists twice: only one would be checked."""
        graph = self._meta.graph_def
        names = [[node.name for node in graph.node]]
        names.append([function.signature.name for function in graph.library.function])
        most_common = (Counter(each).most_common(1) for each in names)
        return next((name for counts in most_common for name, count in counts if count > 1), None)

    def all_nodes(self) -> Iterator[Any]:
        """Yield all nodes, including those of functions."""
        yield from self._nodes.values()
        for function in self.functions.values():
            yield from function.node_def

    def of_objects(self) -> Iterator[Any]:
        """Yield the nodes of the functions that may run when a model's objects are used.

        Those are the functions of objects, gradients, and all others that the saver does not call.
        """
        objects, library = self._meta.object_graph_def, self._meta.graph_def.library
        saver = self._meta.saver_def
        saver_names = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
        called = {name for node in self._ancestors(saver_names) for name in _called(node)}
        names = self.functions.keys() - called
        names |= set(objects.concrete_functions)
        # TensorFlow's optimizer may replace a function by one that implements the same interface.
        names |= {name for name, each in self.functions.items() if _IMPLEMENTS in each.attr}
        names |= {each.gradient_func for each in (*library.gradient, *library.registered_gradients)}
        for each in objects.nodes:
            names.add(each.bare_concrete_function.concrete_function_name)
            names.update(each.function.concrete_functions)
        yield from self._of_functions(names)

    def outside_the_saver(self) -> Iterator[Any]:
        """Yield the nodes that may run when a graph of TensorFlow 1 is loaded or used.

        Those are all nodes but the ancestors of the saver's save tensor that nothing else depends
        on. Restore operators of the saver are included only if they read another checkpoint than
        the model's own.
        """
        saver = self._meta.saver_def
        saving = {node.name for node in self._ancestors([saver.save_tensor_name])}
        restoring = list(self._ancestors([saver.restore_op_name]))
        others = self._nodes.keys() - saving - {node.name for node in restoring}
        yield from self._ancestors([*others, *self._referenced()])
        yield from (node for node in restoring if node.op not in _RESTORE)
        own = frozenset([_node_name(saver.filename_tensor_name)])
        yield from self._restoring_from_elsewhere(
            [node for node in restoring if self._nodes.get(node.name) is node], own, set()
        )

    def _restoring_from_elsewhere(
        self, nodes: Iterable[Any], own: frozenset[str], seen: set[tuple[str, frozenset[str]]]
    ) -> Iterator[Any]:
        """Yield the nodes that restore from other files than the model's own checkpoint.

        ``own`` are the nodes and arguments, among ``nodes`` of one function, that hold the file
        name of the model's checkpoint, which TensorFlow feeds.
        """
        by_name = {node.name: node for node in nodes}

        def is_own(tensor: str) -> bool:
            name = _node_name(tensor)
            for _ in range(len(by_name)):
                node = by_name.get(name)
                if name in own or node is None or node.op not in _PASS_THROUGH or not node.input:
                    break
                name = _node_name(node.input[0])
            return name in own

        for node in by_name.values():
            if node.op in _RESTORE and not (node.input and is_own(node.input[0])):
                yield node
            for name in self.functions.keys() & set(_called(node)):
                function = self.functions[name]
                arguments = (
                    zip(function.signature.input_arg, node.input, strict=False)
                    if node.op in (*_CALLS, name)
                    else ()
                )
                own_arguments = frozenset(arg.name for arg, tensor in arguments if is_own(tensor))
                if (name, own_arguments) not in seen:
                    seen.add((name, own_arguments))
                    yield from self._restoring_from_elsewhere(
                        function.node_def, own_arguments, seen
                    )

    def _referenced(self) -> Iterator[str]:
        """Yield the names of tensors and nodes in signatures, initializers and variables."""
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

    def _ancestors(self, tensors: Iterable[str]) -> Iterator[Any]:
        """Yield the nodes of tensors, those they depend on, and those of the functions called."""
        called: set[str] = set()
        seen: set[str] = set()
        pending = [_node_name(tensor) for tensor in tensors]
        while pending:
            name = pending.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            yield node
            called.update(_called(node))
            pending.extend(map(_node_name, node.input))
        yield from self._of_functions(called)

    def _of_functions(self, names: Iterable[str]) -> Iterator[Any]:
        """Yield the nodes of functions, and of the functions that those call."""
        seen: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in seen or name not in self.functions:
                continue
            seen.add(name)
            for node in self.functions[name].node_def:
                yield node
                pending.extend(_called(node))


def _called(node: Any) -> Iterator[str]:
    """Yield the names of functions that a node calls, or passes on to be called."""
    yield node.op
    yield from _function_attributes(node.attr)


def _function_attributes(attributes: Any) -> Iterator[str]:
    """Yield the names of functions in the attributes of a node, and in those functions' own."""
    pending = list(attributes.values())
    while pending:
        attribute = pending.pop()
        functions = [*attribute.list.func]
        if attribute.HasField("func"):
            functions.append(attribute.func)
        for function in functions:
            if function.name:
                yield function.name
            pending.extend(function.attr.values())


def _node_name(tensor: str) -> str:
    """Return the name of the node that outputs a tensor, or of a control dependency.

    >>> _node_name("dense/MatMul:0"), _node_name("^init")
    ('dense/MatMul', 'init')
    """
    return tensor.removeprefix("^").partition(":")[0]


def _is_registered(name: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name) is not None


def _rejected(path: Path, what: str, why: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"{path}: its graph {what}, which is not allowed: {why}; save the model without it, or use"
        " --allow-unsafe if you trust the author of the file"
    )
