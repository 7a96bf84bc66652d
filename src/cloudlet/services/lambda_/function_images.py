"""The container images that functions are made of: found, checked, and kept while a version needs them.

    ImageUri --whose registry?--> Cloudlet's own: asked for through ECR, as Lambda; all its parts are here
                              --> another, or a place on disk: read from there; see `Config.image_registries`

A tag becomes a digest here, once: what is pushed to the tag later changes nothing, as on AWS. From Cloudlet's own
registry Lambda takes an image only where the repository's policy lets `lambda.amazonaws.com`; within an account Lambda
adds that to the policy by itself, if who creates the function may change it.
https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#configuration-images-permissions
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.compute.images import (
    Image,
    ImageAccessDenied,
    ImageError,
    ImageNotFound,
    Images,
    InvalidReference,
    Reference,
    UnsupportedImage,
    WrongPlatform,
)
from cloudlet.compute.images.manifest import Index, choose, machine_architecture, parse_manifest
from cloudlet.compute.images.registry_client import is_this_machine
from cloudlet.compute.images.store import use
from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.errors import ImageRefused, InvalidParameterValue
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.packages import Package, Packages, image_user

SERVICE = "lambda.amazonaws.com"
POLICY_ID = "LambdaECRImageRetrievalPolicy"
_ACTIONS = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class _PolicyDenies(ImageAccessDenied):
    """The policy of a repository does not let Lambda have its images."""

    def __init__(self) -> None:
        super().__init__("Lambda does not have permission to access the ECR image. Check the ECR permissions.")


@dataclass(frozen=True, slots=True)
class HeldImage:
    """An image that is kept while a request is about it."""

    package: Package
    described: dict[str, str]
    """What a function's configuration keeps of it."""


@dataclass(frozen=True, slots=True)
class _Found:
    image: Image
    source: str
    """Where it will be brought from; empty when its parts are here."""


