"""ECR's modelled errors. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html"""

from cloudlet.errors import ServiceError


class InvalidParameter(ServiceError):
    """The specified parameter is invalid."""

    code = "InvalidParameterException"


class InvalidTagParameter(ServiceError):
    """An invalid parameter has been specified for a tag."""

    code = "InvalidTagParameterException"


class TooManyTags(ServiceError):
    """The list of tags on the repository is over the limit."""

    code = "TooManyTagsException"


class RepositoryNotFound(ServiceError):
    """The specified repository could not be found."""

    code = "RepositoryNotFoundException"


class RepositoryAlreadyExists(ServiceError):
    """The specified repository already exists in the specified registry."""

    code = "RepositoryAlreadyExistsException"


class RepositoryNotEmpty(ServiceError):
    """The specified repository contains images."""

    code = "RepositoryNotEmptyException"


class RepositoryPolicyNotFound(ServiceError):
    """The specified repository and registry combination does not have an associated repository policy."""

    code = "RepositoryPolicyNotFoundException"


class LifecyclePolicyNotFound(ServiceError):
    """The lifecycle policy could not be found, and no policy is set to the repository."""

    code = "LifecyclePolicyNotFoundException"


class ImageNotFound(ServiceError):
    """The image requested does not exist in the specified repository."""

    code = "ImageNotFoundException"


class ImageAlreadyExists(ServiceError):
    """The specified image has already been pushed, and there were no changes to the manifest or image tag since."""

    code = "ImageAlreadyExistsException"


class ImageTagAlreadyExists(ServiceError):
    """The specified image is tagged with a tag that already exists. The repository is configured for immutability."""

    code = "ImageTagAlreadyExistsException"


class ImageDigestDoesNotMatch(ServiceError):
    """The specified image digest does not match the digest that Amazon ECR calculated for the image."""

    code = "ImageDigestDoesNotMatchException"


class ReferencedImagesNotFound(ServiceError):
    """The manifest list is referencing an image that does not exist."""

    code = "ReferencedImagesNotFoundException"


class LayersNotFound(ServiceError):
    """The specified layers could not be found, or the specified layer is not valid for this repository."""

    code = "LayersNotFoundException"


class LayerAlreadyExists(ServiceError):
    """The image layer already exists in the associated repository."""

    code = "LayerAlreadyExistsException"


class InvalidLayer(ServiceError):
    """The layer digest calculation does not match the digest specified."""

    code = "InvalidLayerException"


class InvalidLayerPart(ServiceError):
    """The layer part size is not valid, or the first byte is not consecutive to the last byte of the part before."""

    code = "InvalidLayerPartException"


class UploadNotFound(ServiceError):
    """The upload could not be found, or the specified upload ID is not valid for this repository."""

    code = "UploadNotFoundException"


class EmptyUpload(ServiceError):
    """The specified layer upload does not contain any layer parts."""

    code = "EmptyUploadException"


class LimitExceeded(ServiceError):
    """The operation did not succeed because it would have exceeded a service limit."""

    code = "LimitExceededException"
