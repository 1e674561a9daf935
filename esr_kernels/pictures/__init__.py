"""Picture files: reading, tiling, upscaling, stitching, writing."""
