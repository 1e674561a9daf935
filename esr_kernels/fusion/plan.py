"""From a module to something that runs: fused, bound to a backend, and tried out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import _disable_current_modes

from .. import backends
from ..op import called_op
from ..ops import CONV_ACT
from .as_it_is import AsItIs
from .attributes import set_attributes, with_attributes
from .copying import any_global_hooks, private_copy
from .cuda_graphs import Replayed
from .fingerprint import Fingerprint, WhileHooked
from .fuse import Fused, fuse
from .given import NETWORK, Given, note_share
from .graph import to_module
from .halo import radius
from .memory import note_order, writes_input
from .pictures import copied
from .questions import Questions
from .report import Line, Report, describe, dtype_name
from .trace import Guard
from .trial import Results, try_out
from .values import Untraceable

_LOG = logging.getLogger(__name__)


@dataclass
class Plan:
    """Compiled computation of one module.

    ``fingerprint``: what it was made from. ``run``: the fused computation, or None where the module
    keeps its own forward. ``halo``: see ``fusion.halo``. ``retry``: whether a change of the
    module's tensors could lift the reason for ``run`` being None. ``channels``: of each input.
    ``opaque``: paths of the modules that run as they are. ``questions``: what the code asked about
    its inputs' shapes; the plan serves those of the same answers. ``graph``: the compiled nodes,
    which ``run`` calls as a module. ``gains``: whether some backend computes a part of it; else
    torch does, and only constants were folded. ``attributes``: those that the module's forward
    sets.
    """

    fingerprint: Fingerprint | WhileHooked
    report: Report
    run: Callable[..., Any] | None = None
    graph: GraphModule | None = None
    halo: int | None = None
    retry: bool = True
    channels: tuple[int, ...] = ()
    dtype: torch.dtype | None = None
    device: torch.device | None = None
    opaque: Collection[str] = frozenset()
    questions: Questions | None = None
    guards: list[Guard] = field(default_factory=list)
    results: Results | None = None
    writes_input: bool = False
    gains: bool = False
    module: nn.Module | None = None
    attributes: tuple[str, ...] = ()

    def compute(self, *inputs: Tensor) -> Any:
        """Compute the module's results by the fast way. An error leaves the inputs as they were."""
        before = copied(inputs) if self.writes_input else inputs
        try:
            result = self.run(*inputs)
        except Exception:
            if self.writes_input:
                for x, was in zip(inputs, before, strict=True):
                    x.copy_(was)
            raise
        result = self.results.like_plain(inputs[0], result)
        if self.attributes:
            result, values = result
            set_attributes(self.module, self.attributes, values)
        return result

    def takes(self, inputs: tuple[Tensor, ...]) -> bool:
        """Return true for inputs of the kind that the module is followed with: ``[N, C, H, W]``,
        not empty, all of one size."""
        first = inputs[0]
        return len(inputs) == len(self.channels) and all(
            x.dim() == 4
            and x.numel() > 0
            and x.dtype == self.dtype
            and x.device == self.device
            and (x.shape[0], channels, *x.shape[2:]) == x.shape
            and x.shape[2:] == first.shape[2:]
            for x, channels in zip(inputs, self.channels, strict=True)
        )

    def answers(self, shapes: Iterable[tuple[int, ...]]) -> bool:
        """Return true for shapes that the plan is made for, of inputs that it takes."""
        return self.questions is not None and self.questions.hold(shapes)

    def guarded(self, inputs: tuple[Tensor, ...]) -> bool:
        """Return true for inputs that pass the module's own checks."""
        try:
            return all(guard(*inputs) for guard in self.guards)
        except Exception:  # the check refuses it: let the module say so
            return False


def make_plan(
    module: nn.Module,
    compute_dtype: torch.dtype | None = None,
    cuda_graphs: bool = False,
    given: Given = NETWORK,
    shapes: tuple[tuple[int, ...], ...] = (),
) -> Plan:
    """Plans a module; never raises for a module that cannot be accelerated, but reports why.

    ``compute_dtype``: what to compute in, the module's own dtype if None. ``cuda_graphs``: whether
    to replay it from CUDA graphs on a GPU. ``given``: what the network that it is a part of gives
    it. ``shapes``: of the inputs that it shall serve; without, those of a picture that the module
    takes. Raises what the backends raise (``ValueError`` for an unknown ``ESR_KERNELS_BACKEND``).
    """
    if any_global_hooks():
        reason = "hooks on all modules are registered; it is looked at when they are gone"
        return Plan(WhileHooked(module), Report(f"not accelerated: {reason}"))
    if reason := _unfit(module, given):
        report = Report(f"not accelerated: {reason}")
        return Plan(Fingerprint(nn.Identity(), (), ()), report, retry=False)
    with apart():
        try:
            dtype, device = _kind(module)
        except ValueError as error:
            return Plan(Fingerprint(module, (), ()), Report(f"not accelerated: {error}"))
        backends.choose(CONV_ACT, device, dtype)  # refuses an unknown backend by name
        try:
            fused = fuse(module, dtype, device, given.pictures or (), shapes)
            note_share(fused.graph, given.share)
            plan = _bound(module, fused, dtype, device, compute_dtype or dtype)
        except Exception as error:
            reason = str(error)
            if not isinstance(error, Untraceable):  # a fault of ours, or of torch
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                _LOG.warning("%s is not followed: %s", type(module).__name__, reason)
            report = Report(f"not accelerated as a whole: {reason}")
            return Plan(Fingerprint(module, (), ()), report, retry=False)
    if cuda_graphs and plan.run is not None and device.type == "cuda":
        plan.run = Replayed(plan.run, _why_not_recorded(plan))
    return plan


