"""Parts that are planned by themselves are planned for the size of picture that they get."""

import pytest
import torch
from torch import nn

from esr_kernels import fusion
from esr_kernels.fusion.shares import shares_of


def block(channels: int) -> nn.Sequential:
    layers = (nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, nn.Conv2d(channels, channels, 3, padding=1))


class Levels(nn.Module):
    """Two levels of a network whose code depends on values."""

    def __init__(self, channels: int = 256):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.top = block(16)
        self.down = nn.Conv2d(16, channels, 8, 8)
        self.low = block(channels)

    def forward(self, x):
        y = self.top(self.first(x))
        return self.low(self.down(y)) if float(y.sum()) > -1e9 else y


def test_shares():
    shares = shares_of(Levels())
    assert shares["top"] == shares["top.0"] == shares["first"] == 1
    assert shares["low"] == shares["low.2"] == 2 / 23
    assert shares_of(Levels().low)["0"] == 1


def test_of_several_calls_the_narrowest_counts():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.c(x)[..., ::4] + self.c(x[..., ::4])

    assert shares_of(Twice()) == {"c": pytest.approx(6 / 23)}


def test_nothing_is_known_of_what_does_not_run():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("not today")

    assert shares_of(Broken()) == {}
    assert shares_of(nn.Sequential(nn.Conv2d(3, 4, 3), Broken())) == {}


@pytest.mark.real_costs
def test_a_lower_level_is_left_to_torch():
    """There Winograd's weights are read again for every few pixels."""
    pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
    network = Levels().eval()
    taken = {line.path for line in fusion.explain(fusion.accelerate(network)).lines}
    assert "top.0 + top.1" in taken and not any(path.startswith("low") for path in taken)
    low = fusion.accelerate(block(256).eval())  # by itself it may be of any size
    assert any(line.backend == "cpu" for line in fusion.explain(low).lines)


def test_the_random_state_is_kept():
    class Noisy(Levels):
        def forward(self, x):
            return super().forward(x + torch.rand_like(x))

    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    network = Noisy().eval()
    torch.manual_seed(0)
    fusion.accelerate(network)
    assert torch.equal(torch.rand(3), expected)
