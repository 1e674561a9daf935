"""The public function that tells what was done to a network, and where its time goes."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import count

import torch
from torch import Tensor, nn

from .accelerate import Accelerated, accelerate, module_of
from .instance import installed
from .pictures import copied
from .plan import Plan, make_plan
from .plans import Plans
from .report import Line, Report, with_shares
from .timing import Times, times_of


def explain(model, *inputs: Tensor) -> Report:
    """Report, block by block, the op that each was fused into, or why it was not.

    With inputs the model is also run on them, step by step and for about a second, and each line
    gets its share of the time: the median of some runs, after one that is not counted. The lines of
    one program have one share, which stands at the first of them. The last line is what remains:
    casts, changes of memory format, Python, and all but the parts of a network that could not be
    followed. A model that is not accelerated stays as it is; a copy is accelerated and run.

    Args:
        model: as for :func:`accelerate`.
        inputs: tensors, as the model takes them; or none.

    Returns:
        A report whose ``str()`` is a table, one line per block: share of the time, module path, op
        (``torch`` for what runs there as before, ``as it is`` for a module that could not be
        followed), backend and program, details, and for what torch computes the reason. Shares add
        up to 1. Without inputs there are no shares and no programs.

    Raises:
        TypeError: ``model`` is no module, or an input is no tensor.
        ValueError: the model does not take the inputs, is in training mode, or cannot be copied.
    """
    module = module_of(model)
    _check(module, inputs)
    if isinstance(installed(module), Accelerated):
        return _report(module, inputs)
    twin = _accelerated_copy(module) if inputs else module
    report = _report(twin, inputs) if installed(twin) else make_plan(module).report
    return replace(report, title=f"not accelerated yet; it would be: {report.title}")


def _accelerated_copy(module: nn.Module) -> nn.Module:
    try:
        twin = copy.deepcopy(module)
    except Exception as error:  # its code may raise anything
        raise ValueError(
            f"the model cannot be copied ({type(error).__name__}: {error}): accelerate it first"
        ) from error
    return accelerate(twin)


def _check(module: nn.Module, inputs: tuple) -> None:
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(f"inputs are tensors, as the model takes them, not {type(x).__name__}")
    if inputs and module.training:
        raise ValueError(
            "the model is in training mode, where it runs its own forward: call model.eval() first"
        )


def _report(module: nn.Module, inputs: tuple[Tensor, ...]) -> Report:
    """Of an accelerated module: its own lines, then those of the parts that are by themselves."""
    times_s = _times(module, inputs) if inputs else {}
    whole_s = sum(times_s.values())

    def shares(plan: Plan) -> dict[str, float]:
        nodes = plan.graph.graph.nodes if plan.graph else ()
        return {n.name: times_s[n] / whole_s for n in nodes if n in times_s}

    reports: dict[str, Report] = {}
    lines: list[Line] = []
    numbers = count(1)
    for path, plans in _plans(module).items():
        plan = max(plans.made(), key=lambda plan: sum(shares(plan).values()))
        reports[path] = report = plans.report(plan)
        lines += with_shares(report.under(path), shares(plan), numbers)
    if not inputs:
        return Report(reports[""].title, lines)
    rest = 1 - sum(line.share or 0.0 for line in lines)
    lines.append(Line("", "the rest", "what is outside of these lines", share=max(0.0, rest)))
    return Report(reports[""].title, lines, 1e3 * whole_s)


def _plans(module: nn.Module) -> dict[str, Plans]:
    """Those of the module and of its parts, by path."""
    found = ((path, installed(part)) for path, part in module.named_modules())
    return {path: fast.plans for path, fast in found if isinstance(fast, Accelerated)}


def _times(module: nn.Module, inputs: tuple[Tensor, ...]) -> Times:
    devices = {x.device for x in inputs if x.is_cuda}

    def wait() -> None:
        for device in devices:
            torch.cuda.synchronize(device)

    with torch.no_grad():
        try:
            module(*copied(inputs))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # its code may raise anything
            raise ValueError(f"the model does not take these inputs: {error}") from error
        plans = [plan for plans in _plans(module).values() for plan in plans.made()]
        return times_of(module, inputs, plans, wait)
