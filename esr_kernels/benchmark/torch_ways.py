"""Implementations that need nothing but torch.

Ours, ours once for each backend, eager torch in two memory formats, and ``torch.compile``.
"""

from __future__ import annotations

import copy

import torch

from .. import backends
from .contest import OURS, Factory, Implementation, LeftOut
from .problem import Problem


def ours(problem: Problem, threads: int) -> Implementation:
    """Our op, or our accelerated network."""
    module, inputs = problem.ours(), problem.inputs
    return Implementation(lambda: module(*inputs))


def eager(problem: Problem, threads: int) -> Implementation:
    """Plain torch in its usual form: folded weights, contiguous (NCHW) tensors."""
    module, inputs = problem.module, problem.inputs
    return Implementation(lambda: module(*inputs))


def channels_last(problem: Problem, threads: int) -> Implementation:
    """Plain torch, folded, with pictures and weights in channels_last."""
    module = copy.deepcopy(problem.module)
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inputs = [x.contiguous(memory_format=torch.channels_last) for x in problem.inputs]
    return Implementation(lambda: module(*inputs))


def in_bfloat16(problem: Problem, threads: int) -> Implementation:
    """Plain torch, folded, with everything in bfloat16 and channels_last."""
    module = copy.deepcopy(problem.module).to(torch.bfloat16)
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inputs = [
        x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last) for x in problem.inputs
    ]
    return Implementation(lambda: module(*inputs), lambda result: result.float())


def compiled(problem: Problem, threads: int) -> Implementation:
    """``torch.compile`` for this very size, with weights frozen and packed.

    ``options={"freezing": True}`` freezes nothing in some releases, so the setting itself is
    patched, and the generated code must hold frozen weights. Earlier compilations are discarded, on
    disk too: the code is made for a number of threads, which no guard of torch's checks.
    """
    from torch._inductor import config
    from torch._inductor.utils import fresh_cache, run_and_get_code

    torch._dynamo.reset()
    inputs = problem.inputs
    module = torch.compile(copy.deepcopy(problem.module), dynamic=False)
    with fresh_cache(), config.patch(freezing=True), torch.no_grad():
        _, sources = run_and_get_code(module, *inputs)
    if not any("_frozen_param" in source for source in sources):
        raise LeftOut("torch.compile froze no weights")
    return Implementation(lambda: module(*inputs))


TORCH_WAYS: dict[str, Factory] = {
    OURS: ours,
    "eager": eager,
    "channels_last": channels_last,
    "torch.compile": compiled,
}


def per_backend() -> dict[str, Factory]:
    """Make ours once for each usable backend that ours did not choose.

    A GPU's time includes the copies of picture and result between processor and GPU.
    """
    cpu = torch.device("cpu")
    others = dict.fromkeys(backends.usable(cpu)[1:], cpu)
    if torch.cuda.is_available():
        gpu = torch.device("cuda")
        others = dict.fromkeys(backends.usable(gpu)[:-1], gpu) | others
    return {f"{OURS} ({name})": through(name, device) for name, device in others.items()}


def through(backend: str, device: torch.device) -> Factory:
    """Make ours as the given backend computes it."""

    def make(problem: Problem, threads: int) -> Implementation:
        with backends.only(backend):
            module = problem.ours().to(device)

        def call() -> torch.Tensor:
            with backends.only(backend):
                return module(*(x.to(device) for x in problem.inputs)).cpu()

        return Implementation(call)

    return make
