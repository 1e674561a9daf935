"""Fingerprint of all that a plan was made from, so that a change is noticed.

Folded and packed weights are a cache of the module's tensors. ``state_dict`` loading, optimiser
steps, ``.to()``, ``.half()`` and assignments change a tensor's identity, version, dtype, device or
memory; all five are compared, with the tensors kept alive so that none can be taken for another.
Writes through ``.data``, views of numpy and to inference tensors leave no such trace: on the CPU a
checksum over all values notices them.

Beside the tensors a plan depends on the modules, their classes and what these call ``forward``, and
on plain attributes: a slope, a flag, a size.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any

from torch import Tensor, nn

from .checksum import checksum, pieces
from .copying import any_global_hooks, hooks_of, tensors_of
from .instance import Replacement

_VERSION = operator.attrgetter("_version")
_KIND = operator.attrgetter("dtype", "device", "shape")
_FORWARD = operator.attrgetter("forward")
_INTERNAL = frozenset(vars(nn.Module()))
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Fingerprint:
    """The state of a module that a plan depends on.

    ``opaque``: paths of submodules that keep running as they are; what is inside them does not
    count. ``derived``: paths of submodules whose tensors follow from others and may be rewritten
    at any time (the merged form of a re-parameterised convolution). ``passing``: attributes that
    every call sets anew.
    """

    def __init__(
        self,
        module: nn.Module,
        opaque: Iterable[str],
        derived: Iterable[str],
        passing: Iterable[str] = (),
    ):
        closed = tuple(f"{path}." for path in opaque)
        rewritten = {module.get_submodule(path.rpartition(".")[0]) for path in derived}
        rewritten |= {module.get_submodule(path) for path in derived}
        self._modules = [
            part for path, part in module.named_modules() if not f"{path}.".startswith(closed)
        ]
        own = [part for part in self._modules if part not in rewritten]
        self._tables, self._saved = _entries(module, self._modules, own)
        self._values = list(chain.from_iterable(map(dict.values, self._saved)))
        self._passing: dict[int, set[str]] = {}  # by the identity of the module's dictionary
        for name in passing:
            path, _, attribute = name.rpartition(".")
            self._passing.setdefault(id(vars(module.get_submodule(path))), set()).add(attribute)
        self._containers = _plain_containers(own, self._passing)
        tensors = (
            tensor
            for part in own
            for name, tensor in tensors_of(part).items()
            if name not in self._passing.get(id(part.__dict__), ())
        )
        self._tensors = list({id(t): t for t in tensors}.values())
        self._on_cpu = [t for t in self._tensors if t.device.type == "cpu" and t.numel()]
        self._memory = pieces(self._on_cpu)
        # Inference tensors have no version.
        self._versioned = [t for t in self._tensors if not t.is_inference()]
        self._classes = list({type(part) for part in self._modules})
        # Hooks on the module itself run around its forward whatever that is.
        self._hooks = [
            hooks for part in self._modules if part is not module for hooks in hooks_of(part)
        ]
        self._marks = self._mark()
        self._sum = checksum(self._on_cpu, self._memory)
        self.parameters = list(module.parameters())

    def _mark(self) -> tuple[Any, ...]:
        # At every call, for a hundred tensors or more: loops in C.
        return (
            list(map(_VERSION, self._versioned)),
            list(map(Tensor.data_ptr, self._tensors)),
            list(map(_KIND, self._tensors)),
            list(map(type, self._modules)),
            list(map(_FORWARD, self._classes)),
            any(self._hooks),
        )

    def holds(self) -> bool:
        """Return true if nothing has changed."""
        return (
            self._same_entries()
            and all(now == then for now, then in self._containers)
            and self._mark() == self._marks
            # Last: only now are the addresses known to be those of the tensors.
            and checksum(self._on_cpu, self._memory) == self._sum
        )

    def _same_entries(self) -> bool:
        """The same objects in all dictionaries of the modules, or equal ones of a plain kind."""
        now = chain.from_iterable(map(dict.values, self._tables))
        lengths = sum(map(len, self._tables)) == len(self._values)
        if lengths and all(map(operator.is_, now, self._values)):
            return True
        for live, saved in zip(self._tables, self._saved, strict=True):
            if not _equal_entries(live, saved, self._passing.get(id(live), set())):
                return False
        self._saved = [dict(table) for table in self._tables]
        self._values = list(chain.from_iterable(map(dict.values, self._saved)))
        return True


class WhileHooked:
    """Stands for a module that nobody has looked at yet, while hooks on all modules are there."""

    def __init__(self, module: nn.Module):
        self.parameters = list(module.parameters())

    def holds(self) -> bool:
        """Return true as long as there are any."""
        return any_global_hooks()


def _entries(
    module: nn.Module, modules: list[nn.Module], own: list[nn.Module]
) -> tuple[list[dict], list[dict]]:
    """The dictionaries of the modules, and copies of them: all parts of all, and all else of those
    whose tensors are the source."""
    live: list[dict] = [part._modules for part in modules]
    live += [table for part in own for table in (part._parameters, part._buffers)]
    saved: list[dict] = [dict(table) for table in live]
    # A plan serves evaluation mode: made in training mode, it is one for after .eval().
    mode: dict = {"training": False} if module.training else {}
    saved += [{**part.__dict__, **mode} for part in own]
    return live + [part.__dict__ for part in own], saved


def _equal_entries(live: dict, saved: dict, passing: set[str]) -> bool:
    now, then = _without_ours(live), _without_ours(saved)
    names = (now.keys() | then.keys()) - passing
    return all(n in now and n in then and _equal(now[n], then[n]) for n in names)


def _without_ours(table: dict) -> dict:
    return {k: v for k, v in table.items() if not isinstance(v, Replacement)}


def _equal(now: Any, then: Any) -> bool:
    return now is then or (type(now) is type(then) and _is_plain(now) and now == then)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _plain_containers(
    modules: Iterable[nn.Module], passing: dict[int, set[str]]
) -> list[tuple[Collection, Collection]]:
    """Lists, sets and dictionaries that are attributes, each with a copy of what is in it now."""
    found = []
    for part in modules:
        for name, value in part.__dict__.items():
            content = value.values() if isinstance(value, dict) else value
            skipped = name in _INTERNAL or name in passing.get(id(part.__dict__), ())
            if skipped or not isinstance(value, list | set | dict):
                continue
            if all(map(_is_plain, content)):
                found.append((value, type(value)(value)))
    return found
