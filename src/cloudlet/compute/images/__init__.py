"""Container images: named, taken from where they are, kept, unpacked and run.

    reference --source--> manifest, configuration --pull--> parts in the store --unpack--> layers on disk --> a sandbox

Parts are kept once by digest (`store`), layers are unpacked once (`layer_cache`) and mounted over each other by the
launcher, not copied. `flatten` unpacks an image into one folder, for who needs that.
"""

from cloudlet.compute.images.engine import Images, RunnableImage
from cloudlet.compute.images.errors import (
    ImageAccessDenied,
    ImageError,
    ImageNotFound,
    InvalidImage,
    InvalidReference,
    RegistryUnavailable,
    UnsupportedImage,
    WrongPlatform,
)
from cloudlet.compute.images.flatten import flatten
from cloudlet.compute.images.manifest import ImageConfig
from cloudlet.compute.images.pull import Image
from cloudlet.compute.images.reference import Reference

__all__ = [
    "Image",
    "ImageAccessDenied",
    "ImageConfig",
    "ImageError",
    "ImageNotFound",
    "Images",
    "InvalidImage",
    "InvalidReference",
    "Reference",
    "RegistryUnavailable",
    "RunnableImage",
    "UnsupportedImage",
    "WrongPlatform",
    "flatten",
]
