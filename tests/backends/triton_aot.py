"""Compiles a kernel's launch for a GPU that is not here, and reads the compiler's report."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from esr_kernels.backends.triton.launch import Launch

_POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}
_DIVISIBLE = [["tt.divisibility", 16]]


@dataclass(frozen=True)
class Usage:
    """What a program needs: registers and stack bytes of a thread, bytes of shared memory.

    Nothing here uses the stack by itself: what stands there are registers that did not fit.
    """

    registers: int
    stack: int
    shared: int


def compile_launch(launch: Launch, capability: tuple[int, int], **options: int) -> Usage:
    """What the launch needs on a GPU of this compute capability."""
    return _usage(_compiled(launch, capability, options))


def ptx(launch: Launch, capability: tuple[int, int]) -> str:
    """The launch's instructions."""
    return _compiled(launch, capability, {}).asm["ptx"]


def _compiled(launch: Launch, capability: tuple[int, int], options: dict[str, int]):
    """Compiles as Triton does at the first such call."""
    config = {"num_warps": launch.config.num_warps, "num_stages": launch.config.num_stages}
    types, constants, attributes = {}, {}, {}
    names = launch.kernel.arg_names
    for i, (name, value) in enumerate(zip(names, launch.args, strict=False)):
        types[name] = _specialised(value, (i,), constants, attributes)
    for name, value in launch.constants.items():
        types[name] = "constexpr"
        constants[(names.index(name),)] = value
    major, minor = capability
    return triton.compile(
        ASTSource(launch.kernel, types, constants, attributes),
        target=GPUTarget("cuda", 10 * major + minor, 32),
        options=config | options,
    )


def _specialised(value: Any, path: tuple, constants: dict, attributes: dict) -> Any:
    """The argument's type; what is 1 or None is a constant, and what 16 divides is known to be."""
    if isinstance(value, tuple):
        return tuple(
            _specialised(v, (*path, i), constants, attributes) for i, v in enumerate(value)
        )
    if value is None or (isinstance(value, int) and value == 1):
        constants[path] = value
        return "constexpr"
    if isinstance(value, float):
        return "fp32"
    if isinstance(value, Tensor) or value % 16 == 0:
        attributes[path] = _DIVISIBLE
    if isinstance(value, Tensor):
        return _POINTERS[value.dtype]
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def _usage(compiled) -> Usage:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        report = subprocess.run(
            [triton.knobs.nvidia.cuobjdump.path, "--dump-resource-usage", file.name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = dict(re.findall(r"(REG|STACK):(\d+)", report))
    return Usage(int(found["REG"]), int(found["STACK"]), compiled.metadata.shared)
