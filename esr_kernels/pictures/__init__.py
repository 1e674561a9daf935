"""Picture files: read, cut into tiles, upscaled, stitched together, written."""
