"""ONNX Runtime, and the ONNX file that OpenVINO reads too."""

from __future__ import annotations

import io
import warnings

import torch

from ..contest import Implementation, as_tensor
from ..problem import Problem


def onnx_bytes(problem: Problem) -> bytes:
    """The module as ONNX, for the size of its inputs (fixed sizes are what runtimes like best)."""
    import onnx  # noqa: F401  (torch's exporter needs it and says so less clearly)

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of our size checks
        # The newer exporter asks for yet another package.
        torch.onnx.export(problem.module, problem.inputs, file, dynamo=False, opset_version=17)  # type: ignore[arg-type]
    return file.getvalue()


def onnx_runtime(problem: Problem, threads: int) -> Implementation:
    """ONNX Runtime's CPU provider with all graph optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        onnx_bytes(problem), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    feed = {name: x.numpy() for name, x in zip(names, problem.inputs, strict=True)}
    return Implementation(lambda: session.run(None, feed), lambda result: as_tensor(result[0]))