class FunctionImages:
    """Finds images for functions."""

    def __init__(self, platform: Platform, images: Images, packages: Packages) -> None:
        self._platform = platform
        self._images = images
        self._packages = packages

    @contextlib.asynccontextmanager
    async def hold(self, context: RequestContext, ref: FunctionRef, uri: str) -> AsyncIterator[HeldImage]:
        """The image that `uri` means now, kept while this lasts. Raises InvalidParameterValue, ImageRefused."""
        reference = _parsed(uri)
        try:
            found = await self._found(context, ref, reference, uri)
        except ImageError as error:
            raise _refusal(uri, error) from error
        image = found.image
        resolved = f"{reference.repository}@sha256:{image.digest}"
        described = {"uri": uri, "resolved": resolved, "source": found.source}
        async with self._packages.hold_digest(context, image.digest), self._images.store.hold(image.parts):
            await self._platform.store.transact(lambda tx: use(tx, image_user(image.digest), image.parts))
            await self._bring(reference, found, uri)
            # What it takes in registries is not a part of an account's code storage.
            yield HeldImage(Package(image.digest, 0), described)

    async def _bring(self, reference: Reference, found: _Found, uri: str) -> None:
        """Make sure of parts that have to be here before the function is."""
        try:
            if reference.transport != "docker":  # what lies on this node's disk, another node may not have
                await self._images.pull(reference, found.image.digest)
            if not found.source and not await self._images.is_whole(found.image.digest):
                raise ImageNotFound("It was deleted.")
        except ImageError as error:
            raise _refusal(uri, error) from error

    async def _found(self, context: RequestContext, ref: FunctionRef, reference: Reference, uri: str) -> _Found:
        registry = self._own_registry(context, reference)
        if registry is None:
            image = await self._images.resolve(reference)
            return _Found(image, uri if reference.transport == "docker" else "")
        account, region = registry
        if region != context.region:
            raise InvalidReference(f"The image is in {region}, and the function in {context.region}.")
        return _Found(await self._of_own_registry(context, ref, reference, account), "")

    def _own_registry(self, context: RequestContext, reference: Reference) -> tuple[str, str] | None:
        """Account and region, when `reference` is to this node's registry."""
        config = self._platform.config
        outside = {name.strip() for name in config.image_registries.split(",")}
        if reference.transport != "docker" or reference.host in outside:
            return None
        if reference.ecr is not None:
            return reference.ecr
        here = context.endpoint.partition("://")[2].lower() or f"{config.host}:{config.port}"
        if reference.host == here:
            return context.account, context.region
        # `localhost` and 127.0.0.1 are the same place, when it is the same port.
        ports = {here.rpartition(":")[2], str(config.port)}
        if is_this_machine(reference.host) and _is_loopback(here) and reference.host.rpartition(":")[2] in ports:
            return context.account, context.region
        return None

    async def _of_own_registry(
        self, context: RequestContext, ref: FunctionRef, reference: Reference, account: str
    ) -> Image:
        about = {"registryId": account, "repositoryName": reference.name}
        try:
            return await self._had(context, ref, about, reference.selector)
        except AccessDenied:
            if account != context.account or not await self._let_in(context, about):
                raise _PolicyDenies from None
        try:
            return await self._had(context, ref, about, reference.selector)
        except AccessDenied as error:
            raise _PolicyDenies from error

    async def _had(self, context: RequestContext, ref: FunctionRef, about: dict[str, Any], selector: str) -> Image:
        """The image of a tag or digest, as far as the policy of its repository lets Lambda have it."""
        as_lambda = Principal.service(SERVICE, context.account)
        call = context.for_call(as_lambda, self._platform.ids.uuid(), SERVICE, ref.arn)
        calls = self._platform.calls
        try:
            content = await self._manifest(call, about, selector)
            digest, manifest = content[0], parse_manifest(content[1].encode())
            if isinstance(manifest, Index):
                content = await self._manifest(call, about, choose(manifest, machine_architecture()).digest)
                digest, manifest = content[0], parse_manifest(content[1].encode())
                if isinstance(manifest, Index):
                    raise UnsupportedImage("The index names another index.")
            layer = {**about, "layerDigest": manifest.config.digest}
            await calls.call(call, "ecr", "GetDownloadUrlForLayer", layer)
        except ServiceError as error:
            if error.code in ("RepositoryNotFoundException", "LayersNotFoundException"):
                raise ImageNotFound(error.message) from error
            if error.code == "InvalidParameterException":
                raise InvalidReference(error.message) from error
            raise
        return await self._images.kept(digest.partition(":")[2])

    async def _manifest(self, call: RequestContext, about: dict[str, Any], selector: str) -> tuple[str, str]:
        member = "imageDigest" if ":" in selector else "imageTag"
        got = await self._platform.calls.call(call, "ecr", "BatchGetImage", {**about, "imageIds": [{member: selector}]})
        if not got["images"]:
            raise ImageNotFound(got["failures"][0]["failureReason"])
        image = got["images"][0]
        return image["imageId"]["imageDigest"], image["imageManifest"]

    async def _let_in(self, context: RequestContext, about: dict[str, Any]) -> bool:
        """Add Lambda to the policy of a repository, as the caller; false when the caller may not."""
        calls = self._platform.calls
        call = context.for_call(context.principal, self._platform.ids.uuid(), SERVICE)
        try:
            text = (await calls.call(call, "ecr", "GetRepositoryPolicy", about))["policyText"]
        except ServiceError as error:
            if error.code != "RepositoryPolicyNotFoundException":
                return False
            text = '{"Version": "2008-10-17", "Statement": []}'
        policy = orjson.loads(text)
        before = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        arn = f"arn:aws:lambda:{context.region}:{context.account}:function:*"
        statement = {
            "Sid": POLICY_ID,
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": _ACTIONS,
            "Condition": {"StringLike": {"aws:sourceArn": arn}},
        }
        policy["Statement"] = [*(one for one in before if one.get("Sid") != POLICY_ID), statement]
        change = context.for_call(context.principal, self._platform.ids.uuid(), SERVICE)
        request = {**about, "policyText": orjson.dumps(policy).decode()}
        try:
            await calls.call(change, "ecr", "SetRepositoryPolicy", request)
        except ServiceError:
            return False
        return True


def _is_loopback(host: str) -> bool:
    """`host` is what a client has sent."""
    try:
        return is_this_machine(host)
    except ValueError:
        return False


def _parsed(uri: str) -> Reference:
    try:
        return Reference.parse(uri)
    except ImageError as error:
        raise _refusal(uri, error) from error


def _refusal(uri: str, error: ImageError) -> ServiceError:
    """What is wrong with an image, as AWS says it."""
    if isinstance(error, ImageAccessDenied):
        return ImageRefused(str(error))
    if isinstance(error, WrongPlatform):
        return InvalidParameterValue(f"Source image {uri} cannot run on this machine. {error}")
    if isinstance(error, UnsupportedImage):
        return InvalidParameterValue(
            f"The image manifest, config or layer media type for the source image {uri} is not supported."
        )
    if isinstance(error, ImageNotFound):
        return InvalidParameterValue(f"Source image {uri} does not exist. Provide a valid source image.")
    if isinstance(error, InvalidReference):
        return InvalidParameterValue(f"Source image {uri} is not valid. Provide a valid source image.")
    return InvalidParameterValue(f"Source image {uri} is not valid. {error}")
