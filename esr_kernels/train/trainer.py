"""Training of SPAN: the loop, its state, and the averaged weights."""

import copy
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..challenge.metrics import psnr
from ..models import SPAN
from ..models.reparam import merged_parameters
from ..output.files import write_whole
from .patches import Patches, TrainingPicture, sha256_of
from .recipe import Phase, Recipe

_LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss}


class Trainer:
    """Training of a SPAN by a recipe.

    The state after iteration n depends on recipe and pictures alone. The parameters are those of
    the training form. At every step they are merged into the slim form (differentiably, as part of
    the graph), which runs instead: the same function and gradients at a fraction of the cost.

    Args:
        recipe: The recipe to follow.
        pictures: All pictures, those for validation included.
        device: The device to train on.

    Attributes:
        iteration: The number of steps done.
        time_s: The time they took.
        log: Rows ``(iteration, loss, PSNR in dB)``, one per validation: the mean loss since the
            last one, and the PSNR of the averaged weights on the pictures held out.

    Raises:
        ValueError: The pictures are too few or too small for the recipe.
    """

    def __init__(self, recipe: Recipe, pictures: list[TrainingPicture], device: torch.device):
        self.recipe, self.device = recipe, device
        self.training, self.validation = _split(pictures, recipe.held_out)
        self.data = sha256_of(pictures)
        self._patches = {
            phase: Patches(self.training, phase.patch, phase.batch, recipe.seed)
            for phase in recipe.phases
        }
        self.model = _fresh_model(recipe).to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self._slim = self.average.slim()
        self._trained: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        self._averaged: list[Tensor] = [
            self.average.get_parameter(name)
            for name, p in self.model.named_parameters()
            if p.requires_grad
        ]
        self._adam = torch.optim.Adam(self._trained)
        # Compiling is worthwhile where a step is short and steps are many.
        self._loss = torch.compile(self._plain_loss) if device.type == "cuda" else self._plain_loss
        self.iteration = 0
        self.time_s = 0.0
        self.log: list[tuple[int, float, float]] = []
        self._loss_sum = torch.zeros((), dtype=torch.float64)

    def run(self, save_to: Path, on_step: Callable[[], None], until: int | None = None) -> None:
        """Train from the current state to the end of the recipe, or to iteration ``until``.

        The network is validated and the state saved every ``recipe.every`` iterations and at the
        end.

        Args:
            save_to: The file of the state.
            on_step: Called after every iteration.
            until: The iteration to stop at; None is the end of the recipe.
        """
        last = self.recipe.iterations if until is None else min(until, self.recipe.iterations)
        began_s = time.monotonic() - self.time_s
        while self.iteration < last:
            self._step(*self.recipe.at(self.iteration))
            if self.iteration % self.recipe.every == 0 or self.iteration == self.recipe.iterations:
                self._validate()
                self.time_s = time.monotonic() - began_s
                self.save(save_to)
            on_step()
        self.time_s = time.monotonic() - began_s
        self.save(save_to)

    def _step(self, phase: Phase, step: int) -> None:
        for group in self._adam.param_groups:
            group["lr"] = phase.rate_at(step)
        low, high = (
            side.to(self.device, memory_format=torch.channels_last)
            for side in self._patches[phase].batch(self.iteration)
        )
        loss = self._loss(low, high, phase)
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        # One batch in ten thousand has a gradient so large that training would diverge.
        nn.utils.clip_grad_norm_(self._trained, self.recipe.clip, error_if_nonfinite=True)
        self._adam.step()
        # At first the average spans the steps so far only, so that it forgets the random start.
        kept = min(self.recipe.ema, (1 + self.iteration) / (10 + self.iteration))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._trained, 1 - kept)
        self._loss_sum += loss.detach().double().cpu()
        self.iteration += 1

    def _plain_loss(self, low: Tensor, high: Tensor, phase: Phase) -> Tensor:
        merged = merged_parameters(self.model)
        fast = phase.autocast and _has_fast_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast):
            result = functional_call(self._slim, merged, (low,))
        return _LOSSES[phase.loss](result.float(), high)

    def _validate(self) -> None:
        slim = self.slim()
        values = [psnr(upscaled(slim, p.low), _picture(p.high)) for p in self.validation]
        since = self.iteration - (self.log[-1][0] if self.log else 0)
        mean_db = sum(values) / len(values)
        self.log.append((self.iteration, self._loss_sum.item() / since, mean_db))
        self._loss_sum.zero_()

    def slim(self) -> SPAN:
        """Return the averaged weights, merged: a network in evaluation mode without gradients."""
        return self.average.slim().eval().requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write the state to ``path``, complete or not at all."""
        state = {
            "recipe": self.recipe.as_dict(),
            "data": self.data,
            "iteration": self.iteration,
            "time_s": self.time_s,
            "log": [list(row) for row in self.log],
            "loss_sum": self._loss_sum,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "adam": self._adam.state_dict(),
        }
        content = io.BytesIO()
        torch.save(state, content)
        write_whole(path, content.getvalue())

    def resume(self, path: Path) -> None:
        """Load the state that ``save`` wrote. Training then continues as if it had not stopped.

        Raises:
            ValueError: The state is of another recipe or of other pictures.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.as_dict():
            raise ValueError(f"{path} was written by another recipe: choose another output folder")
        if state["data"] != self.data:
            raise ValueError(f"{path} was trained on other pictures: choose another output folder")
        self.iteration = state["iteration"]
        self.time_s = state["time_s"]
        self.log = [tuple(row) for row in state["log"]]
        self._loss_sum = state["loss_sum"].cpu()
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._adam.load_state_dict(state["adam"])


def _fresh_model(recipe: Recipe) -> SPAN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = SPAN(recipe.width, scale=recipe.scale, training_form=True)
    # The network multiplies pictures by 255 and ends in [0, 1]: without this its first results are
    # some hundred times too large, and it takes a thousand steps until they are pictures.
    with torch.no_grad():
        model.upsampler[0].weight.mul_(0.1)  # type: ignore[operator]
    return model


def upscaled(model: nn.Module, low: Tensor) -> np.ndarray:
    """Upscale a picture, uint8 ``[3, h, w]``, with ``model``.

    Returns:
        The picture, uint8 ``[scale*h, scale*w, 3]``.
    """
    device = next(model.parameters()).device
    with torch.no_grad():
        result = model(low[None].to(device).float() / 255)[0]
    return _picture((result.clamp(0, 1) * 255).round().byte().cpu())


def _picture(planes: Tensor) -> np.ndarray:
    return planes.permute(1, 2, 0).numpy()


def _split(
    pictures: list[TrainingPicture], held_out: int
) -> tuple[list[TrainingPicture], list[TrainingPicture]]:
    """Split into training and validation pictures; the latter are evenly spread over the names."""
    if len(pictures) <= held_out:
        raise ValueError(
            f"{held_out} pictures are held out for validation: give more pictures than that"
        )
    chosen = {i * len(pictures) // held_out for i in range(held_out)}
    training = [picture for i, picture in enumerate(pictures) if i not in chosen]
    return training, [pictures[i] for i in sorted(chosen)]


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type != "cpu":
        return True
    # Elsewhere a CPU converts back and forth, which is slower than float32. Old torch cannot tell.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
