from .counting import Complexity, complexity
from .dataset import Pair, find_pairs, read_pair
from .evaluation import evaluate
from .metrics import modcrop, psnr, psnr_y, ssim
from .presenting import as_csv, as_markdown, as_text, save
from .ranking import Entrant, Leaderboard, leaderboard, paper, paper_baseline, read_entrants
from .results import Evaluation, PictureResult, full_table, official_table
from .scoring import Costs, Scores, qualifies, ranks, score

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
