"""From a module to something that runs: copy, trace, normalise, rewrite, verify, bind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import _disable_current_modes

from .. import backends
from ..op import called_op
from ..ops import CONV_ACT
from .as_it_is import AsItIs
from .copying import hooks_of, private_copy, tensors_of
from .cuda_graphs import Replayed
from .fingerprint import Fingerprint
from .graph import execute, to_module
from .halo import radius
from .memory import note_order, writes_input
from .normalise import normalise
from .passes import PASSES
from .report import Line, Report, describe, dtype_name
from .trace import Guard, Traced, Untraceable, trace
from .trial import Results, try_out
from .verify import SIZES, Rude, agree, rewrite, sample_picture

_LOG = logging.getLogger(__name__)


@dataclass
class Plan:
    """Compiled computation of one module.

    ``fingerprint``: what it was made from. ``run``: the fused computation, or None where the module
    keeps its own forward. ``halo``: see ``fusion.halo``. ``retry``: whether a change of the
    module's tensors could lift the reason for ``run`` being None.
    """

    fingerprint: Fingerprint
    report: Report
    run: Callable[[Tensor], Any] | None = None
    halo: int | None = None
    retry: bool = True
    channels: int = 0
    dtype: torch.dtype | None = None
    device: torch.device | None = None
    guards: list[Guard] = field(default_factory=list)
    results: Results | None = None
    writes_input: bool = False

    def compute(self, x: Tensor) -> Any:
        """What the module computes for ``x``, by the fast way.

        Raises ``ValueError`` for shapes that an op refuses; ``x`` is left as it was then.
        """
        before = x.clone() if self.writes_input else x
        try:
            result = self.run(x)
        except ValueError:
            if self.writes_input:
                x.copy_(before)
            raise
        return result if self.results is None else self.results.like_plain(x, result)

    def accepts(self, x: Tensor) -> bool:
        """Return true for an ``x`` that the plan is made for: ``[N, C, H, W]``, not empty."""
        fits = x.dim() == 4 and x.shape[1] == self.channels and x.numel() > 0
        return fits and x.dtype == self.dtype and x.device == self.device and self._guarded(x)

    def _guarded(self, x: Tensor) -> bool:
        try:
            return all(guard(x) for guard in self.guards)
        except Exception:  # the module's own check refuses x: let the module say so
            return False


@dataclass
class _Fused:
    graph: Graph
    traced: Traced
    picture: Tensor
    expected: Any
    left_out: list[str]


def make_plan(
    module: nn.Module, compute_dtype: torch.dtype | None = None, cuda_graphs: bool = False
) -> Plan:
    """Plans a module; never raises for a module that cannot be accelerated, but reports why.

    ``compute_dtype``: what to compute in, the module's own dtype if None. ``cuda_graphs``: whether
    to replay it from CUDA graphs on a GPU. Raises what the backends raise (``ValueError`` for an
    unknown ``ESR_KERNELS_BACKEND``).
    """
    if reason := _unfit(module):
        report = Report(f"not accelerated: {reason}")
        return Plan(Fingerprint(nn.Identity(), (), ()), report, retry=False)
    with _apart():
        try:
            dtype, device = _kind(module)
        except ValueError as error:
            return Plan(Fingerprint(module, (), ()), Report(f"not accelerated: {error}"))
        backends.choose(CONV_ACT, device, dtype)  # refuses an unknown backend by name
        try:
            fused = _fuse(module, dtype, device)
        except Exception as error:
            reason = str(error)
            if not isinstance(error, Untraceable):  # a fault of ours, or of torch
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                _LOG.warning("%s is not followed: %s", type(module).__name__, reason)
            report = Report(f"not accelerated as a whole: {reason}")
            return Plan(Fingerprint(module, (), ()), report, retry=False)
        try:
            plan = _bound(module, fused, dtype, device, compute_dtype or dtype)
        except ArithmeticError as error:
            _LOG.warning("%s is not accelerated: %s", type(module).__name__, error)
            return Plan(Fingerprint(module, (), ()), Report(f"not accelerated: {error}"))
    if cuda_graphs and plan.run is not None and device.type == "cuda":
        parts = ", ".join(fused.traced.opaque)
        plan.run = Replayed(plan.run, f"{parts} run as they are" if parts else None)
    return plan


@contextmanager
def _apart():
    """Leave the caller's modes and default device, and keep the caller's random state."""
    # Packed weights must not be inference tensors, even if the first call comes inside that mode.
    # Graphs are rewritten and verified on the CPU, whatever torch.set_default_device says.
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
        _disable_current_modes(),
        torch.device("cpu"),
    ):
        yield


def _unfit(module: nn.Module) -> str | None:
    """Why the module is not even looked at, None if it is."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is a ScriptModule; accelerate the module that it was made from"
    if any(is_lazy(t) for t in (*module.parameters(), *module.buffers())):
        return "its parameters have no values yet (lazy); run it once, then accelerate it"
    return None


