"""Several networks over whole sets of pictures, as the challenge's test script does it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from ..output.progress import bar
from .contestant import Contestant, enter
from .counting import complexity
from .dataset import Pair, find_pairs
from .protocol import Protocol, run_pair
from .results import Evaluation, read_results, write_results


def evaluate(
    models: Sequence,
    data,
    *,
    splits: Sequence[str] = (),
    output=None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    plain: bool = False,
    repeat: int = 5,
    ssim: bool = False,
    luma: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> list[Evaluation]:
    """PSNR, runtime, memory and counts of networks that enlarge four times.

    ``models``: each a name of ``list_models()``, a checkpoint, ``module:Class``, ``file.py:Class``
    or a module, as ``enter`` takes them; ``device``, ``dtype`` and ``plain`` too. ``data`` and
    ``splits``: as in ``find_pairs``. The networks take turns on every picture. PSNR is that of
    8-bit RGB with a border of 4 pixels left out; ``ssim`` and ``luma`` add SSIM and the PSNR of the
    luma. A picture's first call is timed as the challenge does, without warm-up, and ``repeat``
    more follow.

    ``output``: a folder for ``results.json`` and ``results.txt``, written after every picture.
    What stands there already is not computed again, unless ``overwrite``; other networks in it are
    kept.

    Raises ``FileNotFoundError``, ``ValueError`` or ``TypeError`` for models and pictures that are
    not right, ``ValueError`` for results in ``output`` that were made with other settings,
    ``RuntimeError`` where a network fails. Finished pictures stay in ``output``.

    Source: NTIRE 2024 efficient SR challenge report, section 2.3, "Evaluation protocol".
    """
    if repeat < 0:
        raise ValueError(f"repeat is the number of further calls, not {repeat}")
    pairs = find_pairs(data, splits)
    contestants = [enter(model, device=device, dtype=dtype, plain=plain) for model in models]
    _check_names(contestants)
    folder = Path(output) if output is not None else None
    kept = _kept(folder)
    settings = _settings(data, str(device), dtype, plain)
    protocol = Protocol(repeat=repeat, ssim=ssim, luma=luma)
    evaluations = {}
    for contestant in contestants:
        found = None if overwrite else kept.get(contestant.name)
        own = settings | vars(protocol) | {"weights": contestant.weights}
        evaluations[contestant.name] = _begun(contestant, found, own, pairs, folder)
    total = sum(map(len, pairs.values()))
    with bar(progress, total, "pictures") as on_picture:
        for split, of_split in pairs.items():
            for pair in of_split:
                if _add(contestants, evaluations, split, pair, protocol) and folder:
                    write_results(folder, (kept | evaluations).values())
                on_picture()
    if folder:
        write_results(folder, (kept | evaluations).values())
    return list(evaluations.values())


def _add(contestants, evaluations, split: str, pair: Pair, protocol: Protocol) -> bool:
    """Run those who have not done this picture yet, and say whether there were any."""
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
    contestant: Contestant, kept: Evaluation | None, settings: dict, pairs: dict, folder
) -> Evaluation:
    """A new evaluation with its counts, or the kept one with what belongs to these pictures."""
    if kept is not None:
        _check_settings(kept, settings, folder)
        begun = Evaluation(kept.model, settings, kept.complexity, kept.note)
    else:
        begun = Evaluation(contestant.name, settings)
    if begun.complexity is None:
        try:
            begun.complexity, begun.note = complexity(contestant.counted), ""
        except ValueError as error:  # PSNR and runtime can be had all the same
            begun.note = f"not counted: {error}"
    for split, wanted in pairs.items():
        names = {pair.name for pair in wanted}
        done = kept.pictures.get(split, []) if kept is not None else []
        begun.pictures[split] = [result for result in done if result.name in names]
    return begun


def _check_names(contestants: Sequence[Contestant]) -> None:
    twice = [name for name, n in Counter(c.name for c in contestants).items() if n > 1]
    if twice:
        raise ValueError(f"two models are called {twice[0]!r} and would share one result")


def _check_settings(kept: Evaluation, settings: dict, folder: Path) -> None:
    different = [
        f"{key} {kept.settings.get(key)!r} instead of {value!r}"
        for key, value in settings.items()
        if kept.settings.get(key) != value
    ]
    if different:
        raise ValueError(
            f"{folder / 'results.json'} holds {kept.model} with {', '.join(different)}: "
            "write to another folder, or overwrite it on purpose"
        )


def _kept(folder: Path | None) -> dict[str, Evaluation]:
    if folder is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    return read_results(path) if path.exists() else {}


def _settings(data, device: str, dtype: torch.dtype, plain: bool) -> dict:
    """What changes a result, and so must not differ within one."""
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    return {
        "data": str(Path(data).resolve()),
        "device": f"{device} ({gpu})" if gpu else device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "dtype": str(dtype).removeprefix("torch."),
        "plain": plain,
        "backend": os.environ.get("ESR_KERNELS_BACKEND", ""),
    }
