"""Upscale one picture, or all in a folder and those below it.

python examples/pictures.py in.png out.png
python examples/pictures.py photos/ large/
"""

import sys

import esr_kernels

source, target = sys.argv[1:]
result = esr_kernels.upscale(source, target, progress=True)  # model="rlfn", or a checkpoint
print(result)
for path, reason in result.failed:  # a broken file in a folder stops none of the others
    print(f"{path}: {reason}")
