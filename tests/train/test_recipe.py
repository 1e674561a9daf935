"""Learning rates and phases."""

import itertools

import pytest
from pictures import TINY

from esr_kernels.train.recipe import RECIPES, Phase


def test_the_rate_rises_then_falls_to_its_end():
    phase = Phase(100, patch=8, batch=1, loss="l1", rate=1.0, last_rate=0.1, warmup=10)
    rates = [phase.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert 0.1 < rates[-1] < 0.101


def test_iterations_belong_to_phases_in_turn():
    assert TINY.iterations == 20
    assert TINY.at(0) == (TINY.phases[0], 0) and TINY.at(13) == (TINY.phases[0], 13)
    assert TINY.at(14) == (TINY.phases[1], 0)
    with pytest.raises(ValueError, match="20 iterations"):
        TINY.at(20)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_end_in_l2_on_the_largest_patches(name):
    phases = RECIPES[name].phases
    assert phases[-1].loss == "l2"
    assert [phase.patch for phase in phases] == sorted(phase.patch for phase in phases)
