"""Networks as strangers write them: other names, other spellings, and some that only look alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Refolding(nn.Module):
    """A re-parameterised convolution that writes its merged weights through .data at every call."""

    def __init__(self, into: int, out: int, gain: int = 2, slope: float | None = None):
        super().__init__()
        self.slope = slope
        self.shortcut = nn.Conv2d(into, out, 1)
        self.branch = nn.Sequential(
            nn.Conv2d(into, into * gain, 1),
            nn.Conv2d(into * gain, out * gain, 3),
            nn.Conv2d(out * gain, out, 1),
        )
        self.deployed = nn.Conv2d(into, out, 3, padding=1)
        self.calls: Tensor | None = None

    def refold(self) -> None:
        (w1, b1), (w2, b2), (w3, b3) = ((c.weight.data, c.bias.data) for c in self.branch)
        w1, w3 = w1.flatten(1), w3.flatten(1)
        kernel = torch.einsum("op,pqyx,qi->oiyx", w3, w2, w1)
        kernel = kernel + F.pad(self.shortcut.weight.data, (1, 1, 1, 1))
        offset = b3 + self.shortcut.bias.data + w3 @ (b2 + w2.sum((2, 3)) @ b1)
        self.calls = kernel  # leaves something behind, as the published code does
        self.deployed.weight.data = kernel.contiguous()
        self.deployed.bias.data = offset.contiguous()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            y = self.branch(F.pad(x, (1, 1, 1, 1))) + self.shortcut(x)
        else:
            self.refold()
            y = self.deployed(x)
        return y if self.slope is None else F.leaky_relu(y, self.slope)


def plain(into: int, out: int) -> nn.Module:
    return nn.Conv2d(into, out, 3, padding=1)


class Swift(nn.Module):
    """SPAB with in-place activations under other names; ``order`` spells its gate differently."""

    def __init__(self, width: int, conv=plain, order: int = 0, half: float = 0.5, act=nn.SiLU):
        super().__init__()
        self.a, self.b, self.c = (conv(width, width) for _ in range(3))
        self.act = act(inplace=True)
        self.order = order
        self.half = half

    def forward(self, u: Tensor):
        first = self.a(u)
        second = self.b(self.act(first))
        w = self.c(self.act(second))
        if self.order == 0:
            attention = torch.sigmoid(w) - self.half
            return (w + u) * attention, first, attention
        if self.order == 1:
            attention = -self.half + w.sigmoid()
            return attention.mul(u.add(w)), first, attention
        attention = F.sigmoid(w).sub(self.half)
        return torch.mul(torch.add(u, w), attention), first, attention


class SwiftNet(nn.Module):
    """SPAN with other names: plain-attribute mean, in-place SiLU whose raw output is 'returned'."""

    def __init__(self, width: int = 12, scale: int = 3, conv=plain, **block):
        super().__init__()
        self.average = torch.tensor((0.4488, 0.4371, 0.4040)).view(1, 3, 1, 1)
        self.head = conv(3, width)
        self.body = nn.ModuleList(Swift(width, conv, **block) for _ in range(2))
        self.tail = conv(width, width)
        self.mix = nn.Conv2d(4 * width, width, 1)
        self.up = nn.Sequential(plain(width, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        self.average = self.average.type_as(x)
        x = (x - self.average) * 255.0
        head = self.head(x)
        one, _, _ = self.body[0](head)
        two, hidden, _ = self.body[1](one)
        return self.up(self.mix(torch.cat([head, self.tail(two), one, hidden], dim=1)))


class Attention(nn.Module):
    """ESA; ``size`` spells the target size differently, ``inner`` puts a 1x1 where the 3x3 is,
    without ``side`` the 1x1 beside the pooled branch is left out."""

    def __init__(
        self, width: int, hidden: int = 8, size: int = 0, inner: bool = False, side: bool = True
    ):
        super().__init__()
        self.side = side
        self.p = nn.Conv2d(width, hidden, 1)
        self.q = nn.Conv2d(hidden, hidden, 1)
        self.r = nn.Conv2d(hidden, hidden, 3, stride=2, padding=0)
        self.s = nn.Conv2d(hidden, hidden, 1) if inner else nn.Conv2d(hidden, hidden, 3, padding=1)
        self.t = nn.Conv2d(hidden, width, 1)
        self.size = size

    def forward(self, u: Tensor) -> Tensor:
        a = self.p(u)
        small = self.s(F.max_pool2d(self.r(a), kernel_size=7, stride=3))
        sizes = (
            lambda: (u.size(2), u.size(3)),
            lambda: u.size()[2:],
            lambda: a.shape[-2:],
            lambda: (u.shape[2], u.shape[3]),
        )
        large = F.interpolate(small, sizes[self.size](), mode="bilinear", align_corners=False)
        return u * torch.sigmoid(self.t(large + (self.q(a) if self.side else a)))


class Residuals(nn.Module):
    """RLFN-like: residual blocks with leaky rectifiers, ESA, the enlarged picture added."""

    def __init__(self, width: int = 10, scale: int = 2, **attention):
        super().__init__()
        self.scale = scale
        self.head = plain(3, width)
        self.one, self.two = plain(width, width + 2), plain(width + 2, width)
        self.act = nn.LeakyReLU(0.05, inplace=True)
        self.esa = Attention(width, **attention)
        self.last = plain(width, 3 * scale**2)

    def forward(self, x: Tensor) -> Tensor:
        head = self.head(x * 255)
        y = self.act(self.two(self.act(self.one(head))))
        y += head
        y = self.esa(y)
        large = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        return F.pixel_shuffle(self.last(y), self.scale) / 255 + large


class Branching(nn.Module):
    """A block whose code depends on values: no graph can stand for it."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = plain(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)) if x.mean() > 0 else x


class PartlyBranching(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.head, self.odd = plain(3, width), Branching(width)
        self.tail = nn.Sequential(plain(width, 12), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.odd(F.silu(self.head(x))))


class BranchingRoot(nn.Module):
    """The network itself branches; its children do not."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.head = nn.Sequential(plain(3, width), nn.GELU())
        self.tail = nn.Sequential(plain(width, 12), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        return self.tail(y if y.sum() > 0 else y + 1)
