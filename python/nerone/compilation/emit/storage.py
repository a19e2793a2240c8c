"""Where each value lies: concatenations, reshapes and paddings cost nothing where their inputs are written in place."""

from __future__ import annotations

from nerone.compilation.emit.ops import Operation, SubgraphOps
from nerone.compilation.emit.parameters import Parameters
from nerone.compilation.emit.tasks import Copy, Eltwise, Task
from nerone.compilation.emit.views import INPUT, OUTPUT, WEIGHTS, Buffer, View, dense
from nerone.errors import ModelError

__all__ = ["Placement", "assign_storage", "place_workspace", "slots_of"]

_ALIGNMENT = 16


def slots_of(op: Operation, view: View, sub: SubgraphOps) -> dict[int, View]:
    """Return for each input of a concat, reshape or constant pad the part of its output that it fills."""
    sources = op.inputs.get("input", [])
    if op.type == "concat-fix":
        axis = int(op.attrs.get("axis", len(op.shape) - 1)) % len(op.shape)
        place, found = 0, {}
        for number, name in enumerate(sources):
            size = sub.ops[name].shape[axis]
            found[number] = _part(op, view, axis, place, size)
            place += size
        return found
    if op.type == "pad-fix":
        padding = [int(size) for size in op.attrs["paddings"]]
        height, width, _ = sub.ops[sources[0]].image
        return {0: view.crop(padding[2], padding[4], height, width)}
    if op.type == "reshape-fix" and view.is_dense:
        return {0: dense(view.buffer, sub.ops[sources[0]].image, view.offset)}
    return {}


def _part(op: Operation, view: View, axis: int, first: int, size: int) -> View:
    """Return a range of an axis of an output with one image."""
    axis += 4 - len(op.shape)
    if axis == 3:
        return view.slice(first, size)
    if axis == 2:
        return view.crop(0, first, view.height, size)
    if axis == 1 and len(op.shape) == 4:
        return view.crop(first, 0, size, view.width)
    raise ModelError(f"op '{op.name}' joins along axis {axis}; the DPU joins lines, columns or channels")


def assign_storage(sub: SubgraphOps, parameters: Parameters) -> dict[str, View]:
    """Return a view for the value of every op; those of inputs and outputs stand in registers of their own."""
    views: dict[str, View] = {}
    for op in sub.ops.values():
        if op.type == "const-fix":
            address = parameters.add(sub.constants[op.name], op.name)
            views[op.name] = dense(Buffer(_bytes(op), WEIGHTS, 0), op.image, address)
        if op.type == "upload":
            views[op.name] = dense(Buffer(_bytes(op), INPUT), op.image)
    for name in sub.outputs:
        if name not in views:
            views[name] = dense(Buffer(_bytes(sub.ops[name]), OUTPUT), sub.ops[name].image)
    for op in reversed(list(sub.ops.values())):
        view = views.setdefault(op.name, dense(Buffer(_bytes(op)), op.image))
        for number, part in slots_of(op, view, sub).items():
            source = sub.ops[op.inputs["input"][number]]
            if source.name not in views and source.fix_point == op.fix_point:
                views[source.name] = part
    return views


def _bytes(op: Operation) -> int:
    height, width, channels = op.image
    return height * width * channels


class Placement:
    """Sizes of the registers once everything has its address."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def append(self, buffer: Buffer) -> None:
        """Put a buffer behind the others of its register."""
        buffer.address = self.sizes.get(buffer.register, 0) + _round(buffer.front)
        self.sizes[buffer.register] = buffer.address + _round(buffer.size + buffer.back)


def _round(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _buffers(task: Task) -> list[Buffer]:
    if isinstance(task, Copy):
        views = [task.source, *task.targets]
    elif isinstance(task, Eltwise):
        views = [*task.sources, task.target]
    else:
        views = [task.source, task.target]
    return [view.buffer for view in views]


def place_workspace(tasks: list[Task], views: dict[str, View], sub: SubgraphOps) -> Placement:
    """Give every buffer its address: inputs and outputs one after the other, the rest by their lives, lowest first."""
    placement = Placement()
    for name, view in views.items():
        if view.buffer.register != 1 and view.buffer.address < 0:
            placement.append(view.buffer)
        assert name in sub.ops
    lives: dict[Buffer, tuple[int, int]] = {}
    for number, task in enumerate(tasks):
        for buffer in _buffers(task):
            if buffer.register not in (INPUT, OUTPUT, WEIGHTS):
                first, _ = lives.get(buffer, (number, number))
                lives[buffer] = (first, number + 1)  # two tasks may be computed tile by tile
    for view in views.values():
        if view.buffer.register == 1 and view.buffer not in lives:
            lives[view.buffer] = (0, len(tasks))
    placement.sizes[1] = _pack(lives)
    return placement


def _pack(lives: dict[Buffer, tuple[int, int]]) -> int:
    """Place buffers so that those alive at once do not overlap, the largest first; return the size of all."""
    placed: list[Buffer] = []
    total = 0
    for buffer in sorted(lives, key=lambda entry: -entry.size):
        begin, end = lives[buffer]
        address = _round(buffer.front)
        for other in sorted(placed, key=lambda entry: entry.address):
            first, last = lives[other]
            if last < begin or end < first:
                continue
            if address + buffer.size + buffer.back <= other.address - other.front:
                break
            address = max(address, other.address + _round(other.size + other.back) + _round(buffer.front))
        buffer.address = address
        placed.append(buffer)
        total = max(total, address + _round(buffer.size + buffer.back))
    return total
