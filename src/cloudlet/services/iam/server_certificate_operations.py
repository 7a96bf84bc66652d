"""IAM's operations on server certificates."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudlet.iam import entity_table, server_certificate_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.server_certificate_table import KIND, ServerCertificate
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import server_certificate as certificates
from cloudlet.services.iam import tags as tagging
from cloudlet.services.iam.certificates import check_private_key, parse_certificate
from cloudlet.services.iam.shapes import page, page_request, tag_list
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class ServerCertificateOperations(Service):
    """UploadServerCertificate and its like."""

    @operation("UploadServerCertificate")
    async def upload_server_certificate(
        self, context: RequestContext, params: "types.UploadServerCertificateRequestTypeDef"
    ) -> Result:
        tags = tagging.read_tags(KIND, params.get("Tags", ()))
        body, chain = params["CertificateBody"].strip(), params.get("CertificateChain")
        parsed = parse_certificate(body)
        check_private_key(parsed, params["PrivateKey"])
        if chain is not None:
            parse_certificate(chain)
        certificate = ServerCertificate(
            context.account,
            params["ServerCertificateName"],
            params.get("Path", "/"),
            self.platform.ids.unique_id("ASCA"),
            body,
            None if chain is None else chain.strip(),
            parsed.not_valid_after_utc.timestamp(),
            self.platform.clock.now(),
        )
        await self.platform.store.transact(lambda tx: certificates.create(tx, certificate, tags))
        tagged = {"Tags": tag_list(tags)} if tags else {}
        return {"ServerCertificateMetadata": certificates.describe(certificate), **tagged}

    @operation("GetServerCertificate")
    async def get_server_certificate(
        self, context: RequestContext, params: "types.GetServerCertificateRequestTypeDef"
    ) -> Result:
        def read(reader: Reader) -> Result:
            certificate = certificates.get(reader, context.account, params["ServerCertificateName"])
            return certificates.describe_whole(reader, certificate)

        return {"ServerCertificate": await self.platform.store.read(read)}

    @operation("ListServerCertificates")
    async def list_server_certificates(
        self, context: RequestContext, params: "types.ListServerCertificatesRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        prefix = params.get("PathPrefix", "/")
        found = await self.platform.store.read(lambda reader: server_certificate_table.all_of(reader, context.account))
        later = [one for one in found if one.key > after and one.path.startswith(prefix)]
        shown, rest = page(later, limit, lambda certificate: certificate.key)
        return {"ServerCertificateMetadataList": [certificates.describe(one) for one in shown], **rest}

    @operation("UpdateServerCertificate")
    async def update_server_certificate(
        self, context: RequestContext, params: "types.UpdateServerCertificateRequestTypeDef"
    ) -> Result:
        def update(tx: Transaction) -> None:
            old = certificates.get(tx, context.account, params["ServerCertificateName"])
            name, path = params.get("NewServerCertificateName", old.name), params.get("NewPath", old.path)
            if name.lower() != old.key:
                certificates.check_free(tx, context.account, name)
            server_certificate_table.delete(tx, old)
            new = replace(old, name=name, path=path)
            server_certificate_table.add(tx, new)
            entity_table.rename(tx, context.account, KIND, old.key, new.key)

        await self.platform.store.transact(update)
        return {}

    @operation("DeleteServerCertificate")
    async def delete_server_certificate(
        self, context: RequestContext, params: "types.DeleteServerCertificateRequestTypeDef"
    ) -> Result:
        name = params["ServerCertificateName"]
        await self.platform.store.transact(lambda tx: certificates.delete(tx, context.account, name))
        return {}
