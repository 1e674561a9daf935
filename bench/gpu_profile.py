"""What one picture costs on a GPU, kernel by kernel.

    python -m bench.gpu_profile --backend cuda

runs SPAN-28 in float16 and prints torch's profile of it. ``--once`` runs it without, in an NVTX
range called ``picture``, for a profiler around this process.
"""

from __future__ import annotations

import argparse

import torch

from esr_kernels import backends

from .gpu import HALF, inputs_of
from .networks import NETWORKS, problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("cuda", "triton"), default="cuda")
    parser.add_argument("--network", choices=NETWORKS, default="SPAN-28")
    parser.add_argument("--size", type=int, nargs=2, default=(339, 510), metavar=("H", "W"))
    parser.add_argument("--once", action="store_true", help="one picture, no profile of our own")
    arguments = parser.parse_args()
    with backends.only(arguments.backend), torch.inference_mode():
        for _, reason in backends.choose("conv_act", torch.device("cuda", 0), HALF).refusals:
            parser.error(f"{arguments.backend} does not run here: {reason}")
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    case = problem(arguments.network, *arguments.size)
    module, inputs = case.ours().to("cuda", HALF), inputs_of(case, HALF)
    for _ in range(3):  # packs, compiles, fills the allocator
        module(*inputs)
    torch.cuda.synchronize()
    if arguments.once:
        with torch.cuda.nvtx.range("picture"):
            module(*inputs)
            torch.cuda.synchronize()
        return
    activities = torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(10):
            module(*inputs)
        torch.cuda.synchronize()
    print(f"{arguments.backend}: {case.name}, 10 times")
    print(profile.key_averages().table(sort_by="cuda_time_total", row_limit=30))


if __name__ == "__main__":
    main()
