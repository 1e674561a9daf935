"""One pair of pictures and several networks: quality and time, in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import torch

from .contestant import Contestant
from .dataset import Pair, read_pair
from .metrics import psnr, psnr_y, ssim
from .results import PictureResult
from .timing import PeakMemory, timed


@dataclass(frozen=True)
class Protocol:
    """What is measured. ``repeat``: timed calls after the first one. ``ssim``, ``luma``: SSIM and
    PSNR of the luma too. ``border_px``: left out on each side of a large picture."""

    repeat: int = 5
    ssim: bool = False
    luma: bool = False
    border_px: int = 4


@torch.inference_mode()
def run_pair(
    contestants: Sequence[Contestant], pair: Pair, protocol: Protocol
) -> list[PictureResult]:
    """Every contestant on one picture, the results in the same order.

    Each makes one call, timed without warm-up, whose picture is judged; then all take turns, each
    round starting with another. Raises ``ValueError`` for a broken picture, ``RuntimeError`` naming
    the network and the picture where a network fails.
    """
    low, high = read_pair(pair)
    results = []
    for contestant in contestants:
        try:
            results.append(_first_call(contestant, pair.name, low, high, protocol))
        except Exception as error:  # a participant's code raises what it likes
            raise RuntimeError(f"{contestant.name} failed on {pair.low}: {error}") from error
    warm_ms = _in_turns(contestants, low, protocol.repeat)
    return [
        PictureResult(**result, warm_ms=median(times) if times else None)
        for result, times in zip(results, warm_ms, strict=True)
    ]


def _first_call(
    contestant: Contestant, name: str, low: np.ndarray, high: np.ndarray, protocol: Protocol
) -> dict:
    x = contestant.input(low)
    memory = PeakMemory(contestant.device)
    memory.start()
    y, first_ms = timed(lambda: contestant.run(x), contestant.device)
    peak = memory.stop()
    picture = contestant.output(y, low)
    border = protocol.border_px
    return {
        "name": name,
        "psnr": psnr(picture, high, border),
        "first_ms": first_ms,
        "memory_MiB": peak,
        "ssim": ssim(picture, high, border) if protocol.ssim else None,
        "psnr_y": psnr_y(picture, high, border) if protocol.luma else None,
    }


def _in_turns(contestants: Sequence[Contestant], low: np.ndarray, rounds: int) -> list[list[float]]:
    inputs = [contestant.input(low) for contestant in contestants]
    times_ms: list[list[float]] = [[] for _ in contestants]
    for turn in range(rounds):
        for place in range(len(contestants)):
            i = (turn + place) % len(contestants)
            run, x = contestants[i].run, inputs[i]
            times_ms[i].append(timed(partial(run, x), x.device)[1])
    return times_ms
