"""Code as it is published, spelled in ways that a graph has to understand."""

from __future__ import annotations

import einops
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from einops.layers.torch import Rearrange
from fast import check
from images import image
from torch import nn

from esr_kernels import fusion


class Net(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.mix = nn.Linear(8, 8)
        self.to_tokens = Rearrange("b c h w -> b h w c")

    def forward(self, x):
        return self.function(self, x)


def rearranged(m, x):
    _, _, h, w = m.head(x).shape
    tokens = rearrange(m.head(x), "b c h w -> b (h w) c")
    return m.tail(rearrange(m.mix(tokens), "b (h w) c -> b c h w", h=h, w=w))


def windows(m, x):
    y = m.head(F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4)))
    parts = rearrange(y, "b c (h p) (w q) -> (b h w) (p q) c", p=4, q=4)
    y = rearrange(
        m.mix(parts), "(b h w) (p q) c -> b c (h p) (w q)", p=4, h=y.shape[2] // 4, b=x.shape[0]
    )
    return m.tail(y)


def reduced(m, x):
    y = m.head(x)
    gate = torch.sigmoid(reduce(y, "b c h w -> b c 1 1", "mean"))
    return m.tail(F.relu(y * gate)) + repeat(gate[:, :3, 0, 0], "b c -> b c 1 1")


def layers(m, x):
    return m.tail(m.mix(m.to_tokens(m.head(x))).permute(0, 3, 1, 2))


def contracted(m, x):
    y = m.head(x)
    return m.tail(F.relu(einops.einsum(y, m.mix.weight, "b c h w, d c -> b d h w")))


def contiguous_before_a_view(m, x):
    y = F.relu(m.head(x))
    b, c, h, w = y.shape
    z = y.permute(0, 2, 3, 1).contiguous().view(b, h * w, c)
    return m.tail(m.mix(z).transpose(1, 2).contiguous().view(b, c, h, w))


def data_of_a_tensor(m, x):
    y = m.head(x)
    y.data.mul_(0.5)
    return m.tail(F.relu(y.data)) * m.tail.weight.data.mean()


def sizes_of_parts(m, x):
    y = F.max_pool2d(m.head(x), 2)
    return m.tail(F.interpolate(y, size=(y.size(2) * 2, 2 * y.shape[3]), mode="nearest"))


def unpacked(m, x):
    *_, h, w = m.head(x).size()
    (b, c), (*rest,) = x.shape[:2], x.shape[2:]
    return m.tail(F.relu(m.head(x.reshape(b, c, *rest)[..., :h, :w])))


def several_asked_at_once(m, x):
    y = m.head(x)
    assert y.shape[0] == x.shape[0] and y.shape[-2:] == x.shape[-2:] and y.dtype == x.dtype
    assert tuple(y.shape[1:2]) == (8,) and y.device == x.device and not y.is_cuda
    return m.tail(F.relu(y))


SPELLINGS = (
    *(rearranged, windows, reduced, layers, contracted, contiguous_before_a_view),
    *(data_of_a_tensor, sizes_of_parts, unpacked, several_asked_at_once),
)


@pytest.mark.parametrize("function", SPELLINGS, ids=lambda f: f.__name__)
def test_it_is_followed(function, tolerance):
    model = fusion.accelerate(Net(function).eval().requires_grad_(False))
    assert fusion.explain(model).title.startswith("accelerated"), fusion.explain(model)
    for shape in ((1, 3, 20, 23), (2, 3, 16, 32)):
        x = image(*shape)
        check(model, x, tolerance)
        check(model, x.contiguous(memory_format=torch.channels_last), tolerance)