def _kind(module: nn.Module) -> tuple[torch.dtype, torch.device]:
    parameters = [p for p in module.parameters() if p.is_floating_point()]
    dtypes, devices = {p.dtype for p in parameters}, {p.device for p in parameters}
    if not parameters:
        raise ValueError("it has no parameters")
    if len(dtypes) > 1 or len(devices) > 1:
        raise ValueError("its parameters differ in dtype or device")
    if parameters[0].device.type == "meta":
        raise ValueError("its parameters have no values yet (device meta); load a state_dict")
    return parameters[0].dtype, parameters[0].device


def _fuse(module: nn.Module, dtype: torch.dtype, device: torch.device) -> _Fused:
    closed = {p: reason for p, m in module.named_modules() if p and (reason := _closed(m))}
    try:
        twin = private_copy(module)
    except Exception as error:
        raise Untraceable(f"it cannot be copied ({type(error).__name__})") from error
    if twin.training:
        twin.eval()  # only then is the plan used
    x, expected = _observed(twin)
    probe = x.to(device, dtype)
    traced = trace(twin, closed, probe)
    graph = normalise(traced, twin, probe)
    try:
        faithful = agree(execute(graph, twin, x.clone(), note_shapes=True), expected)
    except Exception as error:
        raise Untraceable(f"its graph does not run ({type(error).__name__}: {error})") from error
    if not faithful:
        raise Untraceable("its graph does not compute what the module computes")
    rude = Rude(twin, traced.opaque)
    fused, left_out = rewrite(graph, PASSES, rude, x, execute(graph, rude, x.clone()))
    return _Fused(fused, traced, x, expected, left_out)


def _closed(module: nn.Module) -> str | None:
    """Why a submodule runs as it is."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is a ScriptModule"
    return "it has hooks" if any(hooks_of(module)) else None


def _observed(twin: nn.Module) -> tuple[Tensor, Any]:
    """A picture that the module takes, and what it makes of it."""
    first = next((m.in_channels for m in twin.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        first = next((t.shape[1] for m in twin.modules() for t in _kernels(m)), 3)
    # The first convolution may read a pixel-unshuffled or concatenated picture.
    for channels in dict.fromkeys((first, 3, 1, first // 4, first // 16)):
        for size in SIZES if channels else ():
            x = sample_picture(channels, size)
            try:
                return x, twin(x.clone())
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
    raise Untraceable(f"it does not run on a test picture ({reason[:160]})")


def _kernels(module: nn.Module) -> list[Tensor]:
    return [t for t in tensors_of(module).values() if t.dim() == 4 and t.shape[-1] in (1, 3)]


def _bound(
    module: nn.Module,
    fused: _Fused,
    dtype: torch.dtype,
    device: torch.device,
    compute_dtype: torch.dtype,
) -> Plan:
    traced = fused.traced
    derived = [f"{path}.{f.derived}" for path, f in traced.folded.items() if f.derived]
    plan = Plan(
        Fingerprint(module, traced.opaque, derived),
        Report("", []),
        halo=radius(fused.graph),
        channels=fused.picture.shape[1],
        dtype=dtype,
        device=device,
        guards=traced.guards,
    )
    named: dict[str, str] = {}
    if any(called_op(node) for node in fused.graph.nodes):
        named = _bind(plan, module, fused, compute_dtype)
    plan.report = _report(fused, named, plan, compute_dtype)
    return plan


def _bind(plan: Plan, module: nn.Module, fused: _Fused, compute_dtype: torch.dtype) -> dict:
    """Makes the plan's program, tries it on a copy of the module, and returns who computes what."""
    note_order(fused.graph)
    plan.writes_input = writes_input(fused.graph)
    twin = private_copy(module, plan.device, plan.dtype).eval()
    kept = {n.target for n in fused.graph.nodes if n.op == "call_module"}
    parts = {path: AsItIs(twin.get_submodule(path), plan.dtype) for path in kept}
    graph = to_module(fused.graph, parts)
    plan.run, named = backends.bind(graph, plan.device, compute_dtype, plan.dtype)
    x = fused.picture.to(plan.device, plan.dtype)
    plan.results = try_out(plan.run, twin, x, fused.expected, compute_dtype)
    for path, part in parts.items():
        part.hold(module.get_submodule(path))
    return named


def _report(fused: _Fused, named: dict, plan: Plan, compute_dtype: torch.dtype) -> Report:
    where = f"{dtype_name(compute_dtype)} on {plan.device}"
    title = f"accelerated, {where}" if plan.run else "not accelerated: nothing in it fits an op"
    lines = describe(fused.graph, named)
    opaque = fused.traced.opaque
    lines = [n for n in lines if not (n.what == "torch" and n.path in opaque)]
    lines += [Line(path, "as it is", reason) for path, reason in opaque.items()]
    lines += [Line("", "left out", f"{name}: results differed") for name in fused.left_out]
    return Report(title, lines)
