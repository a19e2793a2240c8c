from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.data import ct_org
from nerone.data.brain_phantoms import write_brain_phantoms
from nerone.data.phantom_sets import PHANTOM_TASKS, write_phantoms
from nerone.data.phantoms import draw_ct_phantom, write_ct_phantoms
from nerone.errors import ConfigurationError


def test_same_seed_same_volume() -> None:
    first, again, other = (draw_ct_phantom(seed, size=64, slices=4) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.volume, again.volume)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.volume != other.volume).any()


def test_organs_have_their_densities() -> None:
    values: dict[int, list[float]] = {label: [] for label in range(6)}
    for seed in range(8):
        phantom = draw_ct_phantom(seed, size=96, slices=24)
        for label in range(6):
            values[label].append(
                float(np.median(phantom.volume[phantom.labels == label])) if (phantom.labels == label).any() else np.nan
            )
    middle = {label: float(np.nanmedian(found)) for label, found in values.items()}
    assert middle[0] < -900, "air around the body"
    assert 20 < middle[1] < 180, "liver"
    assert -30 < middle[2] < 60, "bladder"
    assert -950 < middle[3] < -650, "lungs"
    assert 10 < middle[4] < 260, "kidneys"
    assert 100 < middle[5] < 900, "bone"


def test_written_as_ct_org(tmp_path: Path) -> None:
    write_ct_phantoms(tmp_path, count=2, seed=3, size=32, slices=3)
    found = ct_org.cases(tmp_path)
    assert [case.number for case in found] == [0, 1]
    volume, affine = ct_org.read_volume(found[1].volume)
    phantom = draw_ct_phantom(4, size=32, slices=3)
    np.testing.assert_array_equal(volume, phantom.volume)
    np.testing.assert_allclose(affine, phantom.affine, atol=1e-3)
    np.testing.assert_array_equal(ct_org.read_labels(found[1].labels), phantom.labels)


def test_too_small_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="too small"):
        draw_ct_phantom(0, size=4)


@pytest.mark.parametrize("task", PHANTOM_TASKS)
@pytest.mark.parametrize("name", ["count", "size", "slices"])
@pytest.mark.parametrize("value", [0, -1, 10**20, 2.5, True])
def test_a_number_that_cannot_be_is_not_the_default(task: str, name: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is {value!r}"):
        write_phantoms(task, tmp_path / "set", **{name: value})  # type: ignore[arg-type]
    assert not (tmp_path / "set").exists()


def test_no_seed_and_no_size_of_a_writer_is_negative_or_zero(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="seed is -1"):
        write_phantoms("bccd", tmp_path, seed=-1)
    with pytest.raises(ConfigurationError, match="too small"):
        write_brain_phantoms(tmp_path, size=0)
