"""The check of one kernel form, in the emulator and on GPUs."""

from __future__ import annotations

import torch
from tolerance import assert_as_good_as_torch

from esr_kernels.backends.cuda import forms


def assert_right(case: forms.Form, device: torch.device) -> None:
    """The form keeps the tolerance rule, against float64 on the CPU."""
    plain, exactly = forms.expected(case, case.rounding), forms.expected(case)
    for ours, theirs, truth in zip(forms.run(case, device), plain, exactly, strict=True):
        assert_as_good_as_torch(ours.cpu(), theirs.to(ours.dtype), truth)
