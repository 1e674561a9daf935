"""Evaluation of several networks over sets of pictures, as the challenge's test script does it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import nn

from .. import backends
from ..output.progress import bar
from .contestant import Contestant, enter
from .counting import complexity
from .dataset import Pair, find_pairs
from .protocol import Protocol, run_pair
from .results import Evaluation, read_results, write_results

Pairs = Mapping[str, Sequence[Pair]]  # by split


def evaluate(
    models: Sequence[str | os.PathLike | nn.Module],
    data: str | os.PathLike,
    *,
    splits: Sequence[str] = (),
    output: str | os.PathLike | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    backend: str | None = None,
    plain: bool = False,
    repeat: int = 5,
    ssim: bool = False,
    luma: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> list[Evaluation]:
    """Measure PSNR, runtime, memory and counts of networks that upscale four times.

    The networks take turns on every picture. PSNR is that of 8-bit RGB with a border of 4 pixels
    left out. The first call on a picture is timed as the challenge does, without warm-up.

    Args:
        models: For each network a name of ``list_models()``, a checkpoint, ``module:Class``,
            ``file.py:Class`` or a module, as ``enter`` takes them.
        data: The folder of pictures, as in ``find_pairs``.
        splits: The splits to use, as in ``find_pairs``.
        output: A folder for ``results.json`` and ``results.txt``, written after every picture.
            Results that are there already are not computed again, and those of other networks are
            kept.
        device, dtype, plain: As in ``enter``.
        backend: The only backend to use, beside plain torch; None leaves the choice open.
        repeat: The number of timed calls after the first one.
        ssim, luma: Measure SSIM, and the PSNR of the luma, too.
        overwrite: Compute results again that are in ``output`` already.
        progress: Draw a progress bar if stderr is a terminal.

    Raises:
        FileNotFoundError: A model, folder or picture is missing.
        TypeError: A model is not of a supported type.
        ValueError: A model or picture is not valid, the backend is unknown, or ``output`` holds
            results that were made with other settings.
        RuntimeError: A network fails. Finished pictures stay in ``output``.

    Source: NTIRE 2024 efficient SR challenge report, section 2.3, "Evaluation protocol".
    """
    protocol, pairs = Protocol(repeat=repeat, ssim=ssim, luma=luma), find_pairs(data, splits)
    folder = Path(output) if output is not None else None
    with _limited_to(backend):
        contestants = [enter(model, device=device, dtype=dtype, plain=plain) for model in models]
        _check_names(contestants)
        kept = _kept(folder)
        settings = _settings(data, str(device), dtype, plain, backend) | vars(protocol)
        found = {} if overwrite else kept
        evaluations = {
            c.name: _begun(c, found.get(c.name), settings | {"weights": c.weights}, pairs, folder)
            for c in contestants
        }
        save = partial(_save, folder, kept, evaluations)
        _run(contestants, evaluations, pairs, protocol, save, progress)
    return list(evaluations.values())


def _run(
    contestants: Sequence[Contestant],
    evaluations: Mapping[str, Evaluation],
    pairs: Pairs,
    protocol: Protocol,
    save: Callable[[], None],
    progress: bool,
) -> None:
    """Add the missing pictures to ``evaluations``, and save after each."""
    with bar(progress, sum(map(len, pairs.values())), "pictures") as on_picture:
        for split, of_split in pairs.items():
            for pair in of_split:
                if _add(contestants, evaluations, split, pair, protocol):
                    save()
                on_picture()
    save()


def _save(
    folder: Path | None, kept: dict[str, Evaluation], evaluations: dict[str, Evaluation]
) -> None:
    if folder:
        write_results(folder, (kept | evaluations).values())


def _add(
    contestants: Sequence[Contestant],
    evaluations: Mapping[str, Evaluation],
    split: str,
    pair: Pair,
    protocol: Protocol,
) -> bool:
    """Run the contestants that have no result for this picture; return False if all have one."""
    todo = [
        contestant
        for contestant in contestants
        if all(pair.name != done.name for done in evaluations[contestant.name].pictures[split])
    ]
    if todo:
        for contestant, result in zip(todo, run_pair(todo, pair, protocol), strict=True):
            evaluations[contestant.name].pictures[split].append(result)
    return bool(todo)


def _begun(
    contestant: Contestant,
    kept: Evaluation | None,
    settings: dict[str, object],
    pairs: Pairs,
    folder: Path | None,
) -> Evaluation:
    """Make a new evaluation with its counts, or reuse the kept results of these pictures."""
    if kept is not None:
        _check_settings(kept, settings, folder)
        begun = Evaluation(kept.model, settings, kept.complexity, kept.note)
    else:
        begun = Evaluation(contestant.name, settings)
    if begun.complexity is None:
        try:
            begun.complexity, begun.note = complexity(contestant.counted), ""
        except ValueError as error:  # PSNR and runtime do not need the counts
            begun.note = f"not counted: {error}"
    for split, wanted in pairs.items():
        names = {pair.name for pair in wanted}
        done = kept.pictures.get(split, []) if kept is not None else []
        begun.pictures[split] = [result for result in done if result.name in names]
    return begun


def _limited_to(backend: str | None) -> AbstractContextManager[None]:
    """Return the context in which only ``backend`` computes; None limits nothing."""
    if backend is None:
        return nullcontext()
    known = [name for name, _, _ in backends.describe()]
    if backend not in known:
        raise ValueError(f"{backend!r} is not a backend: use one of {', '.join(known)}")
    return backends.only(backend)


def _check_names(contestants: Sequence[Contestant]) -> None:
    twice = [name for name, n in Counter(c.name for c in contestants).items() if n > 1]
    if twice:
        raise ValueError(f"two models are called {twice[0]!r} and would share one result")


def _check_settings(kept: Evaluation, settings: dict[str, object], folder: Path | None) -> None:
    different = [
        f"{key} {kept.settings.get(key)!r} instead of {value!r}"
        for key, value in settings.items()
        if kept.settings.get(key) != value
    ]
    if different:
        raise ValueError(
            f"{folder}/results.json holds {kept.model} with {', '.join(different)}: "
            "write to another folder, or pass overwrite=True (--overwrite)"
        )


def _kept(folder: Path | None) -> dict[str, Evaluation]:
    if folder is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    return read_results(path) if path.exists() else {}


def _settings(
    data: str | os.PathLike, device: str, dtype: torch.dtype, plain: bool, backend: str | None
) -> dict[str, object]:
    """Return the settings that change a result: they must be the same within one evaluation."""
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    return {
        "data": str(Path(data).resolve()),
        "device": f"{device} ({gpu})" if gpu else device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "dtype": str(dtype).removeprefix("torch."),
        "plain": plain,
        "backend": backend or os.environ.get("ESR_KERNELS_BACKEND", ""),
    }
