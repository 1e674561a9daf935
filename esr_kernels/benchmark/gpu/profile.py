"""One picture for a profiler around this process: ``python -m esr_kernels.benchmark.gpu.profile``.

Runs SPAN-28 in float16, warm, in an NVTX range called ``picture``.
"""

from __future__ import annotations

import argparse

import torch

from .contest import DEVICE, HALF, inputs_of, network


def main() -> None:
    """Run the picture of ``--size H W``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("H", "W"))
    case = network("span", *parser.parse_args().size)
    with torch.inference_mode():
        module, inputs = case.ours().to(DEVICE, HALF), inputs_of(case, HALF)
        for _ in range(3):  # packs, fills the allocator
            module(*inputs)
        torch.cuda.synchronize()
        with torch.cuda.nvtx.range("picture"):
            module(*inputs)
            torch.cuda.synchronize()


if __name__ == "__main__":
    main()
