"""Networks made at random, to be accelerated as a stranger's: the same one for a seed, every time.

They have convolutions of all kinds, norms, pooling, statistics, tokens, shared modules, reused and
aliased tensors, writes in place, children that no graph can stand for and that write into their
input, questions about sizes, and nests of results. By hand, for more of them than the tests run:

    PYTHONPATH=.:tests:tests/fusion python tests/fusion/random_networks.py FIRST LAST
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from any_cost import programs_anywhere
from images import image
from random_blocks import BLOCKS
from random_parts import ACTIVATIONS, IN_PLACE, MODULES, Kind, Network, Opaque
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from esr_kernels import fusion
from esr_kernels.benchmark.tolerance import assert_as_good_as_torch


class Maker:
    """Makes the network of a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        torch.manual_seed(seed)
        self.network = Network()
        self.kinds = [Kind(3)]
        self.convolutions: list[tuple[int, int, int]] = []  # index, channels in and out

    def made(self) -> Network:
        self.convolve()
        weights = {
            **{self.convolve: 8, self.activate: 4, self.write: 3, self.combine: 4, self.slice: 2},
            **{self.opaque: 1, self.pad: 2, self.resample: 2, self.attend: 1, self.assign: 1},
            **{self.alias: 1, self.chunk: 1, self.copy: 1, self.part: 3, self.crop: 0.5},
            **{self.block: 4},
        }
        for _ in range(self.draw.randint(4, 14)):
            self.draw.choices(list(weights), list(weights.values()))[0]()
        self.convolve()
        self.finish()
        return self.network.eval().requires_grad_(False)

    # What the steps are made of

    def add(self, step: Callable, *kinds: Kind) -> None:
        self.network.steps.append(step)
        self.kinds += kinds

    def pick(self, fits: Callable[[Kind], bool] = lambda kind: True) -> int | None:
        """The index of a value, of the later ones more often."""
        found = [i for i, kind in enumerate(self.kinds) if fits(kind)]
        return self.draw.choices(found, [(n + 1) ** 3 for n in found])[0] if found else None

    def own(self, module: nn.Module) -> int:
        self.network.parts.append(module)
        return len(self.network.parts) - 1

    def apply(self, index: int, i: int, kind: Kind) -> None:
        self.add(lambda m, v: v.append(m.parts[index](v[i])), kind)

    # Steps

    def convolve(self) -> None:
        i = self.pick()
        into = self.kinds[i].channels
        shared = [c for c in self.convolutions if c[1] == into]
        if shared and self.draw.random() < 0.25:
            index, _, out = self.draw.choice(shared)
        else:
            index, out = self.convolution(into)
            self.convolutions.append((index, into, out))
        self.apply(index, i, Kind(out, self.kinds[i].level, self.kinds[i].cut))

    def convolution(self, into: int) -> tuple[int, int]:
        if self.draw.random() < 0.6:
            out = 2 * self.draw.randint(2, 6)
            return self.own(nn.Conv2d(into, out, 3, padding=1)), out
        kernel = self.draw.choice((1, 3, 3, 3, 5, (1, 3), (3, 1)))
        dilation = self.draw.choice((1, 1, 1, 2))
        groups = self.draw.choice((1, 1, 1, into, 2 if into % 2 == 0 else 1))
        out = groups * self.draw.randint(1, 2) if groups > 2 else 2 * self.draw.randint(2, 6)
        sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = tuple(dilation * (side // 2) for side in sides)
        how = {
            "padding_mode": self.draw.choice(("zeros", "zeros", "zeros", "reflect", "replicate"))
        }
        how["bias"] = self.draw.random() < 0.8
        conv = nn.Conv2d(into, out, kernel, 1, padding, dilation, groups, **how)
        if self.draw.random() < 0.15:
            conv = nn.Sequential(conv, nn.BatchNorm2d(out))
        return self.own(conv), out

    def activate(self) -> None:
        i, function = self.pick(), self.draw.choice(ACTIVATIONS)
        self.add(lambda m, v: v.append(function(v[i])), self.kinds[i])

    def part(self) -> None:
        i = self.pick()
        self.apply(self.own(self.draw.choice(MODULES)()), i, self.kinds[i])

    def block(self) -> None:
        i = self.pick()
        block = self.draw.choice(BLOCKS)(self.kinds[i].channels, self.draw)
        self.apply(self.own(block), i, self.kinds[i])

    def opaque(self) -> None:
        i = self.pick()
        index = self.own(Opaque(self.draw))
        if self.draw.random() < 0.3:
            self.add(lambda m, v: m.parts[index](v[i]))  # for what it writes alone
        else:
            self.apply(index, i, self.kinds[i])

    def write(self) -> None:
        i, function = self.pick(), self.draw.choice(IN_PLACE)
        if self.draw.random() < 0.5:
            self.add(lambda m, v: v.append(function(v[i])), self.kinds[i])
        else:
            self.add(lambda m, v: function(v[i]))

    def combine(self) -> None:
        i = self.pick()
        kind = self.kinds[i]
        j = self.pick(lambda k: (k.level, k.cut) == (kind.level, kind.cut))
        other = self.kinds[j]
        if self.draw.random() < 0.4:
            both = Kind(kind.channels + other.channels, kind.level, kind.cut)
            return self.add(lambda m, v: v.append(torch.cat([v[i], v[j]], dim=1)), both)
        j = self.pick(lambda k: k == kind)
        how = self.draw.randrange(5)
        if how == 0:
            self.add(lambda m, v: v[i].add_(v[j], alpha=0.5))
        elif how == 1:
            self.add(lambda m, v: _augment(v, i, j))
        else:
            function = (torch.add, lambda a, b: a * torch.sigmoid(b), lambda a, b: a - 0.5 * b)[
                how - 2
            ]
            self.add(lambda m, v: v.append(function(v[i], v[j])), kind)

    def slice(self) -> None:
        i = self.pick(lambda k: k.channels > 1)
        kind = self.kinds[i]
        k = self.draw.randint(1, kind.channels - 1)
        self.add(lambda m, v: v.append(v[i][:, :k]), Kind(k, kind.level, kind.cut))

    def assign(self) -> None:
        i = self.pick(lambda k: k.channels > 1)
        j = self.pick(lambda k: k == self.kinds[i])
        k = self.draw.randint(1, self.kinds[i].channels - 1)

        def step(m, v):
            v[i][:, :k] = torch.tanh(v[j][:, -k:])

        self.add(step)

    def chunk(self) -> None:
        i = self.pick(lambda k: k.channels % 2 == 0)
        if i is not None:
            kind = self.kinds[i]
            half = Kind(kind.channels // 2, kind.level, kind.cut)
            self.add(lambda m, v: v.extend(v[i].chunk(2, dim=1)), half, half)

    def alias(self) -> None:
        i = self.pick()
        how = self.draw.choice(
            (lambda x: x, lambda x: x.detach(), lambda x: x.data, lambda x: x[:])
        )
        self.add(lambda m, v: v.append(how(v[i])), self.kinds[i])

    def copy(self) -> None:
        i = self.pick()
        how = self.draw.choice((torch.clone, lambda x: x.clone(), lambda x: x.contiguous()))
        self.add(lambda m, v: v.append(how(v[i])), self.kinds[i])

    def crop(self) -> None:
        i = self.pick(lambda k: k.cut < 4)
        kind = self.kinds[i]
        self.add(
            lambda m, v: v.append(v[i][..., :-2]), Kind(kind.channels, kind.level, kind.cut + 2)
        )

    def pad(self) -> None:
        """To a multiple, computes something, and crops again."""
        i, multiple = self.pick(), self.draw.choice((2, 4, 8))
        mode = self.draw.choice(("constant", "reflect", "replicate"))
        channels = self.kinds[i].channels
        index = self.own(nn.Conv2d(channels, channels, 3, padding=1))

        def step(m, v):
            x = v[i]
            h, w = x.shape[-2:] if multiple == 4 else (x.size(2), x.size(3))
            pad_h, pad_w = (multiple - h % multiple) % multiple, -w % multiple
            if pad_h or pad_w > 0:
                x = 0.75 * F.pad(x, (0, pad_w, 0, pad_h), mode)
            v.append(F.relu(m.parts[index](x))[:, :, :h, :w])

        self.add(step, self.kinds[i])

    def resample(self) -> None:
        i = self.pick(lambda k: k.level < 1 and k.cut == 0)
        if i is None:
            return
        kind = self.kinds[i]
        up = Kind(kind.channels, kind.level + 1)
        how = self.draw.randrange(4)
        if how == 0 and kind.channels % 4 == 0:
            up = Kind(kind.channels // 4, kind.level + 1)
            self.add(lambda m, v: v.append(F.pixel_shuffle(v[i], 2)), up)
        elif how == 1:
            mode = self.draw.choice(("nearest", "bilinear"))
            self.add(lambda m, v: v.append(F.interpolate(v[i], scale_factor=2, mode=mode)), up)
        elif how == 2:
            index = self.own(nn.ConvTranspose2d(kind.channels, kind.channels, 2, stride=2))
            self.apply(index, i, up)
        else:
            self.add(lambda m, v: v.append(_down_and_up(v[i])), kind)

    def attend(self) -> None:
        i = self.pick()
        channels = self.kinds[i].channels
        index = self.own(nn.Conv2d(channels, channels, 1))

        def step(m, v):
            v.append(v[i] * torch.sigmoid(m.parts[index](F.adaptive_avg_pool2d(v[i], 1))))

        self.add(step, self.kinds[i])

    def finish(self) -> None:
        last, other = len(self.kinds) - 1, self.pick()
        self.network.result = self.draw.choice(
            (
                lambda v: v[last],
                lambda v: v[last],
                lambda v: (v[last], v[other]),
                lambda v: {"picture": v[last], "rest": [v[other], v[last].shape[2]]},
            )
        )


def _augment(v: list[Tensor], i: int, j: int) -> None:
    x = v[i]
    x += v[j]


def _down_and_up(x: Tensor) -> Tensor:
    y = F.max_pool2d(x, 2)
    return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False)


def make(seed: int) -> Network:
    """The network of a seed."""
    return Maker(seed).made()


def compare(seed: int) -> bool:
    """Asserts that the network of the seed, accelerated, is as good as plain at three sizes; true
    if it went the fast way at one of them."""
    model = make(seed)
    fast, exact = fusion.accelerate(copy.deepcopy(model)), copy.deepcopy(model).double()
    draw = random.Random(seed)
    whole = vars(fast)["forward"].plans.first.retry
    was_fast = False
    for _ in range(3):
        x = image(draw.choice((1, 1, 2)), 3, draw.randint(14, 40), draw.randint(14, 40), seed)
        if draw.random() < 0.3:
            x = x.contiguous(memory_format=torch.channels_last)
        inputs = [x.clone(), x.clone(), x.double()]
        was_fast |= vars(fast)["forward"].plans.serving((x,)) is not None
        results = [[m(x), x] for m, x in zip((fast, model, exact), inputs, strict=True)]
        for ours, plain, true in zip(*map(tree_leaves, results), strict=True):
            if not isinstance(ours, Tensor):
                assert ours == plain
                continue
            assert_as_good_as_torch(ours, plain, true)
            # Of what a part makes of a slice in channels_last, torch decides by the size.
            assert ours.is_contiguous() or not plain.is_contiguous() or not whole
    return was_fast


def main(first: int, last: int) -> None:
    """Compare all of these seeds; prints each that disagrees, and the sum."""
    wrong = fast = 0
    for seed in range(first, last):
        try:
            fast += compare(seed)
        except Exception as error:
            wrong += 1
            print(f"{seed}: {type(error).__name__}: {error}".partition("\n")[0], flush=True)
    print(f"{last - first} networks, {fast} of them fast, {wrong} wrong")


if __name__ == "__main__":
    with torch.no_grad(), programs_anywhere():
        main(*map(int, sys.argv[1:]))
