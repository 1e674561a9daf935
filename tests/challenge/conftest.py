"""Tiny folders of pictures, and a network whose result everybody can work out."""

import numpy as np
import pytest
from PIL import Image

NETWORK = """
import torch
from torch import nn

class Repeat(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.gain * x.repeat_interleave(4, 2).repeat_interleave(4, 3)

class Wide(Repeat):
    def forward(self, x):
        return super().forward(x.round())  # the same in [0, 255], black and white in [0, 1]

class Twice(Repeat):
    def forward(self, x):
        return super().forward(x)[..., ::2, ::2]

class Broken(Repeat):
    def forward(self, x):
        raise IndexError("no such layer")

class NotFinite(Repeat):
    def forward(self, x):
        return super().forward(x) / 0

class Asks(Repeat):
    def __init__(self, width):
        super().__init__()

def function(x):
    return x
"""


@pytest.fixture
def network(tmp_path):
    """A participant's file with several networks; ``Repeat`` repeats every pixel 4 x 4 times."""
    path = tmp_path / "net.py"
    path.write_text(NETWORK)
    return path


@pytest.fixture
def pairs(tmp_path):
    """A maker of folders: ``pairs(large, small, n)`` fills them and gives the large pictures."""

    def make(large, small, n=2, suffix="x4", extra=0):
        draw = np.random.default_rng(n)
        found = {}
        for folder in (large, small):
            (tmp_path / folder).mkdir(parents=True)
        for i in range(n):
            low = draw.integers(0, 256, (7 + i, 9, 3), dtype=np.uint8)
            # Within 3 levels of the small picture's pixels, so that PSNR is finite and high.
            high = low.astype(int).repeat(4, 0).repeat(4, 1)
            high = np.pad(high, ((0, extra), (0, extra), (0, 0)), mode="edge")
            high = (high + draw.integers(-3, 4, high.shape)).clip(0, 255).astype(np.uint8)
            name = f"{801 + i:04d}"
            Image.fromarray(low).save(tmp_path / small / f"{name}{suffix}.png")
            Image.fromarray(high).save(tmp_path / large / f"{name}.png")
            found[name] = low, high
        return found

    return make
