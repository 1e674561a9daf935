"""Options that several sub-commands have."""

import argparse
from typing import Any

#: What ``add`` of a sub-command receives.
Commands = argparse._SubParsersAction

#: Keyword arguments of an option that takes several values, at once or one by one.
SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}

DEVICE_HELP = "cpu, cuda or auto (default: auto, a GPU if torch can use one)"
DTYPE_HELP = "compute in float32, float16 or bfloat16 (default: float32)"
