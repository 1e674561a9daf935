"""The challenge itself: evaluate networks as its test script does, score and rank them.

    evaluations = challenge.evaluate(["rlfn", "my_net.py:Net"], "data", splits=["valid"])
    board = challenge.leaderboard(challenge.read_entrants(["results.json"]))

The metrics and counts behind both can be had by themselves: ``psnr``, ``psnr_y``, ``ssim``,
``modcrop``, ``complexity``, ``score``. Each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .counting import Complexity, complexity
    from .dataset import Pair, find_pairs, read_pair
    from .evaluation import evaluate
    from .metrics import modcrop, psnr, psnr_y, ssim
    from .presenting import as_csv, as_markdown, as_text, save
    from .ranking import Entrant, Leaderboard, leaderboard, paper, paper_baseline, read_entrants
    from .results import Evaluation, PictureResult, full_table, official_table
    from .scoring import Costs, Scores, qualifies, ranks, score

# Name -> the module that defines it, named apart from the functions as in the package.
_HOME = {
    "Complexity": "counting",
    "Costs": "scoring",
    "Entrant": "ranking",
    "Evaluation": "results",
    "Leaderboard": "ranking",
    "Pair": "dataset",
    "PictureResult": "results",
    "Scores": "scoring",
    "as_csv": "presenting",
    "as_markdown": "presenting",
    "as_text": "presenting",
    "complexity": "counting",
    "evaluate": "evaluation",
    "find_pairs": "dataset",
    "full_table": "results",
    "leaderboard": "ranking",
    "modcrop": "metrics",
    "official_table": "results",
    "paper": "ranking",
    "paper_baseline": "ranking",
    "psnr": "metrics",
    "psnr_y": "metrics",
    "qualifies": "scoring",
    "ranks": "scoring",
    "read_entrants": "ranking",
    "read_pair": "dataset",
    "save": "presenting",
    "score": "scoring",
    "ssim": "metrics",
}

__all__ = [
    "Complexity",
    "Costs",
    "Entrant",
    "Evaluation",
    "Leaderboard",
    "Pair",
    "PictureResult",
    "Scores",
    "as_csv",
    "as_markdown",
    "as_text",
    "complexity",
    "evaluate",
    "find_pairs",
    "full_table",
    "leaderboard",
    "modcrop",
    "official_table",
    "paper",
    "paper_baseline",
    "psnr",
    "psnr_y",
    "qualifies",
    "ranks",
    "read_entrants",
    "read_pair",
    "save",
    "score",
    "ssim",
]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'esr_kernels.challenge' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
