"""Pictures through the real networks: seams, precision, memory. Needs their weights."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import esr_kernels
from esr_kernels.pictures import upscale


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(float) - b).mean()
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.reference
class TestRealNetworks:
    @pytest.fixture(autouse=True)
    def need_weights(self, reference_dir):
        self.picture = reference_dir / "data/Set5/LRx4/img_003.png"

    def run(self, out, **arguments) -> np.ndarray:
        self.result = upscale.upscale(self.picture, out, overwrite=True, **arguments)
        return np.asarray(Pillow.open(out))

    def test_span_tiled_is_whole(self, tmp_path):
        whole = self.run(tmp_path / "out.png", tile=0)
        tiled = self.run(tmp_path / "out.png", tile=32)
        # Sums in another order may round the odd value to the other side of a half.
        assert abs(whole.astype(int) - tiled).max() <= 1 and psnr_db(whole, tiled) > 75
        assert self.result.notes == ()

    def test_span_is_plain_torch(self, tmp_path):
        plain = esr_kernels.models.load("span")
        ours, theirs = self.run(tmp_path / "a.png"), self.run(tmp_path / "b.png", model=plain)
        assert psnr_db(ours, theirs) >= 60

    def test_rlfn_says_that_it_blends(self, tmp_path):
        whole = self.run(tmp_path / "out.png", model="rlfn", tile=0)
        assert self.result.notes == ()
        tiled = self.run(tmp_path / "out.png", model="rlfn", tile=40)
        assert "rlfn sees the whole" in self.result.notes[0]
        assert psnr_db(whole, tiled) > 30

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_reduced_precision(self, tmp_path, dtype):
        exact = self.run(tmp_path / "a.png")
        ours = psnr_db(self.run(tmp_path / "b.png", dtype=dtype), exact)
        plain = esr_kernels.models.load("span", dtype=getattr(torch, dtype))
        torchs = psnr_db(self.run(tmp_path / "c.png", model=plain), exact)
        # 48 dB, unless this network does not reach it with every value rounded to bfloat16.
        assert ours >= min(48, torchs - 0.5)

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux tells it")
    @pytest.mark.parametrize("name", ["span", "rlfn"])
    def test_memory_of_a_1080p_picture(self, tmp_path, name):
        Pillow.open(self.picture).resize((1920, 1080)).save(tmp_path / "in.png")
        code = (
            "import resource, sys, torch\n"
            "peak_kib = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "before = peak_kib()\nimport esr_kernels\n"
            "esr_kernels.upscale(sys.argv[1], sys.argv[2], model=sys.argv[3], device='cpu')\n"
            "print((peak_kib() - before) // 1024)"
        )
        arguments = [tmp_path / "in.png", tmp_path / "out.png", name]
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) < 1536
        assert Pillow.open(tmp_path / "out.png").size == (7680, 4320)

    def test_a_copy_of_the_model_gives_the_same(self, tmp_path):
        model = esr_kernels.load("span")
        first = self.run(tmp_path / "a.png", model=model)
        assert np.array_equal(first, self.run(tmp_path / "b.png", model=copy.deepcopy(model)))
