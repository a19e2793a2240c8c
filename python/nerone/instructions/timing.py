"""When each instruction runs: four units side by side, tokens between them, memory shared by all cores.

A unit takes its instructions in order; one starts when the tokens that it waits for have been given. LOAD and SAVE move
bytes through a port of their core at most at the port's rate; all ports that are busy share the memory's rate. Every
core runs the same program image after image, the cores a part of an image apart.

What an instruction costs beside its cycles and bytes is in no source: `Costs` holds it, calibrated on one published
rate (see docs/instructions.md).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from nerone.errors import ModelError
from nerone.instructions.stream import UNITS
from nerone.instructions.work import Work

__all__ = ["Costs", "Timing", "simulate"]


@dataclass(frozen=True)
class Costs:
    """Constants of the model.

    Attributes
    ----------
    issue_cycles : float
        Of a CONV or MISC instruction beside its own cycles.
    transfer_cycles : float
        From the start of a LOAD or SAVE until its first byte.
    piece_cycles : float
        For each separate run of bytes.
    port_bytes_per_cycle : float
        Of one port; LOAD and SAVE have one each.
    memory_share : float
        Part of the memory's peak rate that transfers reach.
    """

    issue_cycles: float = 16.0
    transfer_cycles: float = 90.0
    piece_cycles: float = 1.0
    port_bytes_per_cycle: float = 16.0
    memory_share: float = 0.8


@dataclass(frozen=True)
class Timing:
    """Result of a simulation.

    Attributes
    ----------
    latency_us : float
        Of one image on one core, the other cores being busy.
    image_us : float
        From image to image, on one core.
    start_us, end_us : tuple of float
        Of each instruction in the last image of the first core, from the image's start.
    busy_us : dict of str to float
        Of each unit, in that image.
    """

    latency_us: float
    image_us: float
    start_us: tuple[float, ...]
    end_us: tuple[float, ...]
    busy_us: dict[str, float]


@dataclass
class _Core:
    queues: dict[int, list[int]]  # instructions of each unit
    next: dict[int, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    running: dict[int, int] = field(default_factory=dict)  # unit: instruction
    tokens: dict[tuple[int, int], int] = field(default_factory=dict)
    image: int = 0
    left: int = 0
    began: float = 0.0


def simulate(
    works: Sequence[Work],
    *,
    clock_mhz: float,
    memory_gb_s: float,
    cores: int = 1,
    images: int = 2,
    costs: Costs = Costs(),
) -> Timing:
    """Run the instructions in time.

    Raises
    ------
    ModelError
        Where units wait for tokens that nobody gives.
    """
    return _Simulation(works, clock_mhz, memory_gb_s, cores, images, costs).run()


class _Simulation:
    """Time is in cycles of the DPU's clock."""

    def __init__(
        self, works: Sequence[Work], clock_mhz: float, memory_gb_s: float, cores: int, images: int, costs: Costs
    ) -> None:
        self.works, self.images, self.costs = works, images, costs
        self.clock_mhz = clock_mhz
        self.memory = memory_gb_s * 1e3 / clock_mhz * costs.memory_share  # bytes per cycle
        queues = {unit: [i for i, work in enumerate(works) if work.unit == unit] for unit in UNITS}
        self.cores = [_Core(queues) for _ in range(cores)]
        self.now = 0.0
        self.events: list[tuple[float, int, int, str]] = []  # (time, core, unit, what)
        self.moving: dict[tuple[int, int], float] = {}  # (core, unit): bytes left
        self.start = [0.0] * len(works)
        self.end = [0.0] * len(works)
        self.spans: list[list[tuple[float, float]]] = [[] for _ in self.cores]

    def run(self) -> Timing:
        offset = self._alone() / len(self.cores)
        for index in range(len(self.cores)):
            heapq.heappush(self.events, (index * offset, index, 0, "image"))
        while self.events or self.moving:
            self._step()
        for core in self.cores:
            if core.left or core.image < self.images:
                raise ModelError("the instructions wait for tokens that none of them gives; compile the model again")
        spans = self.spans[0]
        began, ended = spans[-1]
        per_us = 1 / self.clock_mhz
        busy = dict.fromkeys(UNITS.values(), 0.0)
        for index, work in enumerate(self.works):
            busy[UNITS[work.unit]] += (self.end[index] - self.start[index]) * per_us
        return Timing(
            latency_us=(ended - began) * per_us,
            image_us=(spans[-1][1] - spans[0][1]) / max(1, len(spans) - 1) * per_us
            if len(spans) > 1
            else ended * per_us,
            start_us=tuple((time - began) * per_us for time in self.start),
            end_us=tuple((time - began) * per_us for time in self.end),
            busy_us=busy,
        )

    def _alone(self) -> float:
        """Return a guess of an image's cycles, to set the cores apart."""
        return max(sum(work.cycles for work in self.works if work.unit == unit) for unit in UNITS)

    def _rate(self) -> float:
        return min(self.costs.port_bytes_per_cycle, self.memory / max(1, len(self.moving)))

    def _step(self) -> None:
        rate = self._rate()
        next_event = self.events[0][0] if self.events else float("inf")
        next_moved = self.now + min(self.moving.values()) / rate if self.moving else float("inf")
        time = min(next_event, next_moved)
        for key in self.moving:
            self.moving[key] -= (time - self.now) * rate
        self.now = time
        for key in [key for key, left in self.moving.items() if left <= 1e-6]:
            del self.moving[key]
            self._finish(*key)
        while self.events and self.events[0][0] <= self.now + 1e-9:
            _, core, unit, what = heapq.heappop(self.events)
            if what == "image":
                self._begin_image(core)
            elif what == "move":
                work = self.works[self.cores[core].running[unit]]
                self.moving[core, unit] = float(work.moved_bytes)
            else:
                self._finish(core, unit)

    def _begin_image(self, index: int) -> None:
        core = self.cores[index]
        core.left, core.began = len(self.works), self.now
        core.next = dict.fromkeys(UNITS, 0)
        core.tokens = {}
        for unit in UNITS:
            self._try(index, unit)

    def _try(self, index: int, unit: int) -> None:
        core = self.cores[index]
        queue, place = core.queues[unit], core.next[unit]
        if unit in core.running or place >= len(queue):
            return
        work = self.works[queue[place]]
        if any(core.tokens.get((other, unit), 0) == 0 for other in work.waits):
            return
        for other in work.waits:
            core.tokens[other, unit] -= 1
        core.running[unit] = queue[place]
        core.next[unit] = place + 1
        if index == 0:
            self.start[queue[place]] = self.now
        if work.moved_bytes:
            ready = self.now + self.costs.transfer_cycles + self.costs.piece_cycles * work.pieces
            heapq.heappush(self.events, (ready, index, unit, "move"))
            return
        cycles = work.cycles + self.costs.issue_cycles if work.cycles else 1.0
        heapq.heappush(self.events, (self.now + cycles, index, unit, "done"))

    def _finish(self, index: int, unit: int) -> None:
        core = self.cores[index]
        instruction = core.running.pop(unit)
        if index == 0:
            self.end[instruction] = self.now
        core.left -= 1
        waiting = deque([unit])
        for other in self.works[instruction].gives:
            core.tokens[unit, other] = core.tokens.get((unit, other), 0) + 1
            waiting.append(other)
        if core.left == 0:
            self.spans[index].append((core.began, self.now))
            core.image += 1
            if core.image < self.images:
                self._begin_image(index)
            return
        while waiting:
            self._try(index, waiting.popleft())
