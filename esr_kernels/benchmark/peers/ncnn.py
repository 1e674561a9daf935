"""ncnn, fed by our own exporter, because its own converter is not installed with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy
from torch import Tensor

from ..contest import Implementation, LeftOut, as_tensor
from ..problem import Problem
from .ncnn_export import INPUT, OUTPUT, export


def ncnn_(problem: Problem, threads: int) -> Implementation:
    """ncnn on the CPU in float32: every 16- and 8-bit path off, Winograd and packing on."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for width in ("fp16", "bf16", "int8"):
        for kind in ("packed", "storage", "arithmetic"):
            if hasattr(net.opt, f"use_{width}_{kind}"):
                setattr(net.opt, f"use_{width}_{kind}", False)
    with tempfile.TemporaryDirectory() as folder:
        param, weights = Path(folder, "net.param"), Path(folder, "net.bin")
        text, data = export(problem.module, problem.inputs[0])
        param.write_text(text)
        weights.write_bytes(data)
        net.load_param(str(param))
        net.load_model(str(weights))
    array = problem.inputs[0][0].numpy()

    def call() -> object:
        extractor = net.create_extractor()
        # A Mat on numpy's memory has unaligned planes, on which the first layer may work in place.
        extractor.input(INPUT, ncnn.Mat(array).clone())
        return extractor.extract(OUTPUT)

    return Implementation(call, _picture)


def _picture(result) -> Tensor:
    code, mat = result
    if code:
        raise LeftOut(f"ncnn failed with code {code}")
    return as_tensor(numpy.array(mat))
