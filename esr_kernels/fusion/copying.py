"""A private copy of a module, without hooks, to be traced and run freely.

Tracing executes the module's own code, which may write to the module (SPAN refolds its weights at
every call). On a copy that cannot hurt, and float64 makes the comparison of two graphs sharp.
"""

from __future__ import annotations

import copy
from collections import OrderedDict

import torch
from torch import Tensor, nn

from .instance import uninstall

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def hooks_of(module: nn.Module) -> list[dict]:
    """The tables of what is to be called before and after the module's own forward."""
    return [getattr(module, hooks) for hooks in _HOOKS if hasattr(module, hooks)]


def any_global_hooks() -> bool:
    """Return true while something is to be called around the forward of every module there is."""
    return any(getattr(torch.nn.modules.module, f"_global{hooks}") for hooks in _HOOKS)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """The tensors a module holds itself: parameters, buffers and plain attributes.

    Those of a ScriptModule stay its own affair: it is never looked into.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return {}
    plain = {k: v for k, v in module.__dict__.items() if isinstance(v, Tensor)}
    held = {**module._parameters, **module._buffers, **plain}
    return {name: tensor for name, tensor in held.items() if tensor is not None}


def private_copy(
    model: nn.Module, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float64
) -> nn.Module:
    """Copies the module to a device and a floating dtype; integer tensors keep theirs.

    Raises what ``copy.deepcopy`` raises.
    """
    # Tensors are handed to deepcopy ready-made: converted once, without .grad, and also where
    # deepcopy refuses them (results of a differentiable computation).
    memo = {}
    for part in model.modules():
        for tensor in tensors_of(part).values():
            memo[id(tensor)] = _converted(tensor, device, dtype)
    twin = copy.deepcopy(model, memo)
    uninstall(twin)
    for part in twin.modules():
        if isinstance(part, torch.jit.ScriptModule):
            part.to(device, dtype)
        for hooks in _HOOKS:
            if getattr(part, hooks, None):
                part.__dict__[hooks] = OrderedDict()
    return twin


def _converted(tensor: Tensor, device: str | torch.device, dtype: torch.dtype) -> Tensor:
    dtype = dtype if tensor.is_floating_point() else tensor.dtype
    twin = tensor.detach().to(device, dtype, copy=True)
    return nn.Parameter(twin, requires_grad=False) if isinstance(tensor, nn.Parameter) else twin


def state_of(module: nn.Module) -> tuple[list, list]:
    """The attributes of a module and all its parts, and the memory behind their tensors."""
    parts = [m for m in module.modules() if not isinstance(m, torch.jit.ScriptModule)]
    tables = [table for m in parts for table in (m._parameters, m._buffers)]
    dicts = [(d, dict(d)) for d in (*tables, *(m.__dict__ for m in module.modules()))]
    memory = [(t, t.data) for m in parts for t in tensors_of(m).values()]
    return dicts, memory


def put_back(state: tuple[list, list]) -> None:
    """Makes a module what it was when this was its state."""
    dicts, memory = state
    for live, saved in dicts:
        live.clear()
        live.update(saved)
    for tensor, data in memory:
        tensor.data = data
