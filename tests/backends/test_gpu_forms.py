"""Every form of the CUDA kernels on a GPU, by itself: estimates leave most out of other tests."""

from __future__ import annotations

import pytest
import torch
from gpu_device import DEVICE, NEEDS_DEVICE, NEEDS_GPU, only_backend

from esr_kernels.backends import cuda
from esr_kernels.ops import OPS

pytestmark = [*NEEDS_DEVICE, NEEDS_GPU]


def _cases() -> dict:
    if not cuda._is_built():
        return {}
    from esr_kernels.backends.cuda import forms

    return {case.name: case for case in forms.forms(OPS)}


CASES = _cases()


@pytest.mark.parametrize("name", CASES or ["none is built"])
def test_form(name, monkeypatch):
    only_backend("cuda", monkeypatch)
    from form_check import assert_right

    from esr_kernels.backends.cuda import forms

    if reason := forms.unfit(CASES[name], torch.device(DEVICE)):
        pytest.skip(reason)
    assert_right(CASES[name], torch.device(DEVICE))
