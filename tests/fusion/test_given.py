"""Parts that are planned by themselves are planned for the pictures that they are given."""

import pytest
import torch
from torch import nn

from esr_kernels import fusion
from esr_kernels.fusion.given import Given, given_in


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


def test_what_parts_are_given():
    given = given_in(Levels())
    assert given["first"] == Given(1, ((1, 3, 20, 23),))
    assert given["top"] == given["top.0"] == Given(1, ((1, 16, 20, 23),))
    assert given["low"] == given["low.2"] == Given(2 / 23, ((1, 256, 2, 2),))
    assert given_in(Levels().low)["0"].share == 1


class Pieces(nn.Module):
    """Parts that get a picture by name, two pictures, tuples, vectors, and nothing."""

    def __init__(self):
        super().__init__()
        self.named, self.unused = block(3), block(3)
        self.both, self.pair, self.vector = Sum(), First(), nn.Linear(3, 3)

    def forward(self, x):
        y = self.named(input=x)
        if float(y.sum()) < -1e9:
            return x
        return self.pair((self.both(x, y), x)) + self.vector(y.mean((2, 3)))[..., None, None]


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = block(3)

    def forward(self, x, y):
        return self.inner(x) + y


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = block(3)

    def forward(self, pair):
        return self.inner(pair[0])


def test_what_is_given_pictures():
    given = given_in(Pieces())
    picture = (1, 3, 20, 23)
    assert given["named"].pictures == given["pair.inner"].pictures == (picture,)
    assert given["both"].pictures == (picture, picture)
    assert given["pair"].pictures is None and given["vector"].pictures is None
    assert "unused" not in given


def test_only_what_is_given_pictures_is_followed():
    network = Pieces().eval()
    x = torch.rand(1, 3, 32, 40)
    with torch.no_grad():
        expected = network(x)
        fusion.accelerate(network)
        assert torch.allclose(network(x), expected, atol=1e-5)
    replaced = {path for path, part in network.named_modules() if "forward" in vars(part)}
    assert replaced == {"", "named", "unused", "both", "pair.inner"}


def test_of_several_calls_the_narrowest_counts():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.c(x)[..., ::4] + self.c(x[..., ::4])

    assert given_in(Twice()) == {"c": Given(pytest.approx(6 / 23), ((1, 3, 20, 23),))}


def test_nothing_is_known_of_what_does_not_run():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("not today")

    assert given_in(Broken()) == {}
    assert given_in(nn.Sequential(nn.Conv2d(3, 4, 3), Broken())) == {}


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
