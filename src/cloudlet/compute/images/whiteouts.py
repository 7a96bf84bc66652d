"""What is done where a layer says that something of the layers below it is gone."""

import os
import stat
from typing import Protocol

from cloudlet.compute.images.layer_folder import LayerFolder


class Whiteouts(Protocol):
    """What is done where a layer says that something below it is gone."""

    def remove(self, layer: LayerFolder, path: str) -> None:
        """`path` is gone."""

    def clear(self, layer: LayerFolder, path: str) -> None:
        """All that was in the folder `path` before this layer is gone."""


class Overlay:
    """For a layer in a folder of its own, which overlayfs will put over others."""

    def remove(self, layer: LayerFolder, path: str) -> None:
        kind = layer.kind(path)
        if kind is None:
            layer.mark_gone(path)
        elif kind == stat.S_IFDIR:  # gone, and here again as another
            layer.make_opaque(path)

    def clear(self, layer: LayerFolder, path: str) -> None:
        layer.make_opaque(path)


class Flat:
    """For layers that are unpacked one upon the other into the same folder."""

    def remove(self, layer: LayerFolder, path: str) -> None:
        if path not in layer.made:
            layer.remove(path)

    def clear(self, layer: LayerFolder, path: str) -> None:
        with layer.opened(path) as fd:
            names = os.listdir(fd)  # noqa: PTH208 - of a descriptor
        for name in names:
            below = f"{path}/{name}" if path != "." else name
            if below not in layer.made:
                layer.remove(below)
