"""Costs of a network as the challenge counts them: parameters, FLOPs, activations, convolutions."""

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

    Attributes:
        parameters: The numbers in all parameters, without buffers.
        flops: The FLOPs of fvcore, which counts a multiply-add as one.
        activations: The numbers in the results of all ``nn.Conv2d``, counted at every call.
        convolutions: The number of those calls.
        size: The height and width of the picture.
    """

    parameters: int
    flops: int
    activations: int
    convolutions: int
    size: int = 256


def complexity(model: nn.Module, size: int = 256) -> Complexity:
    """Count the costs of one picture ``[1, 3, size, size]``.

    Args:
        model: Any module that maps such a picture. It is copied and run once, on its own device and
            in its own dtype; an accelerated one is counted as it was written.
        size: The height and width of the picture.

    Raises:
        ValueError: fvcore is not installed, or cannot follow the module.

    Source: NTIRE 2024 efficient SR challenge report, section 2.3 (FLOPs at 256 x 256).
    """
    analysis = _fvcore()
    twin = fusion.restore(copy.deepcopy(model)).eval().requires_grad_(False)
    like = next(twin.parameters(), torch.empty(0))
    picture = torch.full((1, 3, size, size), 0.5, device=like.device, dtype=like.dtype)
    outputs: list[int] = []

    def on_convolution(module, arguments, output):
        # While torch traces, sizes are tensors.
        outputs.append(math.prod(int(side) for side in output.shape))

    for part in twin.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(on_convolution)
    counter = analysis(twin, picture)
    counter.set_op_handle("aten::scaled_dot_product_attention", _attention_flops)
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of constants in a trace
        try:
            flops = int(counter.total())
        except Exception as error:  # from the module's own code, under torch's tracer
            raise ValueError(
                f"fvcore cannot follow {type(model).__name__} to count its FLOPs: {error}"
            ) from error
    parameters = sum(p.numel() for p in model.parameters())
    return Complexity(parameters, flops, sum(outputs), len(outputs), size)


def _attention_flops(inputs, outputs) -> int:
    """Count ``q @ k.T`` and its product with v.

    fvcore counts matrix products, but not those inside torch's fused attention; networks of the
    challenge wrote both products out.
    """
    q, k, v = (value.type().sizes() for value in inputs[:3])
    return math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


def _fvcore():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fvcore's use of torch.jit is deprecated
            from fvcore.nn import FlopCountAnalysis
    except ImportError:
        raise ValueError("the challenge counts FLOPs with fvcore: pip install fvcore") from None
    return FlopCountAnalysis
