"""A network of one's own, written with the package's ops: fast from its first forward.

python examples/own_network.py
"""

import torch
from torch import nn

from esr_kernels import ops


class TinySR(nn.Module):
    def __init__(self, width=28, scale=4):
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(4))
        self.tail = nn.Conv2d(width, 3 * scale**2, 3, padding=1)

    def forward(self, x):
        f = ops.conv_act(x, self.first.weight, self.first.bias, act="silu")
        for conv in self.body:  # silu(conv(f)) + f without a tensor in between
            f = ops.conv_act(f, conv.weight, conv.bias, act="silu", residual=f)
        tail = self.tail.weight, self.tail.bias
        return ops.conv3x3_pixel_shuffle(f, *tail, upscale_factor=self.scale, skip=x)


y = TinySR()(torch.rand(1, 3, 48, 64))
y.mean().backward()  # the ops have gradients: train it like any other network
print(tuple(y.shape))
