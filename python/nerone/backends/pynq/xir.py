"""A module with the official Python API of ``xir`` for reading compiled models, where errors are raised.

Names, tuples and dtypes are the official ones (``Tensor.dims``, ``Subgraph.is_root``, "xint8"). The file is checked
before libxir sees it; runners of `nerone.backends.pynq.vart` are made from libxir's own subgraphs. Only what
changes a graph's structure is absent.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from nerone import _core
from nerone.backends.pynq.xir_objects import Attributed, Op, Plain, Tensor
from nerone.errors import ConfigurationError, ModelError
from nerone.programs import run_program

__all__ = ["Graph", "Op", "Subgraph", "Tensor"]

_DRAWING_S = 60.0


class Subgraph(Attributed):
    """A part of a graph; the root's children are what runs on one device each."""

    def __init__(self, graph: Graph, plain: Plain, parent: Subgraph | None) -> None:
        super().__init__("subgraph", plain)
        self._graph, self._parent = graph, parent

    @cached_property
    def _children(self) -> list[Subgraph]:
        return [Subgraph(self._graph, child, self) for child in self._plain["children"]]

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._plain["ops"])

    @property
    def is_root(self) -> bool:
        """Whether it is the whole graph."""
        return self._parent is None

    @property
    def is_leaf(self) -> bool:
        """Whether it has no parts."""
        return not self._children

    @property
    def root(self) -> Subgraph:
        """The subgraph that is the whole graph."""
        return self if self._parent is None else self._parent.root

    @property
    def depth(self) -> int:
        """How many subgraphs it lies in."""
        return 0 if self._parent is None else self._parent.depth + 1

    def get_graph(self) -> Graph:
        """Return the graph it belongs to."""
        return self._graph

    def get_parent(self) -> Subgraph | None:
        """Return the subgraph it lies in; None for the root."""
        return self._parent

    def get_children(self) -> set[Subgraph]:
        """Return its parts."""
        return set(self._children)

    def get_children_num(self) -> int:
        """Return the number of its parts."""
        return len(self._children)

    def is_child(self, subgraph: Subgraph) -> bool:
        """Return whether a subgraph is one of its parts."""
        return subgraph in self._children

    def toposort_child_subgraph(self) -> list[Subgraph]:
        """Return its parts in an order in which they can run."""
        waiting, ordered, done = list(self._children), [], set[str]()
        inside = set().union(*(child._names for child in waiting)) if waiting else set()
        while waiting:
            ready = [part for part in waiting if part._sources() & inside <= done]
            if not ready:
                raise ModelError(f"parts of subgraph '{self.get_name()}' wait for each other")
            for part in ready:
                done |= part._names
            ordered += ready
            waiting = [part for part in waiting if part not in ready]
        return ordered

    children_topological_sort = toposort_child_subgraph

    def toposort(self) -> list[Op]:
        """Return its ops in an order in which they can run."""
        return [op for op in self._graph.toposort() if op.get_name() in self._names]

    def get_ops(self) -> set[Op]:
        """Return its ops."""
        return set(self.toposort())

    def get_op_num(self) -> int:
        """Return the number of its ops."""
        return len(self._names)

    def has_op(self, op: Op | str) -> bool:
        """Return whether an op, or the op of a name, lies in it."""
        return (op if isinstance(op, str) else op.get_name()) in self._names

    def find_child_subgraph_by_op(self, op: Op | str) -> Subgraph:
        """Return the part in which an op lies."""
        for child in self._children:
            if child.has_op(op):
                return child
        raise ModelError(
            f"no part of subgraph '{self.get_name()}' has op '{op if isinstance(op, str) else op.get_name()}'"
        )

    def find_child_subgraph_by_op_name(self, name: str) -> Subgraph:
        """Return the part in which the op of a name lies."""
        return self.find_child_subgraph_by_op(name)

    def get_tensor_producer(self, tensor: Tensor) -> Op:
        """Return the op whose output a tensor is."""
        return self._graph.get_tensor_producer(tensor)

    def get_input_tensors(self) -> set[Tensor]:
        """Return the tensors that it reads from outside."""
        return {self._graph.get_op(name).get_output_tensor() for name in self._sources()}

    def get_output_tensors(self) -> set[Tensor]:
        """Return the tensors of its ops that are read outside, or by nobody."""
        leaving = set()
        for name in self._names:
            readers = self._graph.readers_of(name)
            if not readers or any(reader not in self._names for reader in readers):
                leaving.add(self._graph.get_op(name).get_output_tensor())
        return leaving

    def _sources(self) -> set[str]:
        read = {source for name in self._names for source in self._graph.sources_of(name)}
        return read - self._names


