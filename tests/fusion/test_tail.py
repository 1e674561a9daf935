"""The ways to write the end of a network that become ``conv3x3_pixel_shuffle``; and others."""

import pytest
import torch
import torch.nn.functional as F
from test_passes import computing, fuse
from test_trace import From
from torch import nn

TAIL = "conv3x3_pixel_shuffle"


def layers() -> dict[str, nn.Module]:
    return {"c": nn.Conv2d(3, 8, 3, padding=1), "t": nn.Conv2d(8, 12, 3, padding=1)}


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)), 2) + F.interpolate(x, scale_factor=2),
        lambda m, x: F.interpolate(x, scale_factor=2) + F.pixel_shuffle(m.t(m.c(x)), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) + x.repeat_interleave(4, dim=1), 2),
        lambda m, x: F.pixel_shuffle(x.repeat_interleave(4, 1) + m.t(m.c(x)), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) + torch.repeat_interleave(x, 4, dim=-3), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) + torch.repeat_interleave(x, repeats=4, dim=1), 2),
    ],
)
def test_spellings(function):
    assert computing(fuse(From(function, **layers()))) == ["conv_act", TAIL]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) + torch.cat([x] * 4, 1), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) + x.repeat(1, 4, 1, 1), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)) - x.repeat_interleave(4, dim=1), 2),
        lambda m, x: F.pixel_shuffle(m.t(m.c(x)).relu() + x.repeat_interleave(4, dim=1), 2),
        lambda m, x: (
            F.pixel_shuffle(m.t(m.c(x)), 2) + F.interpolate(x, scale_factor=2, mode="area")
        ),
    ],
)
def test_what_is_added_otherwise(function):
    assert computing(fuse(From(function, **layers()))) != ["conv_act", TAIL]


def test_a_sum_that_something_else_reads():
    def both(m, x):
        y = m.t(m.c(x)) + x.repeat_interleave(4, dim=1)
        return F.pixel_shuffle(y, 2), y

    assert TAIL not in computing(fuse(From(both, **layers())))
