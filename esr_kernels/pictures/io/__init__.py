"""Picture files to arrays and back, without networks or torch."""

from .image import READABLE, Image, read
from .save import WRITABLE, check_destination, check_format, save, write

__all__ = [
    "READABLE",
    "WRITABLE",
    "Image",
    "check_destination",
    "check_format",
    "read",
    "save",
    "write",
]