class Graph(Attributed):
    """A model file. Make it with `Graph.deserialize`."""

    def __init__(self, file: _core.XmodelFile, path: str | Path) -> None:
        super().__init__("graph", file.graph())
        self._file = file
        self.path = str(path)
        self._ops = {op["name"]: Op(self, op) for op in self._plain["ops"]}
        self._root = Subgraph(self, self._plain["root"], None)

    @classmethod
    def deserialize(cls, fname: str | Path) -> Graph:
        """Read a model file.

        Raises
        ------
        ConfigurationError
            where there is no such file.
        ModelError
            where it is damaged.
        """
        if not Path(fname).is_file():
            raise ConfigurationError(f"no model file '{fname}'; give the path of a .xmodel file")
        return cls(_core.XmodelFile(str(fname)), fname)

    def serialize(self, fname: str | Path) -> None:
        """Write the graph, with the attributes as they are now."""
        _core.write_xmodel(self._plain, str(fname))

    def save_as_dot(self, fname: str | Path) -> None:
        """Write the graph in Graphviz's language: a node for each op, an edge from each op to its readers."""
        nodes = (f"  {_quoted(op.get_name())} [label={_quoted(_label(op))}];" for op in self.toposort())
        edges = (f"  {_quoted(source)} -> {_quoted(name)};" for name in self._ops for source in self.sources_of(name))
        Path(fname).write_text("\n".join([f"digraph {_quoted(self.get_name())} {{", *nodes, *edges, "}"]) + "\n")

    def save_as_image(self, fname: str | Path, format: str = "png") -> None:
        """Draw the graph with Graphviz's `dot`.

        Parameters
        ----------
        fname : the picture's path
        format : "png", "svg", "pdf" or another that the installed Graphviz knows

        Raises
        ------
        ConfigurationError
            where there is no Graphviz, or it refuses the format.
        """
        if shutil.which("dot") is None:
            raise ConfigurationError("drawing a graph needs the program 'dot'; install Graphviz, or use save_as_dot")
        with tempfile.TemporaryDirectory(prefix="nerone-") as folder:
            source = Path(folder) / "graph.dot"
            self.save_as_dot(source)
            said: list[str] = []
            words = ["dot", f"-T{format}", str(source), "-o", str(Path(fname).absolute())]
            try:
                code = run_program(words, Path(folder), _DRAWING_S, said.append)
            except subprocess.TimeoutExpired:
                raise ConfigurationError(
                    f"'dot' took more than {_DRAWING_S:.0f} s for {self.get_op_num()} ops; use save_as_dot"
                ) from None
        if code != 0:
            raise ConfigurationError(f"'dot' cannot draw the graph as '{format}': {' '.join(said)[:200]}")

    @cached_property
    def _readers(self) -> dict[str, list[str]]:
        readers: dict[str, list[str]] = {name: [] for name in self._ops}
        for name in self._ops:
            for source in dict.fromkeys(self.sources_of(name)):
                readers[source].append(name)
        return readers

    def readers_of(self, op: str) -> list[str]:
        """Return the names of the ops that read an op (not in the official module)."""
        return self._readers[op]

    def sources_of(self, op: str) -> list[str]:
        """Return the names of the ops that an op reads (not in the official module)."""
        return [source for sources in self._ops[op]._plain["inputs"].values() for source in sources]

    def get_root_subgraph(self) -> Subgraph:
        """Return the subgraph that is the whole graph."""
        return self._root

    def get_leaf_subgraph(self, op: Op) -> Subgraph:
        """Return the smallest subgraph in which an op lies."""
        found = self._root
        while not found.is_leaf and any(child.has_op(op) for child in found.get_children()):
            found = found.find_child_subgraph_by_op(op)
        return found

    def toposort(self) -> list[Op]:
        """Return the ops in an order in which they can run."""
        return list(self._ops.values())

    def get_ops(self) -> set[Op]:
        """Return the ops."""
        return set(self._ops.values())

    def get_op_num(self) -> int:
        """Return the number of ops."""
        return len(self._ops)

    def get_op(self, name: str) -> Op:
        """Return the op of a name."""
        if name not in self._ops:
            raise ModelError(f"graph '{self.get_name()}' has no op '{name}'")
        return self._ops[name]

    def get_head_ops(self) -> set[Op]:
        """Return the ops without inputs."""
        return {op for op in self._ops.values() if op.get_input_num() == 0}

    def get_tail_ops(self) -> set[Op]:
        """Return the ops that nobody reads."""
        return {op for op in self._ops.values() if op.get_fanout_num() == 0}

    def get_tensors(self) -> set[Tensor]:
        """Return the outputs of all ops."""
        return {op.get_output_tensor() for op in self._ops.values()}

    def get_tensor(self, name: str) -> Tensor:
        """Return the tensor of a name."""
        for op in self._ops.values():
            if op.get_output_tensor().name == name:
                return op.get_output_tensor()
        raise ModelError(f"graph '{self.get_name()}' has no tensor '{name}'")

    def get_tensor_producer(self, tensor: Tensor) -> Op:
        """Return the op whose output a tensor is."""
        return self.get_tensor(tensor.name).producer


def _quoted(text: str) -> str:
    """Return a string of Graphviz's language; its own escapes start with a backslash."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _label(op: Op) -> str:
    return f"{op.get_name()}\n{op.get_type()} {'x'.join(map(str, op.get_output_tensor().dims))}"
