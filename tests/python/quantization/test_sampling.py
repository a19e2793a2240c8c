"""Drawing calibration images: numbers, seeds, shares of classes, and what the report tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nerone.errors import ConfigurationError, ShapeError
from nerone.quantization import Sampling, class_presence, coverage, sample


@pytest.fixture(scope="module")
def presence():
    """Background everywhere, class 1 in 60 %, class 2 in 10 %, class 3 in 2 % of 1000 images."""
    rng = np.random.default_rng(0)
    return rng.random((1000, 4)) < [1.1, 0.6, 0.1, 0.02]


def shares(presence, chosen):
    return presence[chosen].mean(axis=0)


def test_presence_of_masks_and_of_class_numbers():
    masks = [np.array([[0, 0], [2, 0]]), np.array([[1, 1], [1, 1]])]
    assert class_presence(masks, 3).tolist() == [[True, False, True], [False, True, False]]
    assert class_presence([2, 0], 3).tolist() == [[False, False, True], [True, False, False]]
    assert class_presence([], 3).shape == (0, 3)
    with pytest.raises(ShapeError, match="label 1 holds class 3"):
        class_presence([0, 3], 3)


def test_draw_is_seeded_without_repetition_and_of_the_wanted_size(presence):
    chosen = sample(presence, Sampling(images=200, seed=3))
    assert len(chosen) == len(set(chosen.tolist())) == 200
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, sample(presence, Sampling(images=200, seed=3)))
    assert chosen.tolist() != sample(presence, Sampling(images=200, seed=4)).tolist()
    assert len(sample(presence, Sampling(images=5000))) == 1000
    assert len(sample(np.zeros((7, 0), bool), Sampling(images=3))) == 3


def test_shares_reach_their_targets(presence):
    chosen = sample(presence, Sampling(images=100, shares={1: 0.3, 2: 0.5}))
    np.testing.assert_allclose(shares(presence, chosen)[1:3], [0.3, 0.5], atol=0.02)


def test_factor_raises_and_lowers_the_natural_share(presence):
    natural = presence.mean(axis=0)
    chosen = sample(presence, Sampling(images=100, factors={1: 0.5, 2: 3.0}))
    np.testing.assert_allclose(shares(presence, chosen)[1:3], natural[1:3] * [0.5, 3.0], atol=0.02)


def test_target_that_cannot_be_reached_takes_what_there_is(presence):
    chosen = sample(presence, Sampling(images=300, shares={3: 0.9}))
    assert presence[chosen][:, 3].sum() == presence[:, 3].sum()
    assert len(chosen) == 300


def test_targets_still_depend_on_the_seed(presence):
    first, other = (sample(presence, Sampling(images=50, seed=seed, shares={2: 0.5})) for seed in (0, 1))
    assert first.tolist() != other.tolist()


def test_coverage_tells_and_warns(presence):
    chosen = sample(presence, Sampling(images=100))
    report = json.loads(json.dumps(coverage(presence, chosen, ["background", "liver", "bladder", "kidneys"])))
    assert report["images"] == 100
    rows = {row["name"]: row for row in report["classes"]}
    assert rows["liver"]["images"] == int(presence[chosen][:, 1].sum())
    assert rows["liver"]["share"] == rows["liver"]["images"] / 100
    assert any("'kidneys'" in text for text in report["warnings"])
    assert not any("'liver'" in text for text in report["warnings"])


def test_one_class_only_is_warned_about():
    presence = class_presence([0] * 60, 3)
    warnings = coverage(presence, range(60))["warnings"]
    assert any("contain class '0' only" in text for text in warnings)


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 0},
        {"shares": {1: 1.5}},
        {"factors": {1: -1.0}},
        {"shares": {1: 0.5}, "factors": {1: 2.0}},
    ],
)
def test_bad_settings(changes):
    with pytest.raises(ConfigurationError):
        Sampling(**changes)


@pytest.mark.parametrize("changes", [{"shares": {9: 0.5}}, {"factors": {9: 2.0}}])
def test_unknown_class(presence, changes):
    with pytest.raises(ConfigurationError, match="class 9"):
        sample(presence, Sampling(images=10, **changes))


def test_nothing_to_draw_from():
    with pytest.raises(ConfigurationError, match="no images"):
        sample(np.zeros((0, 3), bool), Sampling())
    with pytest.raises(ConfigurationError, match="names"):
        coverage(np.zeros((2, 3), bool), [0], ["one"])
