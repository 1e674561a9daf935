"""A participant's network, from a name, a checkpoint, or code of their own."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from torch import nn

from ..models.catalogue import OFFICIAL
from ..models.checkpoint import read_checkpoint
from ..models.loader import load_slim

_OPTIONS = {"range", "weights"}


@dataclass(frozen=True)
class Source:
    """``module`` is run; ``counted`` is the same as the challenge counts it, before anything that
    ``models.load`` folds. ``data_range``: the largest value of its pictures."""

    name: str
    module: nn.Module
    counted: nn.Module
    data_range: float = 1.0


def resolve(source: str | os.PathLike | nn.Module) -> Source:
    """The network that ``source`` names, as in ``enter``."""
    if isinstance(source, nn.Module):
        module = copy.deepcopy(source)
        return Source(getattr(source, "name", type(source).__name__), module, module)
    spec, _, query = str(source).partition("?")
    options = _options(query)
    place, _, class_name = spec.rpartition(":")
    if spec in OFFICIAL:
        weights = options.pop("weights", None)
        name = f"{spec}-{Path(weights).stem}" if weights else spec
        found = _known(name, spec, weights)
    elif place and class_name.isidentifier():
        data_range = _data_range(options.pop("range", "1"))
        module = _make(_code(place), class_name)
        if "weights" in options:
            _load_weights(module, options.pop("weights"))
        found = Source(class_name, module, module, data_range)
    else:
        found = _known(Path(spec).stem, spec)
    if options:
        raise ValueError(f"{spec} takes no {', '.join(options)}=, only code of your own does")
    return found


def _known(name: str, spec: str, weights: str | None = None) -> Source:
    counted = load_slim(spec, weights=weights)
    return Source(name, counted.inference_form(), counted)


def _options(query: str) -> dict[str, str]:
    options = dict(part.partition("=")[::2] for part in query.split("&") if part)
    if options.keys() - _OPTIONS:
        raise ValueError(f"?{query}: the options are range=255 and weights=FILE")
    return options


def _data_range(text: str) -> float:
    if text not in ("1", "255"):
        raise ValueError(f"range={text}: the largest value of a picture is 1 or 255")
    return float(text)


def _code(place: str) -> ModuleType:
    """The Python module in a file, or of that name."""
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"{error}; a file is named with its suffix: FILE.py:Class") from error
    path = Path(place)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path} to take the network from")
    # Under a name of ours, so that a file called like a package does not take its place.
    spec = importlib.util.spec_from_file_location(f"contestant_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # as for every .py file
    code = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = code
    sys.path.insert(0, str(path.resolve().parent))  # what lies beside it can be imported
    try:
        spec.loader.exec_module(code)
    finally:
        sys.path.pop(0)
    return code


def _make(code: ModuleType, class_name: str) -> nn.Module:
    kind = getattr(code, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(f"{code.__file__} has no torch.nn.Module called {class_name}")
    try:
        return kind()
    except TypeError as error:
        raise TypeError(
            f"{class_name} is made without arguments, which failed ({error}): give them defaults"
        ) from error


def _load_weights(module: nn.Module, path: str) -> None:
    try:
        module.load_state_dict(read_checkpoint(path))
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {type(module).__name__}: {error}") from error
