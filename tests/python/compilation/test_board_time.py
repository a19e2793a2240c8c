"""Instructions in time, against the one rate that is published with its file."""

from __future__ import annotations

import pytest

from nerone.cli.main import main
from nerone.compilation.board_time import board_time
from nerone.compilation.estimate import estimate
from nerone.dpu.boards import BOARDS
from nerone.errors import ConfigurationError, ModelError
from nerone.instructions.timing import Costs, simulate
from nerone.instructions.work import Work
from paths import golden

_CT_ORG = ("compiled", "nerone_ctorg_isa0_b4096.xmodel")


def test_the_published_rate_of_ct_org() -> None:
    found = board_time(golden(*_CT_ORG), BOARDS["zcu104"])
    assert found.fps == pytest.approx(335.4, rel=0.01)  # calibrated on it
    assert found.latency_us > max(found.busy_us.values())
    by_estimate = estimate(golden(*_CT_ORG), board="zcu104")
    assert by_estimate.source == "instructions"
    assert by_estimate.fps == pytest.approx(found.fps)


def test_layers_have_a_bottleneck(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(golden(*_CT_ORG)), "--device", "zcu104"]) == 0
    out = capsys.readouterr().out
    assert "bottleneck" in out
    assert "CONV" in out
    with pytest.raises(ConfigurationError, match="has no instructions for the B1600"):
        board_time(golden(*_CT_ORG), BOARDS["ultra96v2"])


def _work(unit: int, cycles: int, waits: tuple[int, ...] = (), gives: tuple[int, ...] = (), moved: int = 0) -> Work:
    return Work(unit, waits, gives, cycles, 0, moved, 1)


_PLAIN = Costs(issue_cycles=0, transfer_cycles=0, piece_cycles=0, port_bytes_per_cycle=10, memory_share=1)


def test_units_run_side_by_side_unless_tokens_order_them() -> None:
    together = [_work(4, 1000), _work(8, 600)]
    ordered = [_work(4, 1000, gives=(8,)), _work(8, 600, waits=(4,))]
    times = [simulate(works, clock_mhz=1, memory_gb_s=1, costs=_PLAIN).latency_us for works in (together, ordered)]
    assert times == pytest.approx([1000, 1600])


def test_cores_share_the_memory() -> None:
    works = [_work(1, 1, moved=10_000)]
    alone = simulate(works, clock_mhz=1, memory_gb_s=0.01, costs=_PLAIN)  # 10 bytes per cycle
    four = simulate(works, clock_mhz=1, memory_gb_s=0.01, cores=4, images=4, costs=_PLAIN)
    assert alone.image_us == pytest.approx(1000)
    assert four.image_us == pytest.approx(4000, rel=0.2)


def test_a_token_that_nobody_gives_is_named() -> None:
    with pytest.raises(ModelError, match="tokens that none of them gives"):
        simulate([_work(4, 10, waits=(8,)), _work(8, 10)], clock_mhz=1, memory_gb_s=1)
