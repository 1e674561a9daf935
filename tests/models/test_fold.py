"""Convolutions folded with what stands beside them: exact at the borders too, or refused."""

import pytest
import torch
from images import image
from torch import nn

from esr_kernels.models.blocks import BSConv
from esr_kernels.models.reparam import (
    fold_batch_norm,
    fold_batch_norms,
    fold_repeated_input,
    merge_sequence,
)

SIZES = [(1, 1), (1, 7), (7, 5)]


def conv(inputs, outputs, kernel, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, dtype=torch.float64, **options)


def agree(a, b) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-12 * max(1, b.abs().max()))


def used_norm(channels: int, **options) -> nn.BatchNorm2d:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(channels, **options).double().eval()
    for value in norm.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 2)
    return norm


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": 1},
        {"padding": 1, "bias": False},
        {"padding": 1, "groups": 2, "stride": 2},
        {"padding": 2, "dilation": 2, "padding_mode": "replicate"},
    ],
)
def test_batch_norm(size, affine, options):
    before, norm = conv(4, 6, 3, **options), used_norm(6, affine=affine)
    x = image(2, 4, *size).double()
    assert agree(fold_batch_norm(before, norm)(x), norm(before(x)))


def test_batch_norm_is_folded_in_float64_and_stored_as_it_was():
    before, norm = conv(4, 6, 3), used_norm(6, eps=1e-3)
    exact = fold_batch_norm(before.float(), norm.float())
    assert exact.weight.dtype == torch.float32
    wanted = fold_batch_norm(before.double(), norm.double())
    assert torch.equal(exact.weight, wanted.weight.float())
    assert torch.equal(exact.bias, wanted.bias.float())


def test_batch_norms_inside_a_network():
    shared = nn.Sequential(conv(3, 4, 3), used_norm(4), nn.ReLU())
    network = nn.Sequential(shared, nn.Sequential(conv(4, 3, 1)), shared, used_norm(4)).eval()
    x = image(2, 3, 7, 5).double()
    expected, keys = network(x), list(network.state_dict())
    assert agree(fold_batch_norms(network)(x), expected)
    assert isinstance(network[0][1], nn.Identity) and isinstance(network[3], nn.BatchNorm2d)
    assert [key for key in keys if key in network.state_dict()] == list(network.state_dict())


def test_batch_norms_that_are_no_part_of_a_convolution():
    with pytest.raises(ValueError, match="running statistics"):
        fold_batch_norm(conv(4, 6, 3), nn.BatchNorm2d(6, track_running_stats=False))
    with pytest.raises(ValueError, match="6 output channels, the batch norm after it 5"):
        fold_batch_norm(conv(4, 6, 3), nn.BatchNorm2d(5))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bias", [True, False])
def test_repeated_input(size, bias):
    stem = conv(12, 5, 3, padding=1, bias=bias)
    x = image(2, 3, *size).double()
    folded = fold_repeated_input(stem, 4)
    assert folded.in_channels == 3
    assert agree(folded(x), stem(torch.cat([x] * 4, 1)))


def test_stems_that_take_no_repeated_picture():
    with pytest.raises(ValueError, match="12 input channels"):
        fold_repeated_input(conv(12, 4, 3), 5)
    with pytest.raises(ValueError, match="in 2 groups"):
        fold_repeated_input(conv(12, 4, 3, groups=2), 2)


REFLECT = {"padding_mode": "reflect"}
SEQUENCES = {
    "bsconv": lambda: (conv(4, 6, 1, bias=False), conv(6, 6, 3, padding=1, groups=6)),
    "bsconv-stride": lambda: tuple(BSConv(4, 6, stride=2).double().children()),
    "pointwise-with-bias-padded-first": lambda: (conv(4, 6, 1, padding=1), conv(6, 5, 3)),
    "depthwise-first": lambda: (conv(4, 4, 3, padding=1, groups=4), conv(4, 6, 1, bias=False)),
    "multiplier": lambda: (conv(4, 8, 3, padding=1, groups=4), conv(8, 3, 1)),
    "three": lambda: (
        conv(4, 6, 1, bias=False),
        conv(6, 6, 3, padding=2, dilation=2, groups=6),
        conv(6, 2, 1, stride=2),
    ),
    "replicated": lambda: (conv(4, 6, 1), conv(6, 6, 3, padding=1, padding_mode="replicate")),
}
MIRRORED = {
    "bsconv-reflect": lambda: tuple(BSConv(4, 6, padding_mode="reflect").double().children()),
    "rows-then-columns": lambda: (
        conv(4, 6, 1, bias=False),
        conv(6, 6, (3, 1), padding=(1, 0), groups=6, **REFLECT),
        conv(6, 6, (1, 3), padding=(0, 1), groups=6, **REFLECT),
    ),
}


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        pytest.param(make, size, id=f"{name}-{size}")
        for makers, sizes in ((SEQUENCES, SIZES), (MIRRORED, [(2, 2), (2, 7), (7, 5)]))
        for name, make in makers.items()
        for size in sizes
    ],
)
def test_sequence(layers, size):
    layers = layers()
    x = image(2, 4, *size).double()
    assert agree(merge_sequence(*layers)(x), nn.Sequential(*layers)(x))


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ((conv(4, 6, 1), conv(6, 6, 3, padding=1)), "not at its borders"),
        ((conv(4, 6, 3, padding=1), conv(6, 6, 3, padding=1)), "3 and then 3 pixels"),
        ((conv(4, 6, 1, stride=2, bias=False), conv(6, 6, 3, padding=1)), "stride"),
        ((conv(4, 6, 1, padding=1, bias=False), conv(6, 6, 3, padding=1)), "padded once"),
        ((conv(4, 6, 3, padding=1), conv(6, 6, 1, padding=1)), "padded once"),
        ((conv(4, 6, 3, padding="same"), conv(6, 6, 1)), "in pixels"),
        (
            (
                conv(4, 6, (3, 1), padding=(1, 0), bias=False),
                conv(6, 6, (1, 3), padding=(0, 1), **REFLECT),
            ),
            "only one",
        ),
    ],
)
def test_sequences_that_are_no_single_convolution(layers, says):
    with pytest.raises(ValueError, match=says):
        merge_sequence(*layers)
