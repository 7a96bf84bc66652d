"""IAM's operations on identity providers: OpenID Connect and SAML."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudlet.errors import OperationNotImplemented
from cloudlet.iam import provider_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.provider_table import OIDC, SAML, Provider
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import oidc, saml
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.shapes import tag_list
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class ProviderOperations(Service):
    """CreateOpenIDConnectProvider, CreateSAMLProvider and their like."""

    @operation("CreateOpenIDConnectProvider")
    async def create_open_id_connect_provider(
        self, context: RequestContext, params: "types.CreateOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        tags = tagging.read_tags(OIDC, params.get("Tags", ()))
        url = params["Url"]
        content = {
            "client_ids": list(dict.fromkeys(params.get("ClientIDList", ()))),
            "thumbprints": list(params.get("ThumbprintList", ())),
        }
        provider = Provider(context.account, OIDC, oidc.key_of_url(url), content, self.platform.clock.now())
        await self.platform.store.transact(lambda tx: oidc.create(tx, provider, url, tags))
        return {"OpenIDConnectProviderArn": provider.arn, **({"Tags": tag_list(tags)} if tags else {})}

    @operation("GetOpenIDConnectProvider")
    async def get_open_id_connect_provider(
        self, context: RequestContext, params: "types.GetOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        arn = params["OpenIDConnectProviderArn"]
        return await self.platform.store.read(
            lambda reader: oidc.describe(reader, oidc.get(reader, context.account, arn))
        )

    @operation("ListOpenIDConnectProviders")
    async def list_open_id_connect_providers(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        found = await self.platform.store.read(lambda reader: provider_table.all_of(reader, context.account, OIDC))
        return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in found]}

    @operation("DeleteOpenIDConnectProvider")
    async def delete_open_id_connect_provider(
        self, context: RequestContext, params: "types.DeleteOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        arn = params["OpenIDConnectProviderArn"]
        await self.platform.store.transact(lambda tx: oidc.delete(tx, context.account, arn))
        return {}

    @operation("UpdateOpenIDConnectProviderThumbprint")
    async def update_open_id_connect_provider_thumbprint(
        self, context: RequestContext, params: "types.UpdateOpenIDConnectProviderThumbprintRequestTypeDef"
    ) -> Result:
        def update(tx: Transaction) -> None:
            provider = oidc.get(tx, context.account, params["OpenIDConnectProviderArn"])
            oidc.update(tx, provider, thumbprints=params["ThumbprintList"])

        await self.platform.store.transact(update)
        return {}

    @operation("AddClientIDToOpenIDConnectProvider")
    async def add_client_id_to_open_id_connect_provider(
        self, context: RequestContext, params: "types.AddClientIDToOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        def add(tx: Transaction) -> None:
            provider = oidc.get(tx, context.account, params["OpenIDConnectProviderArn"])
            client_ids = dict.fromkeys([*provider.content["client_ids"], params["ClientID"]])
            oidc.update(tx, provider, client_ids=list(client_ids))

        await self.platform.store.transact(add)
        return {}

    @operation("RemoveClientIDFromOpenIDConnectProvider")
    async def remove_client_id_from_open_id_connect_provider(
        self, context: RequestContext, params: "types.RemoveClientIDFromOpenIDConnectProviderRequestTypeDef"
    ) -> Result:
        def remove(tx: Transaction) -> None:
            provider = oidc.get(tx, context.account, params["OpenIDConnectProviderArn"])
            kept = [client_id for client_id in provider.content["client_ids"] if client_id != params["ClientID"]]
            oidc.update(tx, provider, client_ids=kept)

        await self.platform.store.transact(remove)
        return {}

    # SAML

    @operation("CreateSAMLProvider")
    async def create_saml_provider(
        self, context: RequestContext, params: "types.CreateSAMLProviderRequestTypeDef"
    ) -> Result:
        _refuse_private_key(params.get("AddPrivateKey"))
        tags = tagging.read_tags(SAML, params.get("Tags", ()))
        now = self.platform.clock.now()
        document = params["SAMLMetadataDocument"]
        content = {
            "metadata": document,
            "valid_until": saml.check_metadata(document, now),
            "uuid": self.platform.ids.unique_id("SAMLSP"),
            "encryption_mode": params.get("AssertionEncryptionMode", saml.DEFAULT_ENCRYPTION_MODE),
        }
        provider = Provider(context.account, SAML, params["Name"], content, now)
        await self.platform.store.transact(lambda tx: saml.create(tx, provider, tags))
        return {"SAMLProviderArn": provider.arn, **({"Tags": tag_list(tags)} if tags else {})}

    @operation("GetSAMLProvider")
    async def get_saml_provider(self, context: RequestContext, params: "types.GetSAMLProviderRequestTypeDef") -> Result:
        def read(reader: Reader) -> Result:
            return saml.describe(reader, saml.get(reader, context.account, params["SAMLProviderArn"]))

        return await self.platform.store.read(read)

    @operation("ListSAMLProviders")
    async def list_saml_providers(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        found = await self.platform.store.read(lambda reader: provider_table.all_of(reader, context.account, SAML))
        return {"SAMLProviderList": [saml.describe_listed(provider) for provider in found]}

    @operation("UpdateSAMLProvider")
    async def update_saml_provider(
        self, context: RequestContext, params: "types.UpdateSAMLProviderRequestTypeDef"
    ) -> Result:
        _refuse_private_key(params.get("AddPrivateKey") or params.get("RemovePrivateKey"))
        changes: dict[str, Any] = {}
        if "SAMLMetadataDocument" in params:
            document = params["SAMLMetadataDocument"]
            changes = {
                "metadata": document,
                "valid_until": saml.check_metadata(document, self.platform.clock.now()),
            }
        if "AssertionEncryptionMode" in params:
            changes["encryption_mode"] = params["AssertionEncryptionMode"]

        def update(tx: Transaction) -> str:
            provider = saml.get(tx, context.account, params["SAMLProviderArn"])
            provider_table.put(tx, replace(provider, content=provider.content | changes))
            return provider.arn

        return {"SAMLProviderArn": await self.platform.store.transact(update)}

    @operation("DeleteSAMLProvider")
    async def delete_saml_provider(
        self, context: RequestContext, params: "types.DeleteSAMLProviderRequestTypeDef"
    ) -> Result:
        await self.platform.store.transact(lambda tx: saml.delete(tx, context.account, params["SAMLProviderArn"]))
        return {}


def _refuse_private_key(private_key: str | None) -> None:
    if private_key is not None:
        raise OperationNotImplemented("Private keys of SAML providers are not implemented by Cloudlet.")
