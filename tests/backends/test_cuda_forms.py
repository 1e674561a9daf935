"""Every form of the CUDA kernels in the emulator: all are reached, and all are right."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")

from emulated_gpu import LIMITS, emulate_gpu, emulator
from test_gpu_ops import REFERENCES
from tolerance import assert_as_good_as_torch
from torch.utils._pytree import tree_map

from esr_kernels.backends.cuda import forms

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    emulate_gpu(monkeypatch, "sm_90")
    with torch.no_grad():
        yield


def test_every_form_is_launched():
    launched = {name for case in forms.forms() for name in forms.launched(case, CPU)}
    assert launched == set(emulator().cuda.forms())


def test_a_case_launches_the_form_of_its_name():
    for case in forms.forms():
        assert case.name.split(",")[0] in forms.launched(case, CPU)
    names = [case.name for case in forms.forms()]
    assert len(set(names)) == len(names)


def _cast(args: tuple, dtype: torch.dtype) -> tuple:
    return tree_map(lambda a: a.to(dtype) if isinstance(a, torch.Tensor) else a, args)


def test_every_form_is_right():
    for case in forms.forms():
        args = _cast(case.args, case.dtype)
        plain = forms.expected(case, REFERENCES, _cast(args, case.rounding))
        exactly = forms.expected(case, REFERENCES, _cast(args, torch.float64))
        for ours, theirs, truth in zip(forms.run(case, CPU, args), plain, exactly, strict=True):
            assert_as_good_as_torch(ours, theirs.to(ours.dtype), truth)
