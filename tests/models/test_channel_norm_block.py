"""The two layer norms over channels: one function, computed in two ways."""

import pytest
import torch
from images import image

from esr_kernels.models.blocks import ChannelLayerNorm, PixelLayerNorm


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 4)])
@pytest.mark.parametrize("channels", [1, 6])
def test_they_agree_and_keep_the_shape(size, channels):
    torch.manual_seed(2)
    a, b = ChannelLayerNorm(channels, 1e-5).double(), PixelLayerNorm(channels, 1e-5).double()
    state = {name: torch.rand(channels) for name in ("weight", "bias")}
    a.load_state_dict(state)
    b.load_state_dict(state)
    x = image(2, channels, *size).double()
    torch.testing.assert_close(b(x), a(x), rtol=0, atol=1e-13)
