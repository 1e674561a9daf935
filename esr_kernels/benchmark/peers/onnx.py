"""ONNX Runtime, and the ONNX file that OpenVINO reads too."""

from __future__ import annotations

import io
import warnings

import torch

from ..contest import Implementation, as_tensor
from ..problem import Problem


def onnx_bytes(problem: Problem) -> bytes:
    """Export the module to ONNX for the size of its inputs; runtimes are fastest on fixed sizes."""
    import onnx  # noqa: F401  (torch's exporter needs it and says so less clearly)

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the old exporter, and about our size checks
        # The newer exporter needs yet another package.
        torch.onnx.export(  # the old exporter takes a file, too
            problem.module,
            problem.inputs,
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=17,
        )
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
