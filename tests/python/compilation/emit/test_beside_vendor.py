"""Each sample compiled again from its own op graph: attributes explained, instructions proved, speed beside theirs.

Some samples by default; NERONE_ALL_SAMPLES=1 takes all.
"""

from __future__ import annotations

import os

import pytest

from compilation.beside_vendor import EXPLAINED, Pair, attributes, compare, figures_of, lowered_again, pair_of
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import SIZES, machine_of_size
from nerone.compilation.emit.prove import prove
from nerone.instructions import programs_of
from nerone.instructions.running import check_stream
from paths import GOLDEN, golden

_SOME = ["compiled/dpu_mnist_b4096", "compiled/nerone_ctorg_isa0_b4096", "compiled/zdce_b4096"]
_ALL = sorted(f"{folder}/{path.stem}" for folder in ("compiled", "models") for path in (GOLDEN / folder).glob("*.x*"))
_SAMPLES = _ALL if os.environ.get("NERONE_ALL_SAMPLES") else _SOME
_FLOOR = 0.6
"""Of the vendor's speed by the timing model."""


@pytest.fixture(scope="module", params=_SAMPLES)
def pair(request: pytest.FixtureRequest) -> Pair:
    return pair_of(golden(*f"{request.param}.xmodel".split("/")))


def test_each_difference_of_attributes_is_explained(pair: Pair) -> None:
    found = compare(pair)
    assert {key for key, state in found.items() if state != "equal"} <= set(EXPLAINED)
    assert "only the vendor's" not in found.values()
    for theirs, ours in zip(attributes(pair.vendor), attributes(pair.own), strict=True):
        assert set(theirs["reg_id_to_size"]) == set(ours["reg_id_to_size"])
        for register in ("REG_2", "REG_3"):
            assert abs(theirs["reg_id_to_size"][register] - ours["reg_id_to_size"][register]) < _ROUNDING


_ROUNDING = 2048
"""Bytes by which a register of inputs or outputs may differ: the vendor leaves up to a line of pixels behind some."""


def test_the_instructions_are_ordered_and_fast(pair: Pair) -> None:
    for program in programs_of(pair.own):
        assert check_stream(program).count == 0
    theirs, ours = figures_of(pair.vendor), figures_of(pair.own)
    print(f"{theirs.image_us:.0f} us the vendor's, {ours.image_us:.0f} us ours, simulated")
    assert theirs.image_us / ours.image_us > _FLOOR


_PAPER = {
    "CT-ORG": "compiled/nerone_ctorg_isa0_b4096",
    "BraTS": "compiled/nerone_brats_isa0_b4096",
    "prostate": "models/nerone_prostate_sc",
    "BCCD": "models/nerone_BCCD_zcu104",
}
_MACHINES = [(size, isa) for isa in (0, 1) for size in SIZES]


@pytest.mark.parametrize(("size", "isa"), _MACHINES if os.environ.get("NERONE_ALL_SAMPLES") else _MACHINES[::5])
@pytest.mark.parametrize("network", _PAPER if os.environ.get("NERONE_ALL_SAMPLES") else ["prostate", "BCCD"])
def test_the_papers_networks_on_every_dpu(network: str, size: str, isa: int) -> None:
    """Their published op graphs; the proof compares values and finds nothing out of order."""
    graph = lowered_again(golden(*f"{_PAPER[network]}.xmodel".split("/")))
    compiled, _ = emit_graph(graph, machine_of_size(size, isa))
    assert prove(compiled).values > 0
