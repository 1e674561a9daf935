"""The networks, one file each, and the backbones that several share."""
