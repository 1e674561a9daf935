"""The learning curve as a figure."""

from collections.abc import Sequence

from ..output.figures import as_file, new_figure


def draw(log: Sequence[tuple[int, float, float]], kind: str) -> bytes:
    """Draw loss (logarithmic, left) and validation PSNR (right) over the iterations.

    Losses of phases with different loss functions differ in scale.

    Args:
        log: Rows ``(iteration, loss, PSNR in dB)``.
        kind: "png" or "svg".

    Returns:
        The content of the file.

    Raises:
        ValueError: matplotlib is not installed.
    """
    iterations, losses, psnr_db = zip(*log, strict=True)
    figure = new_figure(8, 4.5)
    left = figure.add_subplot(xlabel="iteration", ylabel="training loss", yscale="log")
    left.plot(iterations, losses, color="0.6", label="training loss")
    right = left.twinx()
    right.set_ylabel("PSNR of the averaged weights on held-out pictures, dB")
    right.plot(iterations, psnr_db, color="tab:blue", label="PSNR")
    left.legend(handles=[*left.lines, *right.lines], loc="lower center")
    return as_file(figure, kind)
