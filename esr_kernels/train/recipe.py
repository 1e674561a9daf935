"""How a network is trained: phases, each with its patches, loss and learning rates."""

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Phase:
    """``iterations`` steps on batches of ``batch`` patches, ``patch`` low-resolution pixels a side.

    ``loss``: "l1" or "l2". ``autocast``: convolutions in bfloat16 where the hardware is faster so.
    The learning rate rises over ``warmup`` steps to ``rate`` and falls to ``last_rate`` as half a
    cosine.
    """

    iterations: int
    patch: int
    batch: int
    loss: str
    rate: float
    last_rate: float
    warmup: int = 0
    autocast: bool = True

    def rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ..., ``iterations - 1``."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.iterations - self.warmup)
        return self.last_rate + (self.rate - self.last_rate) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Recipe:
    """A network by its width and scale, its phases, and what stays the same through all of them.

    ``clip``: largest norm of a step's gradient. ``ema``: share of the averaged weights that a step
    keeps. ``held_out``: pictures of the training
    folder, evenly spread, that are kept for validation. ``every``: steps between validations, at
    which the state is saved too.
    """

    width: int
    scale: int
    phases: tuple[Phase, ...]
    seed: int = 1
    clip: float = 1.0
    ema: float = 0.999
    held_out: int = 8
    every: int = 1000

    @property
    def iterations(self) -> int:
        """Steps of all phases."""
        return sum(phase.iterations for phase in self.phases)

    def at(self, iteration: int) -> tuple[Phase, int]:
        """The phase that an iteration belongs to, and the number of the step in it."""
        for phase in self.phases:
            if iteration < phase.iterations:
                return phase, iteration
            iteration -= phase.iterations
        raise ValueError(f"the recipe has {self.iterations} iterations")

    def as_dict(self) -> dict:
        """Plain numbers and names, as they are kept in a checkpoint."""
        return asdict(self) | {"phases": [asdict(phase) for phase in self.phases]}


# The report's stages for SPAN (section 4.1: L1 on patches of 64 low-resolution pixels, then L2 at
# 128) cut to what the hardware does in the time: small patches first, large ones for the last part.
RECIPES = {
    # Planned to an hour on one core of a processor with bfloat16 tiles (AMX).
    "cpu": Recipe(
        width=28,
        scale=4,
        phases=(
            Phase(16_000, patch=24, batch=16, loss="l1", rate=1e-3, last_rate=1e-4, warmup=500),
            Phase(14_000, patch=40, batch=16, loss="l1", rate=4e-4, last_rate=1e-5, warmup=100),
            Phase(1_500, patch=48, batch=16, loss="l2", rate=3e-5, last_rate=1e-6, autocast=False),
        ),
    ),
    # Planned to 20 minutes on an H200; no GPU has run it yet.
    "gpu": Recipe(
        width=28,
        scale=4,
        ema=0.9995,
        phases=(
            Phase(60_000, patch=48, batch=64, loss="l1", rate=1e-3, last_rate=1e-5, warmup=1000),
            Phase(8_000, patch=64, batch=64, loss="l2", rate=1e-4, last_rate=1e-6),
        ),
    ),
}
