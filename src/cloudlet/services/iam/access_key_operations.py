"""IAM's operations on access keys: those of users, and those of the account's root."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.errors import AccessDenied
from cloudlet.iam import access_key_table, user_table
from cloudlet.iam.access_key_table import AccessKey
from cloudlet.iam.credentials import make_access_key_id
from cloudlet.iam.key_uses import KeyUses
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import limits
from cloudlet.services.iam import user as users
from cloudlet.services.iam.errors import NoSuchEntity
from cloudlet.services.iam.shapes import moment, page, page_request
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class AccessKeyOperations(Service):
    """CreateAccessKey and its like."""

    _uses: KeyUses

    @operation("CreateAccessKey")
    async def create_access_key(self, context: RequestContext, params: "types.CreateAccessKeyRequestTypeDef") -> Result:
        access_key_id = make_access_key_id("AKIA", context.account, self.platform.ids)
        secret, now = self.platform.ids.secret_access_key(), self.platform.clock.now()

        def create(tx: Transaction) -> dict[str, Any]:
            user_key, user_name = _owner(tx, context, params)
            key = AccessKey(access_key_id, context.account, user_key, secret, "Active", now)
            access_key_table.add(tx, key)
            count = len(access_key_table.of_user(tx, context.account, user_key))
            limits.check_quota("AccessKeysPerUser", count, limits.ACCESS_KEYS_PER_USER)
            return _describe(key, user_name) | {"SecretAccessKey": secret}

        return {"AccessKey": await self.platform.store.transact(create)}

    @operation("ListAccessKeys")
    async def list_access_keys(self, context: RequestContext, params: "types.ListAccessKeysRequestTypeDef") -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[dict[str, Any]]:
            user_key, user_name = _owner(reader, context, params)
            return [_describe(key, user_name) for key in access_key_table.of_user(reader, context.account, user_key)]

        found = await self.platform.store.read(read)
        position = next((index + 1 for index, key in enumerate(found) if key["AccessKeyId"] == after), 0)
        shown, rest = page(found[position:], limit, lambda key: str(key["AccessKeyId"]))
        return {"AccessKeyMetadata": shown, **rest}

    @operation("UpdateAccessKey")
    async def update_access_key(self, context: RequestContext, params: "types.UpdateAccessKeyRequestTypeDef") -> Result:
        def update(tx: Transaction) -> None:
            key = _own_key(tx, context, params)
            access_key_table.set_status(tx, key.access_key_id, params["Status"])

        await self.platform.store.transact(update)
        return {}

    @operation("DeleteAccessKey")
    async def delete_access_key(self, context: RequestContext, params: "types.DeleteAccessKeyRequestTypeDef") -> Result:
        def delete(tx: Transaction) -> None:
            access_key_table.delete(tx, _own_key(tx, context, params).access_key_id)

        await self.platform.store.transact(delete)
        return {}

    @operation("GetAccessKeyLastUsed")
    async def get_access_key_last_used(
        self, context: RequestContext, params: "types.GetAccessKeyLastUsedRequestTypeDef"
    ) -> Result:
        await self._uses.write()

        def read(reader: Reader) -> Result:
            key = access_key_table.find(reader, params["AccessKeyId"])
            if key is None or key.account != context.account:
                raise AccessDenied(
                    f"User: {context.principal.arn} is not authorized to perform iam:GetAccessKeyLastUsed on "
                    f"resource: access key {params['AccessKeyId']}"
                )
            user = user_table.find(reader, key.account, key.user_key)
            name = {"UserName": user.name} if user else {}
            return {**name, "AccessKeyLastUsed": _describe_use(access_key_table.last_use(reader, key.access_key_id))}

        return await self.platform.store.read(read)


def _owner(reader: Reader, context: RequestContext, params: Mapping[str, Any]) -> tuple[str, str]:
    """The key and the name of whose access keys a request is about, both empty for root.

    Raises NoSuchEntity, ValidationError.
    """
    name = users.named(context, params)
    if name is None:
        return "", ""
    user = users.get(reader, context.account, name)
    return user.key, user.name


def _own_key(reader: Reader, context: RequestContext, params: Mapping[str, Any]) -> AccessKey:
    """The access key that a request names. Raises NoSuchEntity, ValidationError."""
    user_key, _ = _owner(reader, context, params)
    key = access_key_table.find(reader, params["AccessKeyId"])
    if key is None or (key.account, key.user_key) != (context.account, user_key):
        raise NoSuchEntity(f"The Access Key with id {params['AccessKeyId']} cannot be found.")
    return key


def _describe(key: AccessKey, user_name: str) -> dict[str, Any]:
    named = {"UserName": user_name} if user_name else {}
    return {
        **named,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": moment(key.created),
    }


def _describe_use(use: access_key_table.Use | None) -> dict[str, Any]:
    if use is None:
        return {"ServiceName": "N/A", "Region": "N/A"}
    return {"LastUsedDate": moment(use.used), "ServiceName": use.service, "Region": use.region}
