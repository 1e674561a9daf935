"""The learning curve as a picture."""

from collections.abc import Sequence
from pathlib import Path


def plot(log: Sequence[tuple[int, float, float]], path: Path) -> None:
    """Draw loss (logarithmic, left) and validation PSNR (right) over iterations into ``path``.

    ``log``: rows ``(iteration, loss, PSNR in dB)``. Losses of phases with another loss function
    differ in scale. Raises ``ValueError`` when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError("a curve needs matplotlib: pip install matplotlib") from error
    iterations, losses, psnr_db = zip(*log, strict=True)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.add_subplot(xlabel="iteration", ylabel="training loss", yscale="log")
    left.plot(iterations, losses, color="0.6", label="training loss")
    right = left.twinx()
    right.set_ylabel("PSNR of the averaged weights on held-out pictures, dB")
    right.plot(iterations, psnr_db, color="tab:blue", label="PSNR")
    left.legend(handles=[*left.lines, *right.lines], loc="lower center")
    figure.savefig(path, dpi=110)
