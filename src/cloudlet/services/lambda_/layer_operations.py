"""The operations on layers."""

from collections.abc import Callable
from typing import Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import layer, layer_tables, limits, packages, tables
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.code_urls import CodeUrls
from cloudlet.services.lambda_.errors import CodeStorageExceeded, InvalidParameterValue, ResourceNotFound
from cloudlet.services.lambda_.layer import LayerVersion
from cloudlet.services.lambda_.limits import PAGE_ITEMS
from cloudlet.services.lambda_.names import cross_account
from cloudlet.services.lambda_.packages import Packages
from cloudlet.services.lambda_.paging import page_items, read_marker, write_marker
from cloudlet.store.base import Reader, Transaction

_ALL = 1 << 62


class LayerOperations(LambdaParts):
    """PublishLayerVersion and what follows."""

    packages: Packages
    code_urls: CodeUrls

    @operation("PublishLayerVersion")
    async def publish_layer_version(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = layer.key_of(context, params["LayerName"])
        layer.check_runtimes(params.get("CompatibleRuntimes"))
        content = await self.packages.content(context, params["Content"])
        unpacked = await self.packages.check(content)

        def publish(tx: Transaction) -> LayerVersion:
            _, used_bytes, _ = tables.usage(tx, key[0], key[1])
            used_bytes += layer_tables.stored_bytes(tx, key[0], key[1])
            if used_bytes + package.size_bytes > limits.TOTAL_CODE_BYTES:
                raise CodeStorageExceeded("Code storage limit exceeded.")
            made = LayerVersion(
                *key,
                layer_tables.take_version_number(tx, key),
                package.digest,
                package.size_bytes,
                unpacked,
                params.get("Description") or "",
                params.get("LicenseInfo") or "",
                orjson.dumps(params.get("CompatibleRuntimes")).decode(),
                orjson.dumps(params.get("CompatibleArchitectures")).decode(),
                self.make.now_ms(),
            )
            made.put(tx)
            return made

        async with self.packages.hold(context, content) as package:
            made = await self.store.transact(publish)
        return await self._shown(context, made)

    @operation("GetLayerVersion")
    async def get_layer_version(self, context: RequestContext, params: dict[str, Any]) -> Result:
        found = await self.find_layer(layer.key_of(context, params["LayerName"]), params["VersionNumber"])
        return await self._shown(context, found)

    @operation("GetLayerVersionByArn")
    async def get_layer_version_by_arn(self, context: RequestContext, params: dict[str, Any]) -> Result:
        parsed = layer.parse_arn(params["Arn"])
        if parsed is None:
            raise ResourceNotFound(f"Layer version {params['Arn']} does not exist.")
        return await self._shown(context, await self.find_layer(*parsed))

    @operation("ListLayers")
    async def list_layers(self, context: RequestContext, params: dict[str, Any]) -> Result:
        account, region, items = context.account, context.region, page_items(params)
        [after] = read_marker(params, ("",))
        is_wanted = _filter(params)

        def read(reader: Reader) -> list[LayerVersion]:
            found: list[LayerVersion] = []
            names = layer_tables.names(reader, account, region, after, PAGE_ITEMS)
            while names and len(found) <= items:
                latest = (_latest(reader, (account, region, name), is_wanted) for name in names)
                found += [each for each in latest if each is not None]
                names = layer_tables.names(reader, account, region, names[-1], PAGE_ITEMS)
            return found

        found = await self.store.read(read)
        shown = [
            {"LayerName": each.name, "LayerArn": each.layer_arn, "LatestMatchingVersion": each.listed()}
            for each in found[:items]
        ]
        more = {"NextMarker": write_marker([found[items - 1].name])} if len(found) > items else {}
        return {"Layers": shown, **more}

    @operation("ListLayerVersions")
    async def list_layer_versions(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, items = layer.key_of(context, params["LayerName"]), page_items(params)
        if key[0] != context.account:  # no policy of a layer can let others do this
            raise cross_account(context, f"arn:aws:lambda:{key[1]}:{key[0]}:layer:{key[2]}")
        [before] = read_marker(params, (_ALL,))
        is_wanted = _filter(params)

        def read(reader: Reader) -> list[LayerVersion]:
            found: list[LayerVersion] = []
            rows = layer_tables.versions(reader, key, before, PAGE_ITEMS)
            while rows and len(found) <= items:
                found += filter(is_wanted, map(LayerVersion.from_row, rows))
                rows = layer_tables.versions(reader, key, rows[-1][3], PAGE_ITEMS)
            return found

        found = await self.store.read(read)
        more = {"NextMarker": write_marker([found[items - 1].version])} if len(found) > items else {}
        return {"LayerVersions": [each.listed() for each in found[:items]], **more}

    @operation("DeleteLayerVersion")
    async def delete_layer_version(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, number = layer.key_of(context, params["LayerName"]), params["VersionNumber"]

        def delete(tx: Transaction) -> None:
            packages.release(tx, [layer_tables.delete_version(tx, key, number)])

        await self.store.transact(delete)
        return {}

    @operation("AddLayerVersionPermission")
    async def add_layer_version_permission(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, revision_id = layer.key_of(context, params["LayerName"]), self.platform.ids.uuid()

        def add(tx: Transaction) -> str:
            found = layer.existing(tx, key, params["VersionNumber"])
            return layer.add_statement(tx, found, params, revision_id)

        return {"Statement": await self.store.transact(add), "RevisionId": revision_id}

    @operation("RemoveLayerVersionPermission")
    async def remove_layer_version_permission(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, revision_id = layer.key_of(context, params["LayerName"]), self.platform.ids.uuid()

        def remove(tx: Transaction) -> None:
            found = layer.existing(tx, key, params["VersionNumber"])
            layer.remove_statement(tx, found, params["StatementId"], params.get("RevisionId"), revision_id)

        await self.store.transact(remove)
        return {}

    @operation("GetLayerVersionPolicy")
    async def get_layer_version_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        found = await self.find_layer(layer.key_of(context, params["LayerName"]), params["VersionNumber"])
        if found.policy is None:
            raise ResourceNotFound("No policy is associated with the given resource.")
        return {"Policy": found.policy, "RevisionId": found.revision_id}

    async def find_layer(self, key: layer_tables.LayerKey, number: int) -> LayerVersion:
        """A version of a layer. Raises ResourceNotFound."""
        return await self.store.read(lambda reader: layer.existing(reader, key, number))

    async def layers_of(self, context: RequestContext, params: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The layers that a function is to have, as its configuration keeps them; None where the caller names none.

        The caller needs the permission to get each: another account's by the policy of its layer. Raises
        InvalidParameterValue, AccessDenied.
        """
        arns: list[str] | None = params.get("Layers")
        if arns is None:
            return None
        layer.check_arns(arns, context.region)
        uses = []
        for arn in arns:
            call = context.for_call(context.principal, self.platform.ids.uuid(), "lambda.amazonaws.com")
            try:
                await self.platform.calls.call(call, "lambda", "GetLayerVersionByArn", {"Arn": arn})
                parsed = layer.parse_arn(arn)
                assert parsed is not None, arn
                uses.append((await self.find_layer(*parsed)).use())
            except ResourceNotFound:
                raise InvalidParameterValue(f"Layer version {arn} does not exist.") from None
        return uses

    async def _shown(self, context: RequestContext, found: LayerVersion) -> Result:
        return found.shown(await self.code_urls.url(context.endpoint, found.digest))


def _latest(
    reader: Reader, key: layer_tables.LayerKey, is_wanted: Callable[[LayerVersion], bool]
) -> LayerVersion | None:
    """The latest version of a layer that is wanted."""
    rows = layer_tables.versions(reader, key, _ALL, 1000)
    return next(filter(is_wanted, map(LayerVersion.from_row, rows)), None)


def _filter(params: dict[str, Any]) -> Callable[[LayerVersion], bool]:
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")

    def is_wanted(each: LayerVersion) -> bool:
        runtimes, architectures = orjson.loads(each.runtimes), orjson.loads(each.architectures)
        return (not runtime or runtime in (runtimes or ())) and (
            not architecture or architectures is None or architecture in architectures
        )

    return is_wanted
