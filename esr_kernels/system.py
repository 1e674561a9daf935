"""Description of this machine: versions, hardware, backends and weights."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from . import __version__, backends, models
from .output.files import cache_folder


@dataclass(frozen=True)
class Info:
    """The result of ``info()``; ``str()`` formats it as a table.

    Attributes:
        version: The version of esr_kernels.
        python: The version of Python, and the system.
        torch: The version of torch.
        cpu: The name of the processor, and its number of cores.
        threads: The number of threads that torch, and with it the kernels, will use.
        gpu: The name of the GPU, or the reason why there is none.
        backends: ``(name, available, detail)`` of each backend.
        kernels: ``(backend, form, what it has passed)`` of each compiled form of a kernel.
        weights: ``(name, available, detail)`` of each weights file.
    """

    version: str
    python: str
    torch: str
    cpu: str
    threads: int
    gpu: str
    backends: tuple[tuple[str, bool, str], ...]
    kernels: tuple[tuple[str, str, str], ...]
    weights: tuple[tuple[str, bool, str], ...]

    def __str__(self) -> str:
        lines = [
            f"esr_kernels  {self.version}",
            f"python       {self.python}",
            f"torch        {self.torch}",
            f"cpu          {self.cpu}, {self.threads} threads in use",
            f"gpu          {self.gpu}",
        ]
        for title, rows in (("backends", self.backends), ("weights", self.weights)):
            lines.append(f"{title}")
            width = max((len(name) for name, _, _ in rows), default=0)
            for name, available, detail in rows:
                lines.append(f"  {'yes' if available else 'no ':3}  {name:{width}}  {detail}")
        lines.append("kernels")
        width = max((len(form) for _, form, _ in self.kernels), default=0)
        lines += [f"  {name:6}  {form:{width}}  {state}" for name, form, state in self.kernels]
        return "\n".join(lines)


def info(recheck: bool = False) -> Info:
    """Describe this machine: versions, processor, threads, GPU, backends, kernels, weights.

    Loads no network, downloads nothing, and never raises because a part is missing.

    Args:
        recheck: Check the kernels for GPUs anew, although they have passed or failed here before.
    """
    if recheck:
        backends.recheck()
    return Info(
        version=__version__,
        python=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        torch=torch.__version__,
        cpu=_cpu(),
        threads=torch.get_num_threads(),
        gpu=_gpu(),
        backends=tuple(backends.describe()),
        kernels=tuple(backends.kernels()),
        weights=_weights(),
    )


def _cpu() -> str:
    """Return the processor's name from the system; Python's own is empty on Linux."""
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text(errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} logical cores)"
    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} logical cores)"


def _gpu() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if torch.version.cuda is None:
        return "none: this torch is built without GPU support"
    return "none that torch can use: no device, or no driver for it"


def _weights() -> tuple[tuple[str, bool, str], ...]:
    """List our weights, then the official files: where each lies, or that it would be downloaded.

    Files are found by name only; they are hashed when they are loaded.
    """
    chosen, reference = os.environ.get("ESR_KERNELS_WEIGHTS"), models.weights.reference_folder()
    folders = [Path(chosen)] if chosen else []
    folders += [reference / "reference" / "weights"] if reference else []
    folders += [cache_folder()]
    rows = []
    for model in models.list_models():
        if ours := models.catalogue.embedded(model.name):
            rows.append((model.name, True, f"ours, {ours}"))
        if not model.url:
            rows.append((model.name, False, "never released: pass weights="))
            continue
        name = model.url.rsplit("/", 1)[1]
        found = [folder / name for folder in folders if (folder / name).is_file()]
        detail = str(found[0]) if found else f"downloaded on first use into {folders[-1]}"
        rows.append((model.name, bool(found), f"official, {detail}"))
    return tuple(rows)
