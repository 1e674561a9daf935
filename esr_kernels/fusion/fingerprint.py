"""Fingerprint of all that a plan was made from, so that a change is noticed.

Folded and packed weights are a cache of the module's tensors. ``state_dict`` loading, optimiser
steps, ``.to()``, ``.half()`` and assignments change a tensor's identity, version, dtype, device or
memory; all five are compared, with the tensors kept alive so that none can be taken for another.
Writes through ``.data`` (running averages of weights) and to inference tensors leave no such trace:
on the CPU one value of every tensor is compared too, which finds what rescales or replaces them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from .copying import hooks_of, tensors_of

_VERSION = operator.attrgetter("_version")
_KIND = operator.attrgetter("dtype", "device")
_TRAINING = operator.attrgetter("training")


class Fingerprint:
    """The state of a module that a plan depends on.

    ``opaque``: paths of submodules that keep running as they are; what is inside them does not
    count. ``derived``: paths of submodules whose tensors follow from others and may be rewritten
    at any time (the merged form of a re-parameterised convolution).
    """

    def __init__(self, module: nn.Module, opaque: Iterable[str], derived: Iterable[str]):
        closed = tuple(f"{path}." for path in opaque)
        rewritten = {module.get_submodule(path.rpartition(".")[0]) for path in derived}
        rewritten |= {module.get_submodule(path) for path in derived}
        parts = [
            (path, part)
            for path, part in module.named_modules()
            if not f"{path}.".startswith(closed)
        ]
        self._modules = [part for _, part in parts]
        self._slots: list[tuple[dict, str]] = []
        self._held: list = []
        for part in self._modules:
            self._hold(part._modules, part._modules)
            if part not in rewritten:
                for attributes in (part._parameters, part._buffers, part.__dict__):
                    self._hold(attributes, tensors_of(part))
        self._tensors = [t for t in self._held if isinstance(t, Tensor)]
        self._samples = [_sample(t) for t in self._tensors if t.device.type == "cpu" and t.numel()]
        # Inference tensors have no version.
        self._versioned = [t for t in self._tensors if not t.is_inference()]
        # Hooks on the module itself run around its forward whatever that is.
        self._hooks = [
            hooks for part in self._modules if part is not module for hooks in hooks_of(part)
        ]
        self._marks = self._mark()
        self.parameters = list(module.parameters())

    def _hold(self, attributes: dict, names: Iterable[str]) -> None:
        for name in names:
            if attributes.get(name) is not None:
                self._slots.append((attributes, name))
                self._held.append(attributes[name])

    def _mark(self) -> tuple[list, ...]:
        # At every call, for a hundred tensors or more: loops in C.
        return (
            list(map(_VERSION, self._versioned)),
            list(map(Tensor.data_ptr, self._tensors)),
            list(map(_KIND, self._tensors)),
            self._mode(),
            list(map(np.ndarray.tobytes, self._samples)),
            any(self._hooks),
        )

    def _mode(self) -> list[bool]:
        # A plan serves evaluation mode only: made in training mode, it is one for after .eval().
        if self._modules[0].training:
            return [False] * len(self._modules)
        return list(map(_TRAINING, self._modules))

    def holds(self) -> bool:
        """Return true if nothing has changed."""
        now = [attributes.get(name) for attributes, name in self._slots]
        return all(map(operator.is_, now, self._held)) and self._mark() == self._marks


def _sample(tensor: Tensor) -> np.ndarray:
    """The bytes of the value in the middle of a CPU tensor, as a view of its memory."""
    middle = tensor.detach()[tuple(size // 2 for size in tensor.shape)]
    return middle.reshape(1).view(torch.uint8).numpy()
