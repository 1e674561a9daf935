"""Pooling, interpolation, statistics and slices in many spellings; and what only looks so."""

import pytest
import torch
import torch.nn.functional as F
from test_passes import computing, count, fuse
from test_trace import From
from torch import nn

from esr_kernels.fusion import halo
from esr_kernels.ops import CHANNEL_PART, RESAMPLE, STATISTIC, WINDOW_MAX, WINDOW_VARIANCE


def conv(channels: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1)


def arguments(graph, op):
    """Of the op's one node, but for the tensors."""
    (node,) = [n for n in graph.nodes if n.target is op]
    return [a for a in node.args if not isinstance(a, torch.fx.Node)]


def pooled(m, x):
    return F.max_pool2d(m.c(x), 2)


SPELLINGS = [
    (WINDOW_MAX, [2, 2, 0], lambda m, x: F.max_pool2d(m.c(x), 2)),
    (WINDOW_MAX, [7, 3, 0], lambda m, x: F.max_pool2d(m.c(x), kernel_size=7, stride=3)),
    (WINDOW_MAX, [0, 4, 0], lambda m, x: F.adaptive_max_pool2d(
        m.c(x), (x.shape[2] // 4, x.shape[3] // 4))),
    (WINDOW_MAX, [0, 8, 0], lambda m, x: F.adaptive_max_pool2d(
        m.c(x), (x.size()[-2] // 8, x.size(-1) // 8))),
    (WINDOW_MAX, [3, 3, 1], lambda m, x: F.max_pool2d(m.c(x), 3, padding=1)),
    (RESAMPLE, [1, "nearest"], lambda m, x: F.interpolate(pooled(m, x), x.shape[2:])),
    (RESAMPLE, [1, "nearest"], lambda m, x: F.interpolate(pooled(m, x), x.size()[-2:])),
    (RESAMPLE, [1, "bilinear"], lambda m, x: F.interpolate(
        pooled(m, x), (x.size(2), x.size(3)), mode="bilinear", align_corners=False)),
    (RESAMPLE, [None, 3, "nearest"], lambda m, x: F.interpolate(m.c(x), scale_factor=3)),
    (RESAMPLE, [None, 2, "bilinear"], lambda m, x: F.interpolate(
        m.c(x), scale_factor=(2.0, 2.0), mode="bilinear")),
    (STATISTIC, ["mean", 0], lambda m, x: m.c(x).mean((2, 3), keepdim=True)),
    (STATISTIC, ["mean", 0], lambda m, x: m.c(x).mean((2, 3))),
    (STATISTIC, ["mean", 0], lambda m, x: torch.mean(m.c(x), dim=[-1, -2], keepdim=True)),
    (STATISTIC, ["mean", 0], lambda m, x: F.adaptive_avg_pool2d(m.c(x), 1)),
    (STATISTIC, ["mean", 0], lambda m, x: m.p(m.c(x))),
    (STATISTIC, ["var", 1], lambda m, x: m.c(x).var((2, 3), keepdim=True)),
    (STATISTIC, ["var", 0], lambda m, x: torch.var(m.c(x), (2, 3), unbiased=False, keepdim=True)),
    (STATISTIC, ["std", 0], lambda m, x: m.c(x).std((2, 3), correction=0, keepdim=True)),
    (CHANNEL_PART, [1, 2], lambda m, x: m.c(x)[:, 1:]),
    (CHANNEL_PART, [0, 2], lambda m, x: m.c(x)[:, :2, :, :]),
    (CHANNEL_PART, [2, 1], lambda m, x: m.c(x).chunk(2, 1)[1]),
    (CHANNEL_PART, [1, 2], lambda m, x: torch.split(m.c(x), [1, 2], dim=1)[1]),
    (CHANNEL_PART, [2, 1], lambda m, x: m.c(x).split(2, dim=1)[1]),
]  # fmt: skip


@pytest.mark.parametrize(("op", "expected", "function"), SPELLINGS)
def test_spellings(op, expected, function):
    graph = fuse(From(function, c=conv(), p=nn.AdaptiveAvgPool2d(1)))
    assert arguments(graph, op) == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: F.max_pool2d(m.c(x), 3, padding=(0, 1)),
        lambda m, x: F.max_pool2d(m.c(x), (2, 3)),
        lambda m, x: F.max_pool2d(m.c(x), 2, ceil_mode=True),
        lambda m, x: F.max_pool2d(m.c(x), 2, dilation=2),
        lambda m, x: F.adaptive_max_pool2d(m.c(x), 4),
        lambda m, x: F.adaptive_max_pool2d(m.c(x), (x.shape[2] // 4, x.shape[3] // 2)),
        lambda m, x: F.adaptive_max_pool2d(m.c(x), (x.shape[3] // 4, x.shape[2] // 4)),
        lambda m, x: F.adaptive_max_pool2d(F.avg_pool2d(m.c(x), 2), (x.size(2) // 4,) * 2),
        lambda m, x: F.interpolate(m.c(x), (30, 40)),
        lambda m, x: F.interpolate(m.c(x), scale_factor=1.5),
        lambda m, x: F.interpolate(m.c(x), scale_factor=(2, 3)),
        lambda m, x: F.interpolate(m.c(x), scale_factor=2, mode="bicubic"),
        lambda m, x: F.interpolate(m.c(x), scale_factor=2, mode="bilinear", align_corners=True),
        lambda m, x: m.c(x).mean((1, 2, 3), keepdim=True),
        lambda m, x: m.c(x).mean(3, keepdim=True),
        lambda m, x: F.adaptive_avg_pool2d(m.c(x), 2),
        lambda m, x: m.c(x)[:, ::2],
        lambda m, x: m.c(x)[:, :, 1:],
        lambda m, x: m.c(x)[:, 0],
        lambda m, x: m.c(x).chunk(2, 2)[1],
    ],
)
def test_imposters(function):
    graph = fuse(From(function, c=conv()))
    assert not any(count(graph, op) for op in (WINDOW_MAX, RESAMPLE, STATISTIC, CHANNEL_PART))


def varying(m, x, pad=(1, 1, 1, 1), mode="reflect", size=(5, 3), dims=(4, 5), **how):
    y = F.pad(m.c(x), pad, mode=mode).unfold(2, 5, 3).unfold(3, *size)
    return y.var(dims, **how)


def test_variance_in_windows():
    assert arguments(fuse(From(varying, c=conv())), WINDOW_VARIANCE) == [5, 3, 1]

    def unpadded(m, x):
        return torch.var(m.c(x).unfold(2, 4, 2).unfold(3, 4, 2), (-1, -2))

    assert arguments(fuse(From(unpadded, c=conv())), WINDOW_VARIANCE) == [4, 2, 0]


@pytest.mark.parametrize(
    "changed",
    [
        {"size": (5, 2)},
        {"size": (4, 3)},
        {"dims": (3, 5)},
        {"dims": (5,)},
        {"unbiased": False},
        {"correction": 0},
        {"keepdim": True},
    ],
)
def test_imposters_of_variance_in_windows(changed):
    graph = fuse(From(lambda m, x: varying(m, x, **changed), c=conv()))
    assert count(graph, WINDOW_VARIANCE) == 0


@pytest.mark.parametrize(
    "changed", [{"pad": (1, 1, 2, 2)}, {"pad": (0, 1, 0, 1)}, {"mode": "replicate"}]
)
def test_padding_that_windows_do_not_have_stays(changed):
    graph = fuse(From(lambda m, x: varying(m, x, **changed), c=conv()))
    assert computing(graph) == ["conv_act", "pad", "window_variance"]


def halved(k, **how):
    layer = nn.Conv2d(*how.pop("channels", (3, 5)), k, **({"stride": 2} | how))
    first = nn.Conv2d(3, layer.in_channels, 3, padding=1)
    return computing(fuse(From(lambda m, x: m.s(m.c(x)), c=first, s=layer)))


def test_convolutions_that_halve():
    for k, padding in [(2, 0), (3, 0), (3, 1), (4, 1)]:
        assert halved(k, padding=padding) == ["conv_act", "strided_conv"]
    for k, how in [(3, {"padding": 2}), (3, {"stride": 3}), (5, {}), (3, {"dilation": 2})]:
        assert halved(k, **how) == ["conv_act", "conv2d"]


def test_few_channels_are_filtered_everywhere_and_then_picked():
    for mode in ("zeros", "reflect"):
        how = {"padding": (1, 0), "padding_mode": mode, "channels": (6, 6), "groups": 6}
        assert halved((3, 1), **how) == ["conv_act", "depthwise_act", "window_max"]
        how |= {"channels": (24, 24), "groups": 24}
        assert halved((3, 1), **how)[1:] in (["conv2d"], ["s"])


def test_a_concatenation_that_no_convolution_reads():
    both = From(lambda m, x: torch.cat([m.c(x), x], 1).tanh(), c=conv())
    assert computing(fuse(both)) == ["conv_act", "channel_join", "tanh"]


@pytest.mark.parametrize("how", [{}, {"dim": 0}, {"dim": 2}], ids=str)
@pytest.mark.parametrize("by_name", [False, True])
def test_a_concatenation_of_something_else_than_channels(how, by_name):
    def joined(m, x):
        parts = [m.c(x), x]
        y = torch.cat(tensors=parts, **how) if by_name else torch.cat(parts, **how)
        return m.d(y).tanh()

    model = From(joined, c=conv(), d=conv())
    assert computing(fuse(model)) == ["conv_act", "cat", "conv_act", "tanh"]
    assert halo(model) is None
    model = From(
        lambda m, x: m.d(torch.cat([m.c(x), x], 1)), c=conv(), d=nn.Conv2d(6, 3, 3, padding=1)
    )
    assert halo(model) == 2


def test_a_slice_of_all_channels_is_none():
    for function in (lambda m, x: m.c(x)[:, :3] + 1, lambda m, x: m.c(x).chunk(1, 1)[0] + 1):
        assert computing(fuse(From(function, c=conv()))) == ["conv_act", "add"]