def _why_not_recorded(plan: Plan) -> str | None:
    if plan.opaque:
        return f"{', '.join(plan.opaque)} run as they are"
    if plan.writes_input:
        return "it writes into its input"
    return "it has several inputs" if len(plan.channels) > 1 else None


@contextmanager
def apart():
    """Leave the caller's modes and default device, and keep the caller's random state."""
    # Packed weights must not be inference tensors, even if the first call comes inside that mode.
    # Graphs are rewritten and verified on the CPU, whatever torch.set_default_device says.
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.random.fork_rng(devices=[]),
        _disable_current_modes(),
        torch.device("cpu"),
        torch.autocast("cpu", enabled=False),
    ):
        yield


def _unfit(module: nn.Module, given: Given) -> str | None:
    """Why the module is not even looked at, None if it is."""
    if given.pictures is None:
        return "it is not given pictures of one size"
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


def _bound(
    module: nn.Module,
    fused: Fused,
    dtype: torch.dtype,
    device: torch.device,
    compute_dtype: torch.dtype,
) -> Plan:
    traced = fused.traced
    derived = [f"{path}.{f.derived}" for path, f in traced.folded.items() if f.derived]
    plan = Plan(
        Fingerprint(module, traced.opaque, derived, traced.attributes),
        Report("", []),
        halo=radius(fused.graph),
        channels=tuple(x.shape[1] for x in fused.inputs),
        dtype=dtype,
        device=device,
        opaque=traced.opaque.keys(),
        questions=traced.questions,
        guards=traced.guards,
        module=module,
        attributes=traced.attributes,
    )
    compiled = None
    if any(called_op(node) for node in fused.graph.nodes):
        compiled = _bind(plan, module, fused, compute_dtype)
    plan.report = _report(fused, compiled, plan, compute_dtype)
    repays = plan.gains or traced.folded or (compiled and compiled.channels_last)
    asked = backends.choose(CONV_ACT, device, compute_dtype).backend != backends.REFERENCE
    if asked and dtype == compute_dtype and not repays:
        plan.run = plan.graph = None  # torch does the same without us
    return plan


def _bind(
    plan: Plan, module: nn.Module, fused: Fused, compute_dtype: torch.dtype
) -> backends.Compiled:
    """Makes the plan's program, and tries it on a copy of the module."""
    note_order(fused.graph)
    plan.writes_input = writes_input(fused.graph)
    twin = private_copy(module, plan.device, plan.dtype).eval()
    kept = {n.target for n in fused.graph.nodes if n.op == "call_module"}
    parts = {path: AsItIs(twin.get_submodule(path), plan.dtype) for path in kept}
    graph = to_module(fused.graph, parts)
    compiled = backends.bind(graph, plan.device, compute_dtype, plan.dtype)
    plan.run, plan.graph = compiled.run, compiled.graph
    plan.gains = any(a.backend != backends.REFERENCE for a in compiled.assignments.values())
    inputs = tuple(x.to(plan.device, plan.dtype) for x in fused.inputs)
    plain = rounded = with_attributes(twin, plan.attributes)
    if compute_dtype != plan.dtype:
        coarse = private_copy(twin, plan.device, compute_dtype)
        rounded = with_attributes(coarse, plan.attributes)
    plan.results = try_out(plan.run, plain, rounded, inputs, fused.expected, compute_dtype)
    for path, part in parts.items():
        part.hold(module.get_submodule(path))
    return compiled


def _report(
    fused: Fused, compiled: backends.Compiled | None, plan: Plan, compute_dtype: torch.dtype
) -> Report:
    where = f"{dtype_name(compute_dtype)} on {plan.device}"
    title = f"accelerated, {where}"
    if not plan.gains:
        title = f"not accelerated: torch computes all of its ops, {where}"
    if plan.run is None:
        title = "not accelerated: nothing in it fits an op"
    lines = describe(fused.graph, compiled.assignments if compiled else {}, fused.traced.opaque)
    if compiled and compiled.channels_last and any(n.in_torch for n in lines):
        lines.append(Line("", "channels_last", "the memory format of what torch computes"))
    lines += [Line("", "left out", f"{name}: results differed") for name in fused.left_out]
    return Report(title, lines)
