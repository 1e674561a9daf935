"""Training recipes: phases, each with its patches, loss and learning rates."""

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Phase:
    """A number of steps with the same patches and loss.

    The learning rate rises linearly during ``warmup`` steps to ``rate`` and then falls to
    ``last_rate`` along half a cosine.

    Attributes:
        iterations: The number of steps.
        patch: The side of a patch in low-resolution pixels.
        batch: The number of patches in a step.
        loss: "l1" or "l2".
        rate: The highest learning rate.
        last_rate: The learning rate at the end.
        warmup: The number of steps until ``rate`` is reached.
        autocast: Compute convolutions in bfloat16 where the hardware is faster in it.
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
        """Return the learning rate of step 0, 1, ..., ``iterations - 1``."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.iterations - self.warmup)
        return self.last_rate + (self.rate - self.last_rate) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Recipe:
    """A network, the phases of its training, and the settings that all phases share.

    Attributes:
        width: The number of channels.
        scale: The upscaling factor.
        phases: The phases in their order.
        seed: The seed of initial weights and patches.
        clip: The largest norm of a step's gradient.
        ema: The share of the averaged weights that a step keeps.
        held_out: The number of pictures, evenly spread over the folder, that are kept for
            validation.
        every: The number of steps between validations. The state is saved at each.
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
        """The number of steps of all phases."""
        return sum(phase.iterations for phase in self.phases)

    def at(self, iteration: int) -> tuple[Phase, int]:
        """Return the phase of an iteration, and the number of its step in that phase."""
        for phase in self.phases:
            if iteration < phase.iterations:
                return phase, iteration
            iteration -= phase.iterations
        raise ValueError(f"the recipe has {self.iterations} iterations")

    def as_dict(self) -> dict[str, object]:
        """Return plain numbers and names, as they are kept in a checkpoint."""
        return asdict(self) | {"phases": [asdict(phase) for phase in self.phases]}


# The report's stages for SPAN (section 4.1: L1 on patches of 64 low-resolution pixels, then L2 at
# 128) cut to what the hardware does in the time: small patches first, large ones for the last part.
RECIPES = {
    # Planned for an hour on one core of a processor with bfloat16 tiles (AMX).
    "cpu": Recipe(
        width=28,
        scale=4,
        phases=(
            Phase(16_000, patch=24, batch=16, loss="l1", rate=1e-3, last_rate=1e-4, warmup=500),
            Phase(14_000, patch=40, batch=16, loss="l1", rate=4e-4, last_rate=1e-5, warmup=100),
            Phase(1_500, patch=48, batch=16, loss="l2", rate=3e-5, last_rate=1e-6, autocast=False),
        ),
    ),
    # Planned for 20 minutes on an H200; no GPU has run it yet.
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
