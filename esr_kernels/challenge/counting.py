"""What a network costs, as the challenge counts: parameters, FLOPs, activations, convolutions."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass

import torch
from torch import nn

from .. import fusion


@dataclass(frozen=True)
class Complexity:
    """The challenge's counts for one picture of ``size`` x ``size``.

    ``parameters``: numbers in all parameters, buffers not counted. ``flops``: of fvcore, a
    multiplication with its addition counted once. ``activations``: numbers in the results of all
    ``nn.Conv2d``, as often as each is called; ``convolutions``: those calls.
    """

    parameters: int
    flops: int
    activations: int
    convolutions: int
    size: int = 256


def complexity(model: nn.Module, size: int = 256) -> Complexity:
    """Count what one picture ``[1, 3, size, size]`` costs.

    ``model``: any module that maps such a picture; an accelerated one is counted as it was written.
    It is copied and run once, on its own device and in its own dtype. Raises ``ValueError`` where
    fvcore is missing, or cannot follow the module.

    Source: NTIRE 2024 efficient SR challenge report, section 2.3 (FLOPs at 256 x 256).
    """
    analysis = _fvcore()
    twin = fusion.restore(copy.deepcopy(model)).eval().requires_grad_(False)
    like = next(twin.parameters(), torch.empty(0))
    picture = torch.full((1, 3, size, size), 0.5, device=like.device, dtype=like.dtype)
    outputs: list[int] = []

    def on_convolution(module, arguments, output):
        # While torch records, sizes are tensors.
        outputs.append(math.prod(int(side) for side in output.shape))

    for part in twin.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(on_convolution)
    counter = analysis(twin, picture)
    counter.set_op_handle("aten::scaled_dot_product_attention", _attention_flops)
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is constant in a recording
        try:
            flops = int(counter.total())
        except Exception as error:  # of the module's own code, under torch's recorder
            raise ValueError(
                f"fvcore cannot follow {type(model).__name__} to count its FLOPs: {error}"
            ) from error
    parameters = sum(p.numel() for p in model.parameters())
    return Complexity(parameters, flops, sum(outputs), len(outputs), size)


def _attention_flops(inputs, outputs) -> int:
    """Of ``q @ k.T`` and its product with v.

    fvcore counts matrix products, but not those in torch's one operation for both, which networks
    of the challenge spelled out.
    """
    q, k, v = (value.type().sizes() for value in inputs[:3])
    return math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


def _fvcore():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fvcore's own, of torch.jit
            from fvcore.nn import FlopCountAnalysis
    except ImportError:
        raise ValueError("the challenge counts FLOPs with fvcore: pip install fvcore") from None
    return FlopCountAnalysis
