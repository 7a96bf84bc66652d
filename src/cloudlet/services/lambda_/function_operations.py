"""The operations on functions and their versions."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from cloudlet.errors import ValidationError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import code_signing, code_signing_tables, limits, tables, tagging
from cloudlet.services.lambda_ import configuration as configurations
from cloudlet.services.lambda_ import function as functions
from cloudlet.services.lambda_.errors import CrossAccount, InvalidParameterValue
from cloudlet.services.lambda_.function_images import FunctionImages
from cloudlet.services.lambda_.layer import check_size
from cloudlet.services.lambda_.layer_operations import LayerOperations
from cloudlet.services.lambda_.names import LATEST, CodeSigningKey, FunctionRef, only_function, resolve
from cloudlet.services.lambda_.packages import Package
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.version import Configuration, Version, find
from cloudlet.services.lambda_.version_description import describe
from cloudlet.store.base import Reader, Row, Transaction

_ZIP_SOURCES = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")


class FunctionOperations(LayerOperations):
    """CreateFunction and what follows."""

    images: FunctionImages

    @operation("CreateFunction")
    async def create_function(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = _new_name(context, params["FunctionName"])
        configuration = configurations.create(params, await self.layers_of(context, params))
        package_type = params.get("PackageType") or "Zip"
        _check_source(params["Code"], package_type, "creating")
        tags = params.get("Tags") or {}
        tagging.check(tags)
        signing = await self._new_code_signing(context, params, ref)
        content = b""
        if package_type == "Zip":
            content = await self.packages.content(context, params["Code"])
            check_size(await self.packages.check(content), configuration.layers)
            configuration = await self.with_runtime(configuration)
        await self.check_role(context, params, ref)
        await self.check_dead_letters(params, ref, configuration.role)
        await self.check_network(params, ref, configuration.role)
        publish = bool(params.get("Publish"))
        if publish:
            await self.check_snapshot(configuration)

        def create(tx: Transaction) -> list[Version]:
            made = functions.create(tx, self.make, ref, whole, package, tags, publish=publish)
            if signing is not None:
                code_signing.for_function(tx, signing)
                code_signing_tables.set_code_signing(tx, ref, signing.config_id)
            return made

        async with self._held(context, ref, content, params["Code"]) as (package, image):
            whole = configurations.with_image(configuration, image)
            made = await self.store.transact(create)
        return describe(made[-1], ref.arn)

    async def _new_code_signing(
        self, context: RequestContext, params: dict[str, Any], ref: FunctionRef
    ) -> CodeSigningKey | None:
        """The code signing configuration that a new function is to have. Raises CodeVerificationFailed and others."""
        if not params.get("CodeSigningConfigArn"):
            return None
        if params.get("PackageType") == "Image":
            raise InvalidParameterValue(code_signing.NOT_FOR_IMAGES)
        key = CodeSigningKey.of(context, params)
        code_signing.check(await self.store.read(lambda reader: code_signing.for_function(reader, key)), ref)
        return key

    async def _check_signature(self, ref: FunctionRef) -> None:
        """Code is about to be deployed. Raises CodeVerificationFailed where the function's must be signed."""
        code_signing.check(await self.store.read(lambda reader: code_signing.of_function(reader, ref)), ref)

    @operation("UpdateFunctionCode")
    async def update_function_code(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = only_function(resolve(context, params["FunctionName"]), LATEST)
        configurations.refuse_unbuilt(params)
        architecture = configurations.architecture(params)
        await self.settled(ref)
        latest = await self.store.read(lambda reader: find(reader, ref.qualified("")))
        if params.get("Publish"):
            await self.check_snapshot(latest.configuration)
        package_type = latest.configuration.package_type
        _check_source(params, package_type, "updating")
        content, unpacked = b"", 0
        if package_type == "Zip":
            content = await self.packages.content(context, params)
            unpacked = await self.packages.check(content)
            await self._check_signature(ref)
        async with self._held(context, ref, content, params) as (package, image):

            def change(current: Configuration) -> Configuration:
                _check_source(params, current.package_type, "updating")  # it may be another function by now
                check_size(unpacked, current.layers)
                return configurations.with_image(configurations.with_architecture(current, architecture), image)

            if params.get("DryRun"):
                return await self._dry_run(ref, params, change, package)
            return await self._update(ref, params, change, package)

    @contextlib.asynccontextmanager
    async def _held(
        self, context: RequestContext, ref: FunctionRef, content: bytes, code: Mapping[str, Any]
    ) -> AsyncIterator[tuple[Package, Mapping[str, str] | None]]:
        """The code package, or the image that `code` names with what a configuration keeps of it, while this lasts."""
        if code.get("ImageUri"):
            async with self.images.hold(context, ref, code["ImageUri"]) as held:
                yield held.package, held.described
        else:
            async with self.packages.hold(context, content) as package:
                yield package, None

    @operation("UpdateFunctionConfiguration")
    async def update_function_configuration(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = only_function(resolve(context, params["FunctionName"]), LATEST)
        await self.settled(ref)
        current = await self.store.read(lambda reader: find(reader, ref.qualified("")))
        # Once here for the errors that need no transaction, then on whatever is current when it is done.
        layers = await self.layers_of(context, params)
        changed = configurations.update(current.configuration, params, layers)
        if changed.image is None:
            changed = await self.with_runtime(changed)
        if layers:
            await self._check_signature(ref)
            check_size(await self.packages.unpacked_bytes(current.code_digest), layers)
        await self.check_role(context, params, ref)
        await self.check_dead_letters(params, ref, changed.role)
        await self.check_network(params, ref, changed.role)

        def change(current: Configuration) -> Configuration:
            return configurations.with_runs_on(configurations.update(current, params, layers), changed.runs_on)

        return await self._update(ref, params, change, None)

    async def _update(
        self, ref: FunctionRef, params: dict[str, Any], change: functions.Change, package: Package | None
    ) -> Result:
        def update(tx: Transaction) -> list[Version]:
            latest = functions.update(tx, self.make, ref, params.get("RevisionId"), change, package)
            if package is None or not params.get("Publish"):
                return [latest]
            return [latest, functions.publish_update(tx, self.make, latest)]

        made = await self.store.transact(update)
        shown = made[-1]
        return describe(shown, ref.qualified(shown.number).qualified_arn if len(made) > 1 else ref.arn)

    async def _dry_run(
        self, ref: FunctionRef, params: dict[str, Any], change: functions.Change, package: Package
    ) -> Result:
        current = await self.store.read(lambda reader: find(reader, ref.qualified("")))
        functions.check_revision(params.get("RevisionId"), current.revision_id)
        changed = replace(current, configuration=change(current.configuration))
        return describe(functions.with_package(changed, package), ref.arn)

    @operation("GetFunction")
    async def get_function(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))

        def read(reader: Reader) -> tuple[Version, Row | None]:
            return find(reader, ref), tables.function(reader, ref)

        version, function = await self.store.read(read)
        answer: dict[str, Any] = {
            "Configuration": describe(version, ref.qualified_arn),
            "Code": await self._code(context, version),
        }
        _, tags, reserved = function or (0, "{}", None)
        if tags != "{}":
            answer["Tags"] = orjson.loads(tags)
        if reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return answer

    async def _code(self, context: RequestContext, version: Version) -> dict[str, str]:
        image = version.configuration.image
        if image is not None:
            return {"RepositoryType": "ECR", "ImageUri": image["uri"], "ResolvedImageUri": image["resolved"]}
        url = await self.code_urls.url(context.endpoint, version.code_digest)
        return {"RepositoryType": "S3", "Location": url}

    @operation("GetFunctionConfiguration")
    async def get_function_configuration(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        version = await self.store.read(lambda reader: find(reader, ref))
        return describe(version, ref.qualified_arn)

    @operation("ListFunctions")
    async def list_functions(self, context: RequestContext, params: dict[str, Any]) -> Result:
        account, region, items = context.account, context.region, page_items(params)
        if params.get("MasterRegion", "ALL") not in ("ALL", region):
            return {"Functions": []}  # no function here is the replica of one elsewhere
        if params.get("FunctionVersion") == "ALL":
            name, sequence = read_marker(params, ("", -1))
            rows = await self.store.read(
                lambda reader: tables.all_versions(reader, account, region, (name, sequence), items + 1)
            )
            marker = next_marker(rows, items, 2, 3)
        else:
            [name] = read_marker(params, ("",))
            rows = await self.store.read(
                lambda reader: tables.latest_versions(reader, account, region, name, items + 1)
            )
            marker = next_marker(rows, items, 2)
        qualified = params.get("FunctionVersion") == "ALL"
        return _page("Functions", rows[:items], marker, qualified=qualified)

    @operation("DeleteFunction")
    async def delete_function(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        await self.store.transact(lambda tx: functions.delete(tx, ref))
        return {"StatusCode": 204}

    @operation("PublishVersion")
    async def publish_version(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"])
        configurations.refuse_unbuilt(params)
        await self.settled(ref, updates=True)
        await self._check_publication(ref)
        version = await self.store.transact(
            lambda tx: functions.publish(
                tx,
                self.make,
                ref,
                description=params.get("Description"),
                code_sha256=params.get("CodeSha256"),
                revision_id=params.get("RevisionId"),
            )
        )
        return describe(version, ref.qualified(version.number).qualified_arn)

    async def _check_publication(self, ref: FunctionRef) -> None:
        latest = await self.store.read(lambda reader: find(reader, ref.qualified("")))
        await self.check_snapshot(latest.configuration)

    @operation("ListVersionsByFunction")
    async def list_versions_by_function(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]), page_items(params)
        [after] = read_marker(params, (-1,))

        def read(reader: Reader) -> list[Row]:
            functions.check_exists(reader, ref)
            return tables.versions(reader, ref, after, items + 1)

        rows = await self.store.read(read)
        return _page("Versions", rows[:items], next_marker(rows, items, 3), qualified=True)


def _check_source(code: Mapping[str, Any], package_type: str, doing: str) -> None:
    """Raises InvalidParameterValue for code that is not of the function's kind."""
    if package_type == "Zip" and code.get("ImageUri"):
        raise InvalidParameterValue(f"Please don't provide ImageUri when {doing} a function with packageType Zip.")
    if package_type == "Image" and not code.get("ImageUri"):
        raise InvalidParameterValue(f"Please provide ImageUri when {doing} a function with packageType Image.")
    if package_type == "Image" and any(code.get(name) for name in _ZIP_SOURCES):
        raise InvalidParameterValue("Please do not provide other FunctionCode parameters when providing an ImageUri.")


def _page(member: str, rows: list[Row], marker: str | None, *, qualified: bool) -> Result:
    versions = [Version.from_row(row) for row in rows]
    shown = [
        describe(version, version.ref.qualified(version.number if qualified else "").qualified_arn, listed=True)
        for version in versions
    ]
    return {member: shown, "NextMarker": marker} if marker else {member: shown}


def _new_name(context: RequestContext, name: str) -> FunctionRef:
    """The function to be created. Raises InvalidParameterValue, ValidationError for a name that cannot be one."""
    try:
        ref = resolve(context, name)
    except CrossAccount:
        raise CrossAccount(None) from None  # type: ignore[arg-type]  # AWS's answer has null for a message here
    if ref.qualifier:
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            "Member must not have a qualifier"
        )
    if len(ref.name) > limits.FUNCTION_NAME_LENGTH:
        raise InvalidParameterValue(
            f"1 validation error detected: Value '{ref.name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limits.FUNCTION_NAME_LENGTH}"
        )
    return ref
