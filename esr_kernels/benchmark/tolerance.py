"""The tolerance rule of every numeric test and benchmark: as exact as torch."""

from __future__ import annotations

import torch
from torch import Tensor


def errors(result: Tensor, exact: Tensor) -> tuple[float, float]:
    """Return the largest and the root mean square distance of ``result`` from float64 ``exact``."""
    difference = (result.double() - exact).abs()
    return difference.max().item(), difference.square().mean().sqrt().item()


def assert_as_good_as_torch(ours: Tensor, plain: Tensor, exact: Tensor, eps: float = 3e-6) -> None:
    """Check that ``ours`` is as near to ``exact`` as plain torch is: ``2 * err(plain) + eps``.

    Args:
        ours: The result under test.
        plain: The same computed by plain torch in the dtype of ``ours``.
        exact: The same computed by plain torch in float64, from the same (rounded) inputs.
        eps: Slack as a share of the largest ``|exact|``; for the root mean square, of its RMS. The
            default is 25 float32 roundings of that value, which Winograd's F(4x4,3x3) needs on wide
            layers and single pixels. A missing term, or one rounded to 16 bits, is far larger.

    Raises:
        AssertionError: The result is less exact, or not finite, or has another shape or dtype.
    """
    assert ours.shape == exact.shape, f"shape {tuple(ours.shape)}, expected {tuple(exact.shape)}"
    assert ours.dtype == plain.dtype, f"dtype {ours.dtype}, expected {plain.dtype}"
    assert exact.dtype == torch.float64, "the exact result must be float64"
    assert ours.isfinite().all(), "the result holds NaN or Inf"
    scales = exact.abs().max().item(), exact.square().mean().sqrt().item()
    kinds = zip(("max", "RMS"), errors(ours, exact), errors(plain, exact), scales, strict=True)
    for kind, error, torchs, scale in kinds:
        limit = 2 * torchs + eps * scale
        assert error <= limit, f"{kind} error {error:.3g} > {limit:.3g} (torch's own {torchs:.3g})"
