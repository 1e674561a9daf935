"""Blocks of networks made at random that keep channels and size: norms, pooling, statistics,
tokens, shuffles."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """With statistics of its own."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__(channels, affine=draw.random() < 0.7)
        self.running_mean.uniform_(-0.5, 0.5)
        self.running_var.uniform_(0.5, 2)


class ChannelNorm(nn.Module):
    """Over the channels of each pixel, in one of four spellings."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels) + 0.5)
        self.bias = nn.Parameter(torch.rand(channels) - 0.5)
        self.spelling = draw.randrange(4)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight[:, None, None], self.bias[:, None, None]
        if self.spelling == 0:
            y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias)
            return y.permute(0, 3, 1, 2)
        if self.spelling == 1:
            return weight * x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)
        if self.spelling == 2:
            return F.normalize(x, dim=1, eps=1e-3)
        off = x - x.mean(1, keepdim=True)
        return weight * (off / torch.sqrt(off.pow(2).mean(1, keepdim=True) + 1e-4)) + bias


class PictureNorm(nn.Module):
    """Over whole pictures, of each channel or of all."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.norm = draw.choice((nn.InstanceNorm2d(channels), nn.GroupNorm(1, channels)))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Halved(nn.Module):
    """A strided convolution, and back to the size, as a gate or added."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        kernel, padding = draw.choice(((2, 0), (3, 0), (3, 1), (4, 1)))
        self.down = nn.Conv2d(channels, channels, kernel, 2, padding)
        self.mode = draw.choice(("nearest", "bilinear"))
        self.gate = draw.random() < 0.5

    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(F.relu(self.down(x)), size=x.shape[2:], mode=self.mode)
        return x * torch.sigmoid(y) if self.gate else x + y


class Pooled(nn.Module):
    """A map of the largest or the mean values, or of variances, made small and large again."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, draw.choice((1, 3)), padding="same")
        self.how = draw.randrange(4)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == 0:
            y = F.max_pool2d(x, 3, 2)
        elif self.how == 1:
            y = F.adaptive_max_pool2d(x, (x.shape[2] // 2, x.shape[3] // 2))
        elif self.how == 2:
            y = F.avg_pool2d(x, 2)
        else:
            y = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        y = F.interpolate(F.gelu(self.conv(y)), size=x.shape[2:], mode="nearest")
        return x * y


class Statistics(nn.Module):
    """Channels weighted by what their pixels are like; linear layers or 1x1 convolutions."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.how, self.linear = draw.randrange(3), draw.random() < 0.5
        middle = max(1, channels // 2)
        kind = nn.Linear if self.linear else (lambda a, b: nn.Conv2d(a, b, 1))
        self.squeeze, self.excite = kind(channels, middle), kind(middle, channels)

    def forward(self, x: Tensor) -> Tensor:
        keep = not self.linear
        if self.how == 0:
            y = x.mean((2, 3), keepdim=keep)
        elif self.how == 1:
            y = x.amax((2, 3), keepdim=keep)
        else:
            y = x.mean((2, 3), keepdim=keep) + x.std((2, 3), keepdim=keep)
        y = torch.sigmoid(self.excite(F.relu(self.squeeze(y))))
        return x * (y if keep else y[:, :, None, None])


class Tokens(nn.Module):
    """A perceptron over the pixels as a sequence."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels) if draw.random() < 0.7 else nn.Identity()
        self.first = nn.Linear(channels, 2 * channels)
        self.second = nn.Linear(2 * channels, channels, bias=draw.random() < 0.5)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.second(F.gelu(self.first(self.norm(tokens))))
        return tokens.transpose(1, 2).reshape(b, c, h, w)


class Moved(nn.Module):
    """The same numbers at other places: channels shuffled, pixels rolled or flipped."""

    def __init__(self, channels: int, draw: random.Random) -> None:
        super().__init__()
        self.how = draw.randrange(3) if channels % 2 == 0 else draw.randrange(2)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        if self.how == 0:
            return torch.roll(x, (1, -2), (2, 3))
        if self.how == 1:
            return x.flip(-1)
        return x.reshape(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


BLOCKS = (BatchNorm, ChannelNorm, PictureNorm, Halved, Pooled, Statistics, Tokens, Moved)
