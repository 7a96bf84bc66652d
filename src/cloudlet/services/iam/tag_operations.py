"""IAM's operations on tags, which are the same for all kinds of entities that have some."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudlet.iam import (
    entity_table,
    instance_profile_table,
    policy_table,
    provider_table,
    role_table,
    server_certificate_table,
    user_table,
)
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import instance_profile as instance_profiles
from cloudlet.services.iam import oidc, saml
from cloudlet.services.iam import policy as policies
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import server_certificate as certificates
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam import user as users
from cloudlet.services.iam.shapes import page, page_request, tag_list
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class _Taggable(NamedTuple):
    """One kind of entities that have tags."""

    kind: str
    find: Callable[[Reader, str, Any], tuple[str, str]]
    """The account and the key of the entity that a request names: `find(reader, account, params)`."""


def _account_and_key(entity: Any) -> tuple[str, str]:
    return entity.account, entity.key


_USER = _Taggable(
    user_table.KIND,
    lambda reader, account, params: _account_and_key(users.get(reader, account, params["UserName"])),
)
_ROLE = _Taggable(
    role_table.KIND,
    lambda reader, account, params: _account_and_key(roles.get(reader, account, params["RoleName"])),
)
_POLICY = _Taggable(
    policy_table.KIND,
    lambda reader, account, params: _account_and_key(policies.get(reader, account, params["PolicyArn"])),
)
_OWN_POLICY = _Taggable(
    policy_table.KIND,
    lambda reader, account, params: _account_and_key(policies.get_own(reader, account, params["PolicyArn"])),
)
_INSTANCE_PROFILE = _Taggable(
    instance_profile_table.KIND,
    lambda reader, account, params: _account_and_key(
        instance_profiles.get(reader, account, params["InstanceProfileName"])
    ),
)
_OIDC_PROVIDER = _Taggable(
    provider_table.OIDC,
    lambda reader, account, params: _account_and_key(oidc.get(reader, account, params["OpenIDConnectProviderArn"])),
)
_SAML_PROVIDER = _Taggable(
    provider_table.SAML,
    lambda reader, account, params: _account_and_key(saml.get(reader, account, params["SAMLProviderArn"])),
)
_SERVER_CERTIFICATE = _Taggable(
    server_certificate_table.KIND,
    lambda reader, account, params: _account_and_key(
        certificates.get(reader, account, params["ServerCertificateName"])
    ),
)


class TagOperations(Service):
    """TagRole and its like."""

    @operation("TagUser")
    async def tag_user(self, context: RequestContext, params: "types.TagUserRequestTypeDef") -> Result:
        return await self._tag(_USER, context, params)

    @operation("UntagUser")
    async def untag_user(self, context: RequestContext, params: "types.UntagUserRequestTypeDef") -> Result:
        return await self._untag(_USER, context, params)

    @operation("ListUserTags")
    async def list_user_tags(self, context: RequestContext, params: "types.ListUserTagsRequestTypeDef") -> Result:
        return await self._list_tags(_USER, context, params)

    @operation("TagRole")
    async def tag_role(self, context: RequestContext, params: "types.TagRoleRequestTypeDef") -> Result:
        return await self._tag(_ROLE, context, params)

    @operation("UntagRole")
    async def untag_role(self, context: RequestContext, params: "types.UntagRoleRequestTypeDef") -> Result:
        return await self._untag(_ROLE, context, params)

    @operation("ListRoleTags")
    async def list_role_tags(self, context: RequestContext, params: "types.ListRoleTagsRequestTypeDef") -> Result:
        return await self._list_tags(_ROLE, context, params)

    @operation("TagPolicy")
    async def tag_policy(self, context: RequestContext, params: "types.TagPolicyRequestTypeDef") -> Result:
        return await self._tag(_OWN_POLICY, context, params)

    @operation("UntagPolicy")
    async def untag_policy(self, context: RequestContext, params: "types.UntagPolicyRequestTypeDef") -> Result:
        return await self._untag(_OWN_POLICY, context, params)

    @operation("ListPolicyTags")
    async def list_policy_tags(self, context: RequestContext, params: "types.ListPolicyTagsRequestTypeDef") -> Result:
        return await self._list_tags(_POLICY, context, params)

    @operation("TagInstanceProfile")
    async def tag_instance_profile(
        self, context: RequestContext, params: "types.TagInstanceProfileRequestTypeDef"
    ) -> Result:
        return await self._tag(_INSTANCE_PROFILE, context, params)

    @operation("UntagInstanceProfile")
    async def untag_instance_profile(
        self, context: RequestContext, params: "types.UntagInstanceProfileRequestTypeDef"
    ) -> Result:
        return await self._untag(_INSTANCE_PROFILE, context, params)

    @operation("ListInstanceProfileTags")
    async def list_instance_profile_tags(
        self, context: RequestContext, params: "types.ListInstanceProfileTagsRequestTypeDef"
    ) -> Result:
        return await self._list_tags(_INSTANCE_PROFILE, context, params)

    @operation("TagOpenIDConnectProvider")
    async def tag_open_id_connect_provider(
        self, context: RequestContext, params: "types.TagOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        return await self._tag(_OIDC_PROVIDER, context, params)

    @operation("UntagOpenIDConnectProvider")
    async def untag_open_id_connect_provider(
        self, context: RequestContext, params: "types.UntagOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        return await self._untag(_OIDC_PROVIDER, context, params)

    @operation("ListOpenIDConnectProviderTags")
    async def list_open_id_connect_provider_tags(
        self, context: RequestContext, params: "types.ListOpenIDConnectProviderTagsRequestTypeDef"
    ) -> Result:
        return await self._list_tags(_OIDC_PROVIDER, context, params)

    @operation("TagSAMLProvider")
    async def tag_saml_provider(self, context: RequestContext, params: "types.TagSAMLProviderRequestTypeDef") -> Result:
        return await self._tag(_SAML_PROVIDER, context, params)

    @operation("UntagSAMLProvider")
    async def untag_saml_provider(
        self, context: RequestContext, params: "types.UntagSAMLProviderRequestTypeDef"
    ) -> Result:
        return await self._untag(_SAML_PROVIDER, context, params)

    @operation("ListSAMLProviderTags")
    async def list_saml_provider_tags(
        self, context: RequestContext, params: "types.ListSAMLProviderTagsRequestTypeDef"
    ) -> Result:
        return await self._list_tags(_SAML_PROVIDER, context, params)

    @operation("TagServerCertificate")
    async def tag_server_certificate(
        self, context: RequestContext, params: "types.TagServerCertificateRequestTypeDef"
    ) -> Result:
        return await self._tag(_SERVER_CERTIFICATE, context, params)

    @operation("UntagServerCertificate")
    async def untag_server_certificate(
        self, context: RequestContext, params: "types.UntagServerCertificateRequestTypeDef"
    ) -> Result:
        return await self._untag(_SERVER_CERTIFICATE, context, params)

    @operation("ListServerCertificateTags")
    async def list_server_certificate_tags(
        self, context: RequestContext, params: "types.ListServerCertificateTagsRequestTypeDef"
    ) -> Result:
        return await self._list_tags(_SERVER_CERTIFICATE, context, params)

    async def _tag(self, taggable: _Taggable, context: RequestContext, params: Mapping[str, Any]) -> Result:
        tags = tagging.read_tags(taggable.kind, params["Tags"])

        def tag(tx: Transaction) -> None:
            account, key = taggable.find(tx, context.account, params)
            tagging.put(tx, account, taggable.kind, key, tags)

        await self.platform.store.transact(tag)
        return {}

    async def _untag(self, taggable: _Taggable, context: RequestContext, params: Mapping[str, Any]) -> Result:
        def untag(tx: Transaction) -> None:
            account, key = taggable.find(tx, context.account, params)
            entity_table.delete_tags(tx, account, taggable.kind, key, params["TagKeys"])

        await self.platform.store.transact(untag)
        return {}

    async def _list_tags(self, taggable: _Taggable, context: RequestContext, params: Mapping[str, Any]) -> Result:
        after, limit = page_request(params)

        def read(reader: Reader) -> list[tuple[str, str]]:
            account, key = taggable.find(reader, context.account, params)
            return entity_table.tags(reader, account, taggable.kind, key, after, limit + 1)

        found = await self.platform.store.read(read)
        shown, rest = page(found, limit, lambda tag: entity_table.tag_key(taggable.kind, tag[0]))
        return {"Tags": tag_list(shown), **rest}
