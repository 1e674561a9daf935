"""All networks, and the recognition of their checkpoints.

A new network is one file with a ``NETWORK`` and one line here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .architectures import (
    agdn,
    asr,
    craft,
    depthrlfn,
    dipnet,
    dirn,
    dvmsr,
    eern,
    egfmn,
    emaxgman,
    errn,
    gfmn,
    harn,
    ifadnet,
    lightrlfn,
    lkfn,
    lsanet,
    magicsr,
    msn,
    pfdn,
    quicksrnet,
    r2net,
    rcn,
    rden,
    rfdn,
    rlff,
    rlfn,
    rlfn_b,
    rrdbnet,
    safmnpp,
    slimrlfn,
    smfan,
    smrn,
    span,
)
from .network import Network

NETWORKS: tuple[Network, ...] = (
    span.NETWORK,
    rlfn.NETWORK,
    rlfn_b.NETWORK,
    lightrlfn.NETWORK,
    asr.NETWORK,
    slimrlfn.NETWORK,
    depthrlfn.NETWORK,
    dipnet.NETWORK,
    rcn.NETWORK,
    rlff.NETWORK,
    smrn.NETWORK,
    rden.NETWORK,
    r2net.NETWORK,
    errn.NETWORK,
    eern.NETWORK,
    dvmsr.NETWORK,
    craft.NETWORK,
    magicsr.NETWORK,
    rfdn.NETWORK,
    ifadnet.NETWORK,
    lsanet.NETWORK,
    lkfn.NETWORK,
    emaxgman.NETWORK,
    dirn.NETWORK,
    safmnpp.NETWORK,
    gfmn.NETWORK,
    egfmn.NETWORK,
    smfan.NETWORK,
    pfdn.NETWORK,
    quicksrnet.NETWORK,
    msn.NETWORK,
    agdn.NETWORK,
    harn.NETWORK,
    rrdbnet.NETWORK,
    rrdbnet.REAL_ESRGAN,
)


def find(name: str) -> Network:
    """Return the network of that name.

    Raises:
        ValueError: There is no such network; the message lists the known ones.
    """
    for network in NETWORKS:
        if network.name == name:
            return network
    raise ValueError(f"no network is called {name!r}; known: {_names()}")


def identify(state: Mapping[str, Tensor], where: str) -> tuple[Network, dict[str, Any]]:
    """Recognise the network and the hyperparameters of a state dict by its keys, shapes and dtypes.

    Every key must be there with its shape, and no other: a state dict that nearly fits is never
    loaded.

    Args:
        state: The state dict.
        where: The name of the checkpoint in errors.

    Raises:
        ValueError: It is not a checkpoint of a known network; the message lists the differences
            from the nearest one.
    """
    shapes = {key: value.shape for key, value in state.items()}
    near = []
    for network in NETWORKS:
        hyperparameters = network.detect(shapes)
        if hyperparameters is None:
            continue
        difference = _Difference.between(state, network.expected(hyperparameters))
        if not difference:
            return network, hyperparameters
        near.append((len(difference), network, difference))
    if not near:
        raise ValueError(
            f"{where} is a checkpoint of no network known here ({_names()}): it has {len(state)} "
            f"tensors, {_some(list(state), 3)}"
        )
    _, network, difference = min(near, key=lambda candidate: candidate[0])
    raise ValueError(f"{where} is nearest to {network.title} ({network.name}), but {difference}")


@dataclass
class _Difference:
    """The differences between a state dict and the expected one; false if there are none."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)

    @classmethod
    def between(cls, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> "_Difference":
        difference = cls(
            missing=[key for key in expected if key not in state],
            unexpected=[key for key in state if key not in expected],
        )
        for key, want in expected.items():
            got = state.get(key, want)
            if got.shape != want.shape:
                shapes = f"{key} (expected {tuple(want.shape)}, got {tuple(got.shape)})"
                difference.shapes.append(shapes)
            if want.is_floating_point() and not got.is_floating_point():
                difference.dtypes.append(f"{key} ({got.dtype})")
        return difference

    def __len__(self) -> int:
        return sum(map(len, (self.missing, self.unexpected, self.shapes, self.dtypes)))

    def __str__(self) -> str:
        parts = {
            "lacks": self.missing,
            "has keys that do not belong there": self.unexpected,
            "has wrong shapes": self.shapes,
            "holds numbers that are not floating point": self.dtypes,
        }
        return "; ".join(f"{verb}: {_some(keys)}" for verb, keys in parts.items() if keys)


def _names() -> str:
    return ", ".join(dict.fromkeys(network.name for network in NETWORKS))


def _some(items: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest
