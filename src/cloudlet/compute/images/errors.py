"""What can be wrong with an image. The texts are for whoever asked for it."""

from cloudlet.compute.function import ComputeError


class ImageError(ComputeError):
    """An image cannot be used."""


class InvalidReference(ImageError):
    """The text names no image."""


class ImageNotFound(ImageError):
    """There is no such image, tag or digest."""


class ImageAccessDenied(ImageError):
    """The registry, or this node's configuration, does not let the image be taken."""


class InvalidImage(ImageError):
    """The image is damaged, not what its digest says, or of a form that cannot be run."""


class UnsupportedImage(InvalidImage):
    """The image has a manifest, platform or layer that is not supported."""


class WrongPlatform(UnsupportedImage):
    """The image is for other machines than this one."""


class ImageTooLarge(InvalidImage):
    """The image is over a limit."""


class RegistryUnavailable(ImageError):
    """The registry does not answer, or answers with an error of its own; trying again may help."""
