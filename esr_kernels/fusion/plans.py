"""The plans of one module: one for every way in which its code treats pictures of some size.

Code asks whether a height is a multiple of 8, and pads where it is not. A plan holds for the sizes
that get the same answers; when a size with other answers is met first, another plan is made.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from .cuda_graphs import Replayed
from .given import NETWORK, Given
from .plan import Plan, make_plan
from .report import Line, Report

_LOG = logging.getLogger(__name__)
#: A module whose tensors change at every call costs more to plan than planning saves.
_PATIENCE = 8
#: Plans that a module has at most. Pictures of further answers go the module's own way.
KEPT = 8
#: Shapes whose plan is remembered.
_SHAPES = 1000

_Shapes = tuple[torch.Size, ...]


class Plans:
    """A cache: made again when the module has changed."""

    def __init__(
        self,
        module: nn.Module,
        compute_dtype: torch.dtype | None,
        cuda_graphs: bool,
        given: Given = NETWORK,
    ):
        self._how = module, compute_dtype, cuda_graphs, given
        self._stale_calls = 0
        self.first: Plan | None = None
        self._forget()

    def _forget(self) -> None:
        self._others: list[Plan] = []
        self._by_shapes: dict[_Shapes, Plan | None] = {}
        self._refused: dict[str, _Shapes] = {}

    def current(self) -> Plan:
        """The plan for a picture of a size of our choice, for the module as it is now."""
        plan = self.first
        if plan is not None:
            if not plan.retry or self._stale_calls > _PATIENCE:
                return plan
            if plan.fingerprint.holds():
                self._stale_calls = 0
                return plan
            self._stale_calls += 1
        self._forget()
        if self._stale_calls > _PATIENCE:
            title = "not accelerated: its tensors change at every call"
            self.first = Plan(plan.fingerprint, Report(title))
        else:
            self.first = make_plan(*self._how)
        return self.first

    def serving(self, inputs: tuple[Tensor, ...]) -> Plan | None:
        """The plan for these inputs; None where the module has to go its own way."""
        first = self.current()
        if first.run is None or not first.takes(inputs):
            return None
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._by_shapes:
            if len(self._by_shapes) >= _SHAPES:
                self._by_shapes.clear()
            self._by_shapes[shapes] = self._find(first, shapes)
        plan = self._by_shapes[shapes]
        if plan is None or plan.run is None or not plan.guarded(inputs):
            return None
        if plan.opaque != first.opaque and not plan.fingerprint.holds():
            self.first = None
            return self.serving(inputs)
        return plan

    def _find(self, first: Plan, shapes: _Shapes) -> Plan | None:
        for plan in (first, *self._others):
            if plan.answers(shapes):
                return plan
        if len(self._others) + 1 >= KEPT:
            return None
        plan = make_plan(*self._how, shapes=shapes)
        self._others.append(plan)
        return plan

    def refuse(self, inputs: tuple[Tensor, ...], error: Exception) -> None:
        """From now on inputs of these shapes go the module's own way, and ``explain`` says why."""
        shapes = tuple(x.shape for x in inputs)
        self._by_shapes[shapes] = None
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        if reason not in self._refused:
            self._refused[reason] = shapes
            name = type(self._how[0]).__name__
            _LOG.warning("%s runs as it is for %s: %s", name, _sizes(shapes), reason)

    def made(self) -> list[Plan]:
        """All plans that there are, the first one first."""
        return [self.current(), *self._others]

    def report(self, plan: Plan) -> Report:
        """The report of a plan, and what has become of the module since the first was made."""
        lines = list(plan.report.lines)
        if isinstance(plan.run, Replayed):
            lines.append(Line("", "CUDA graphs", plan.run.describe()))
        known = set(plan.questions.phrases) if plan.questions else set()
        for other in self.made():
            if other is plan:
                continue
            asked = other.questions.phrases if other.questions else ()
            when = " and ".join([p for p in asked if p not in known][:3])
            title = other.report.title
            lines.append(Line("", "other sizes", f"{title}, where {when}" if when else title))
        for reason, shapes in self._refused.items():
            lines.append(Line("", "as it is", f"for {_sizes(shapes)}: {reason}"))
        return Report(plan.report.title, lines)


def _sizes(shapes: _Shapes) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
