"""Every form of the CUDA kernels in the emulator: all are reached, and all are right."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")

from emulated_gpu import emulate_gpu, emulator
from form_check import assert_right

from esr_kernels.backends.cuda import forms
from esr_kernels.ops import OPS

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    """A GPU that every form fits."""
    emulate_gpu(monkeypatch, "sm_90")
    with torch.no_grad():
        yield


def test_every_form_is_launched():
    launched = {name for case in forms.forms(OPS) for name in forms.launched(case, CPU)}
    assert launched == set(emulator().cuda.forms())


def test_a_case_launches_the_form_of_its_name():
    cases = forms.forms(OPS)
    for case in cases:
        assert forms.unfit(case, CPU) is None
    assert len({case.name for case in cases}) == len(cases)


def test_every_form_is_right():
    for case in forms.forms(OPS):
        assert_right(case, CPU)


@pytest.mark.parametrize("name", ["conv_act f8 3x3 2 tiles slabs", "new"])
def test_a_form_without_a_case_is_named(monkeypatch, name):
    monkeypatch.setattr(forms._C.cuda, "forms", lambda: ["pack f16", name])
    with pytest.raises(ValueError, match=f"no case launches '{name}'"):
        forms.forms(OPS)


def test_what_does_not_fit_says_why(monkeypatch):
    emulate_gpu(monkeypatch, "sm_86")
    unfit = {case.name: forms.unfit(case, CPU) for case in forms.forms(OPS)}
    assert unfit["pack f16"] is None and unfit["spab f16 2 slabs 2 rows 2 patches"] is None
    reason = unfit["spab f16 3 slabs 2 rows 3 patches"]
    assert "no kernel computes a spab of 44 channels" in reason
    # Where the widest form does not fit, a narrower one would be launched in its place.
    case = next(c for c in forms.forms(OPS) if c.name == "spab f16 2 slabs 4 rows 4 patches")
    assert "99 KiB" in unfit[case.name] and "2 rows 2 patches" in unfit[case.name]
    with pytest.raises(ValueError, match="launched in its place"):
        forms.run(case, CPU)
