"""Options that several sub-commands have."""

import argparse

#: What ``add`` of a sub-command receives.
Commands = argparse._SubParsersAction

DEVICE_HELP = "cpu, cuda or auto (default: auto, a GPU if torch can use one)"
DTYPE_HELP = "compute in float32, float16 or bfloat16 (default: float32)"
