"""From an ``nn.Module`` to a ``torch.fx`` graph, without an example input from the user.

Not ``torch.fx.symbolic_trace``: that patches ``nn.Module`` for the whole process while it works,
which breaks models running in other threads, and it gives up on the whole network when one module
cannot be traced. Here every submodule of a *private copy* carries its own recorder.

- A module of ``torch.nn`` and a re-parameterised convolution become one ``call_module`` node.
- A submodule that cannot be traced becomes an *opaque* ``call_module`` node, and why is noted.
- Control flow on shapes, dtype or device is followed and becomes a *question*: the graph holds for
  inputs that answer it alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.fx import Graph, Node, Proxy
from torch.fx.proxy import Scope, TracerBase

from . import reparam
from .attributes import Unread
from .copying import private_copy, put_back, state_of, tensors_of
from .einops_values import teach_einops
from .pictures import input_names
from .questions import Question, Questions, Shapes
from .values import Parameter, Untraceable, Value

Guard = Callable[[Tensor], bool]
_CASTS = frozenset({"type_as", "to", "contiguous", "detach"})


@dataclass
class Traced:
    """``graph``: its ``get_attr`` nodes hold their tensor in ``meta["value"]``, every node the path
    of its module in ``meta["path"]``. ``folded``: the re-parameterised convolutions by path.
    ``opaque``: path -> why that module runs as it is. ``questions``: what was asked about shapes.
    ``attributes``: names of those that the forward sets, which the graph returns as a second result
    where there are any. ``guards``: conditions on the input itself."""

    graph: Graph
    folded: dict[str, reparam.Folded]
    opaque: dict[str, str]
    questions: Questions
    attributes: tuple[str, ...] = ()
    guards: list[Guard] = field(default_factory=list)


def trace(twin: nn.Module, opaque: dict[str, str], *probes: Tensor) -> Traced:
    """Traces a private copy and leaves it as it was.

    ``opaque``: modules not to look into, with the reason. ``probes``: tensors like the inputs,
    whose shape, dtype and device answer the code's questions. Raises ``Untraceable``.
    """
    teach_einops()
    folded = {path: found for path, m in twin.named_modules() if path and (found := _fold(m))}
    blank = _blank(twin)
    tracer = _Tracer(folded, dict(opaque), probes, blank)
    state = state_of(twin)
    try:
        names = input_names(twin) if len(probes) > 1 else ("x",)
        inputs = [tracer.create_proxy("placeholder", name, (), {}) for name in names]
        tracer.instrument(twin)
        result = tracer.follow(twin, "", twin.forward, inputs, {})
        if tracer.sets:
            result = result, list(tracer.sets.values())
        tracer.create_node("output", "output", (tracer.create_arg(result),), {})
    except Exception as error:
        raise Untraceable(_reason(error)) from error
    finally:
        put_back(state)
    questions = Questions(tracer.asked, probes[0], blank)
    for node in list(tracer.graph.nodes):
        if node.op == "get_attr" and not node.users:
            tracer.graph.erase_node(node)
    return Traced(tracer.graph, folded, tracer.opaque, questions, tuple(tracer.sets))


def _blank(twin: nn.Module) -> nn.Module | None:
    try:
        return private_copy(twin, "meta")
    except Exception:  # a stranger's __deepcopy__ or ScriptModule: only shapes stay unknown
        return None


def _larger(probe: Tensor) -> Tensor:
    """Larger by so much that it is padded alike to multiples of 128 and less."""
    sizes = (size + 128 for size in probe.shape[2:])
    return probe.new_empty(()).expand(*probe.shape[:2], *sizes)


def _fold(module: nn.Module) -> reparam.Folded | None:
    if not reparam.looks_reparameterised(module):
        return None
    # Folding runs the module, and some write their attributes then.
    state = state_of(module)
    folded = reparam.fold(module)
    put_back(state)
    return folded


class _Tracer(TracerBase):
    def __init__(
        self,
        folded: dict[str, reparam.Folded],
        opaque: dict[str, str],
        probes: tuple[Tensor, ...],
        blank: nn.Module | None,
    ):
        super().__init__()
        self.folded, self.opaque = folded, opaque
        self.graph = Graph()
        self.asked: list[Question] = []
        self.sets: dict[str, Any] = {}
        self._here = Shapes(probes, blank)
        self._elsewhere = Shapes(tuple(map(_larger, probes)), blank)
        self.path = ""
        self.constants: dict[int, Node] = {}
        # TracerBase asks for these three.
        self.scope = Scope("", None)
        self.module_stack = OrderedDict()
        self.node_name_to_scope = {}

    def proxy(self, node: Node) -> Proxy:
        return Value(node, self)

    def create_node(self, *args, **kwargs) -> Node:
        if mode := _mode(self._here.device):
            raise Untraceable(f"it computes under {mode}")
        node = super().create_node(*args, **kwargs)
        node.meta["path"] = self.path
        return node

    def create_arg(self, a: Any):
        return self.constant(a, "constant") if isinstance(a, Tensor) else super().create_arg(a)

    def constant(self, tensor: Tensor, name: str) -> Node:
        node = self.constants.get(id(tensor))
        if node is None:
            node = self.constants[id(tensor)] = self.create_node("get_attr", name, (), {})
            value = tensor.detach()
            node.meta["value"] = value.double() if value.is_floating_point() else value
            node.meta["held"] = tensor  # keeps the id taken
        return node

    def known(self, node: Node) -> Any:
        """The node's value for the probe's shape; of a tensor its shape and dtype only."""
        return self._here.value(node)

    def to_bool(self, obj: Proxy) -> bool:
        value = self.known(obj.node)
        if isinstance(value, Tensor):
            raise Untraceable("its control flow depends on values")
        self.asked.append(Question(obj.node, bool(value)))
        return bool(value)

    def fixed(self, node: Node) -> Any:
        """The number that the node is at many sizes of picture: a question settles which."""
        value = self.known(node)
        if isinstance(value, Tensor):
            raise Untraceable("it makes a Python number of a tensor")
        if self._elsewhere.value(node) != value:
            raise Untraceable("it makes a Python number of the picture's size")
        self.asked.append(Question(node, value))
        return value

    def is_leaf(self, module: nn.Module, path: str) -> bool:
        if path in self.opaque or path in self.folded:
            return True
        of_torch = type(module).__module__.startswith("torch.nn")
        return of_torch and not isinstance(module, nn.Sequential)

    def instrument(self, twin: nn.Module) -> None:
        closed = tuple(f"{path}." for path in (*self.folded, *self.opaque))
        for path, module in twin.named_modules():
            if path.startswith(closed):
                continue
            for name, tensor in tensors_of(module).items():
                if name in module._parameters or name in module._buffers:
                    node = self.constant(tensor, f"{path}.{name}".lstrip("."))
                    module.__dict__[name] = Parameter(node, self)
            if path:
                module.__dict__["forward"] = self.recorder(module, path, module.forward)

    def recorder(self, module: nn.Module, path: str, forward: Callable) -> Callable:
        def record(*args, **kwargs):
            if not self.is_leaf(module, path):
                undo = self.mark(module)
                try:
                    return self.follow(module, path, forward, args, kwargs)
                except Exception as error:
                    undo()
                    self.opaque[path] = _reason(error)
            return self.create_proxy("call_module", path, args, kwargs)

        return record

    def mark(self, module: nn.Module) -> Callable[[], None]:
        """A function that undoes all that has been recorded since, and done to the module."""
        nodes, asked = len(self.graph.nodes), len(self.asked)
        state, constants, sets = state_of(module), dict(self.constants), dict(self.sets)

        def undo() -> None:
            for node in list(self.graph.nodes)[: nodes - 1 : -1]:
                self.graph.erase_node(node)
            self.constants, self.sets = constants, sets
            del self.asked[asked:]
            put_back(state)

        return undo

    def follow(self, module: nn.Module, path: str, forward: Callable, args, kwargs):
        """Runs the module's own code on graph values."""
        outer, self.path = self.path, path
        start, before, undo = len(self.graph.nodes), dict(module.__dict__), self.mark(module)
        try:
            result = forward(*args, **kwargs)
            changed = _changed(module, before)
            if changed:
                # Is any of it read before it is written? Then it is a state.
                calls = [(n.op, n.target) for n in list(self.graph.nodes)[start:]]
                undo()
                module.__dict__.update({name: Unread() for name in changed})
                blind = dict(module.__dict__)
                result = forward(*args, **kwargs)
                again = [(n.op, n.target) for n in list(self.graph.nodes)[start:]]
                if again != calls or _changed(module, blind) != changed:
                    raise Untraceable(f"it changes its own attribute {changed[0]!r}")
                for name in changed:
                    self.sets[f"{path}.{name}".lstrip(".")] = module.__dict__[name]
        finally:
            self.path = outer
        return result


def _changed(module: nn.Module, before: dict) -> list[str]:
    """The attributes that are not what they were, but for casts."""
    now = module.__dict__
    names = [name for name in {**before, **now} if before.get(name) is not now.get(name)]
    return [name for name in names if not _is_cast(now.get(name), before.get(name))]


def _mode(device: torch.device) -> str | None:
    """Name the mode that the module's own code has switched on: where it is followed none is."""
    if torch.is_autocast_enabled(device.type):
        return "autocast"
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    return "forward-mode differentiation" if forward_ad._current_level >= 0 else None


def _is_cast(new: Any, old: Any) -> bool:
    """``self.mean = self.mean.type_as(x)`` remembers nothing of x but its dtype and device."""
    source = _source(new)
    return source is not None and source is _source(old)


def _source(value: Any) -> Tensor | None:
    """The module's own tensor that ``value`` is, behind casts."""
    if not isinstance(value, Proxy):
        return value if isinstance(value, Tensor) else None
    node = value.node
    while node.op == "call_method" and node.target in _CASTS:
        node = node.args[0]
    return node.meta.get("held")


def _reason(error: Exception) -> str:
    if isinstance(error, Untraceable):
        return str(error)
    text = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__} while its code was followed: {text[:120]}"
