"""The facade, and tensors in and out of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from images import image

import esr_kernels
from esr_kernels import functional

PROJECT = Path(__file__).resolve().parents[1]
PUBLIC = [name for name in esr_kernels.__all__ if name != "__version__"]
MODULES = {"challenge", "ops"}


def python(code: str) -> str:
    """Run code in a fresh interpreter and return its output."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True
    ).stdout


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names(name):
    value = getattr(esr_kernels, name)
    assert value.__doc__
    assert callable(value) or name in MODULES
    assert name in dir(esr_kernels)


def test_a_function_stays_a_function():
    """No submodule may take the name of a public function when it is imported."""
    code = "import esr_kernels, esr_kernels.cli, esr_kernels.pictures.upscale, esr_kernels.system\n"
    code += "print(all(callable(getattr(esr_kernels, n)) for n in ('upscale', 'info', 'load')))"
    assert python(code) == "True\n"
    assert not {p.stem for p in (PROJECT / "esr_kernels").iterdir()} & {*PUBLIC} - MODULES


def test_unknown_names():
    with pytest.raises(AttributeError, match="esr_kernels attribute nonsense"):
        esr_kernels.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        from esr_kernels import nonsense  # noqa: F401


def test_version_is_said_once():
    text = (PROJECT / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.*)"', text, re.M).group(1) == esr_kernels.__version__


def test_import_is_light():
    code = (
        "import sys, time, torch\nbefore, began = set(sys.modules), time.perf_counter()\n"
        "import esr_kernels\ntook_ms = 1000 * (time.perf_counter() - began)\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(took_ms < 50, sorted(new), 'esr_kernels.functional' in sys.modules)"
    )
    assert python(code) == "True ['esr_kernels', 'lazy_loader'] False\n"


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        ([[1]], TypeError, r"takes a torch tensor .*not list.*upscale\(src, dst\)"),
        (torch.rand(8, 8), ValueError, r"2 dimensions: \[8, 8\]"),
        (torch.rand(3, 8, 8), ValueError, r"x\[None\]"),
        (torch.rand(1, 1, 8, 8), ValueError, r"3 channels .*expand"),
        (torch.rand(1, 4, 8, 8), ValueError, "drop alpha"),
        (torch.rand(1, 8, 8, 3), ValueError, r"permute\(0, 3, 1, 2\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "divide by 255"),
        (torch.rand(0, 3, 8, 8), ValueError, "empty"),
        (torch.rand(1, 3, 0, 8), ValueError, "empty"),
    ],
)
@pytest.mark.parametrize("call", [esr_kernels.span, esr_kernels.rlfn])
def test_bad_batches(call, x, error, words):
    with pytest.raises(error, match=words) as caught:
        call(x)
    assert "CUDA" not in str(caught.value) and "allocate" not in str(caught.value)


def test_bad_weights(tmp_path):
    x = image(1, 3, 8, 8)
    with pytest.raises(FileNotFoundError, match="no weights file"):
        esr_kernels.span(x, weights=tmp_path / "absent.pth")
    with pytest.raises(TypeError, match="see load"):
        esr_kernels.span(x, weights={"a": x})
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"text\.pth"):
        esr_kernels.span(x, weights=tmp_path / "text.pth")


@pytest.mark.reference
class TestRealNetworks:
    @pytest.fixture(autouse=True)
    def need_weights(self, reference_dir):
        self.weights = reference_dir / "reference/weights"

    @pytest.mark.parametrize("name", ["span", "rlfn"])
    @pytest.mark.parametrize("shape", [(1, 3, 33, 31), (2, 3, 17, 40)])
    def test_as_plain_torch(self, name, shape, tolerance):
        x = image(*shape)
        plain = esr_kernels.models.load(name)
        with torch.no_grad():
            torchs, exact = plain(x), plain.double()(x.double())
        tolerance(getattr(esr_kernels, name)(x), torchs, exact)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_is_kept(self, dtype):
        x = image(1, 3, 16, 15).to(dtype)
        y = esr_kernels.span(x)
        assert y.dtype == dtype and y.shape == (1, 3, 64, 60)
        step = {torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.float64: 1e-5}[dtype]
        exact = esr_kernels.span(x.double())
        assert (y.double() - exact).abs().max() <= step * exact.abs().max()

    def test_smallest_and_strided(self):
        x = image(2, 6, 9, 14)
        assert esr_kernels.span(x[:1, :3, :1, :1]).shape == (1, 3, 4, 4)
        strided = x[:, ::2, 1::2, ::3]
        close = torch.allclose(
            esr_kernels.span(strided), esr_kernels.span(strided.contiguous()), atol=1e-5
        )
        assert close

    def test_output_is_fresh_and_ordinary(self):
        x = image(1, 3, 16, 16)
        first = esr_kernels.span(x)
        kept = first.clone()
        second = esr_kernels.span(x * 0.5)
        assert first.data_ptr() != second.data_ptr() and torch.equal(first, kept)
        assert not first.requires_grad and not first.is_inference()
        first.clamp_(0, 1)
        with torch.inference_mode():
            esr_kernels.span(x)
        assert torch.equal(esr_kernels.span(x), kept)

    def test_model_is_kept_until_the_weights_change(self, tmp_path, monkeypatch):
        loads = []
        load = functional.load
        monkeypatch.setattr(
            functional, "load", lambda *a, **k: loads.append(k["weights"]) or load(*a, **k)
        )
        monkeypatch.setattr(functional, "_cache", {})
        x, path = image(1, 3, 8, 8), tmp_path / "w.pth"
        official = self.weights / "team38_span_ch28_slim.pth"
        path.write_bytes(official.read_bytes())
        first = esr_kernels.span(x, weights=path)
        esr_kernels.span(x, weights=str(path))
        assert len(loads) == 1
        path.write_bytes((self.weights / "team39_spantiny_ch26_slim.pth").read_bytes())
        second = esr_kernels.span(x, weights=path)
        assert len(loads) == 2 and not torch.equal(first, second)

    def test_another_network_is_refused(self):
        with pytest.raises(ValueError, match="rlfn"):
            esr_kernels.span(image(1, 3, 8, 8), weights=self.weights / "team00_rlfn.pth")

    def test_load(self):
        model = esr_kernels.load(self.weights / "team39_spantiny_ch26_slim.pth")
        assert (model.name, model.scale, model.in_channels) == ("span", 4, 3)
        assert not model.training
        assert model(image(1, 3, 7, 9)).shape == (1, 3, 28, 36)
