"""From a module to a fused graph that is proven: copy, trace, normalise, rewrite, verify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph

from .attributes import with_attributes
from .copying import hooks_of, private_copy, put_back, state_of
from .graph import execute
from .instance import installed
from .normalise import normalise
from .passes import PASSES
from .pictures import Shapes, copied, observed, sample_pictures, shapes_like
from .questions import Questions
from .trace import Traced, trace
from .values import FixesFloat32, Untraceable
from .verify import Rude, agree, rewrite


@dataclass
class Fused:
    """A fused graph with what it was made from: pictures, and what the module makes of them."""

    graph: Graph
    traced: Traced
    inputs: tuple[Tensor, ...]
    expected: Any
    left_out: list[str]


def fuse(
    module: nn.Module,
    dtype: torch.dtype,
    device: torch.device,
    seen: Shapes,
    shapes: Shapes,
) -> Fused:
    """Follows, rewrites and verifies. ``seen``: shapes of inputs that the module was given before,
    () if none are known. ``shapes``: of the inputs to serve; () for those of pictures that the
    module takes. Raises ``Untraceable``."""
    try:
        return _fused(module, dtype, device, seen, shapes, torch.float64)
    except FixesFloat32:
        if dtype != torch.float32:
            raise
        return _fused(module, dtype, device, seen, shapes, torch.float32)


def _fused(
    module: nn.Module,
    dtype: torch.dtype,
    device: torch.device,
    seen: Shapes,
    shapes: Shapes,
    exact: torch.dtype,
) -> Fused:
    """See :func:`fuse`. ``exact``: what to verify in."""
    closed = {p: reason for p, m in module.named_modules() if p and (reason := _closed(m))}
    twin, inputs, expected = _observed(module, shapes or seen, exact)
    probes = [x.to(device, dtype) for x in inputs]
    if shapes:
        probes = [probes[0].new_empty(()).expand(shape) for shape in shapes]
    traced = trace(twin, closed, *probes)
    plain = with_attributes(twin, traced.attributes)
    if shapes:
        inputs, expected = _alike(plain, traced.questions, shapes, inputs[0].dtype)
    elif traced.attributes:
        expected = plain(*copied(inputs))
    graph = normalise(traced, twin, probes[0], inputs[0].dtype)
    try:
        ours = execute(graph, twin, *copied(inputs), note_shapes=True)
    except Exception as error:
        raise Untraceable(f"its graph does not run ({type(error).__name__}: {error})") from error
    if not agree(ours, expected):
        raise Untraceable("its graph does not compute what the module computes")
    fused, left_out = rewrite(graph, PASSES, Rude(twin, traced.opaque), inputs)
    return Fused(fused, traced, inputs, expected, left_out)


def _observed(
    module: nn.Module, known: Shapes, exact: torch.dtype
) -> tuple[nn.Module, tuple[Tensor, ...], Any]:
    """A private copy of the module, pictures, and what it makes of them: in the dtype ``exact``, or
    in float32 where its code fails with that."""
    try:
        twin = private_copy(module, dtype=exact).eval()  # only then is the plan used
    except Exception as error:
        raise Untraceable(f"it cannot be copied ({type(error).__name__})") from error
    state = state_of(twin)
    try:
        seen = observed(twin, exact, known)
    except Untraceable as at_first:
        twin = private_copy(module, dtype=torch.float32).eval()
        state = state_of(twin)
        try:
            seen = observed(twin, torch.float32, known)
        except Untraceable:
            raise at_first from None
    put_back(state)  # code that behaves differently at its first call is followed from there
    return twin, *seen


def _alike(
    plain: Callable,
    questions: Questions,
    shapes: Shapes,
    dtype: torch.dtype,
) -> tuple[tuple[Tensor, ...], Any]:
    """Small pictures that get the same answers as those of ``shapes``, and what becomes of them."""
    reason = "no small picture is treated like one of this size"
    for small in shapes_like(shapes[0]):
        each = [(*shape[:2], *small[2:]) for shape in shapes]
        if not questions.hold(each):
            continue
        inputs = sample_pictures(each, dtype)
        try:
            return inputs, plain(*copied(inputs))
        except Exception as error:
            reason = f"it does not run on a test picture ({type(error).__name__}: {error})"
    raise Untraceable(reason)


def _closed(module: nn.Module) -> str | None:
    """Why a submodule runs as it is."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is a ScriptModule"
    if "forward" in vars(module) and installed(module) is None:
        return "its forward was replaced"
    return "it has hooks" if any(hooks_of(module)) else None
