"""Results as a benchmark leaves them, made up."""


def case(name="SPAN-28 256x256", threads=1, group="peers", **ms) -> dict:
    return {
        "group": group,
        "case": name,
        "threads": threads,
        "weights": "official",
        "rounds": 7,
        "ms": ms,
        "spread_ms": {name: [0.9 * value, 1.1 * value] for name, value in ms.items()},
        "left_out": {"ncnn": "not installed"},
        "limits_ms": {"direct": 40.0, "winograd": 10.0},
    }


def result(*cases, cpu="Some CPU 9000 (2 logical cores)", date="2026-01-02", commit="abc1234"):
    machine = {
        "cpu": cpu,
        "kernels": "uses avx2",
        "python": "3.12",
        "torch": "2.11",
        "peers": {"openvino": "2026.1"},
        "commit": commit,
        "date": date,
        "dtype": "float32",
        "command": "pytest bench/",
        "measured": {"1": {"gflops": 100.4, "gbytes_s": 20.0}},
    }
    return {"machine": machine, "cases": list(cases)}
