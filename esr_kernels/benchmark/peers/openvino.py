"""OpenVINO, from the same ONNX file as ONNX Runtime."""

from __future__ import annotations

from ..contest import Implementation, as_tensor
from ..problem import Problem
from .onnx import onnx_bytes


def openvino_(problem: Problem, threads: int) -> Implementation:
    """OpenVINO's CPU plugin for one picture at a time, in float32, without copies of inputs."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(onnx_bytes(problem)),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
        },
    )
    request = compiled.create_infer_request()
    feed = [x.numpy() for x in problem.inputs]

    def call() -> object:
        return request.infer(feed, share_inputs=True, share_outputs=True)

    return Implementation(call, lambda result: as_tensor(result[0]))
