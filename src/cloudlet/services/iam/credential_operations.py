"""IAM's operations on signing certificates, SSH keys and service-specific credentials of users."""

from typing import TYPE_CHECKING, Any

from cloudlet.iam import user_credential_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.user_credential_table import UserCredential
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import limits
from cloudlet.services.iam import user_credential as credentials
from cloudlet.services.iam.certificates import fingerprint, parse_certificate, ssh_key_forms
from cloudlet.services.iam.errors import DuplicateCertificate, DuplicateSshPublicKey, ServiceNotSupported
from cloudlet.services.iam.shapes import moment, page, page_request
from cloudlet.services.iam.user_credential import SERVICE, SIGNING_CERTIFICATE, SSH_KEY
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types

_SERVICES = ("bedrock.amazonaws.com", "cassandra.amazonaws.com", "codecommit.amazonaws.com", "logs.amazonaws.com")


class CredentialOperations(Service):
    """UploadSigningCertificate, UploadSSHPublicKey, CreateServiceSpecificCredential and their like."""

    async def _set_status(self, context: RequestContext, params: Any, kind: str, credential_id: str) -> Result:
        def update(tx: Transaction) -> None:
            credential, _ = credentials.get(tx, context, params, kind, credential_id)
            user_credential_table.set_status(tx, credential, params["Status"])

        await self.platform.store.transact(update)
        return {}

    async def _delete(self, context: RequestContext, params: Any, kind: str, credential_id: str) -> Result:
        def delete(tx: Transaction) -> None:
            credential, _ = credentials.get(tx, context, params, kind, credential_id)
            user_credential_table.delete(tx, credential)

        await self.platform.store.transact(delete)
        return {}

    async def _list(self, context: RequestContext, params: Any, kind: str) -> tuple[list[UserCredential], str]:
        def read(reader: Reader) -> tuple[list[UserCredential], str]:
            user_key, user_name = credentials.owner(reader, context, params)
            return user_credential_table.of_user(reader, context.account, user_key, kind), user_name

        return await self.platform.store.read(read)

    # Signing certificates

    @operation("UploadSigningCertificate")
    async def upload_signing_certificate(
        self, context: RequestContext, params: "types.UploadSigningCertificateRequestTypeDef"
    ) -> Result:
        body = params["CertificateBody"]
        credential_id = self.platform.ids.unique_id("ASIG").ljust(24, "A")
        now = self.platform.clock.now()

        def upload(tx: Transaction) -> Result:
            user_key, user_name = credentials.owner(tx, context, params)
            parse_certificate(body)
            own = user_credential_table.of_user(tx, context.account, user_key, SIGNING_CERTIFICATE)
            if any(credential.content["body"] == body for credential in own):
                raise DuplicateCertificate("The specified certificate is already associated with this user.")
            limits.check_quota("CertificatesPerUser", len(own) + 1, limits.SIGNING_CERTIFICATES_PER_USER)
            credential = UserCredential(
                context.account, SIGNING_CERTIFICATE, credential_id, user_key, "Active", {"body": body}, now
            )
            user_credential_table.add(tx, credential)
            return _certificate(credential, user_name)

        return {"Certificate": await self.platform.store.transact(upload)}

    @operation("ListSigningCertificates")
    async def list_signing_certificates(
        self, context: RequestContext, params: "types.ListSigningCertificatesRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        found, user_name = await self._list(context, params, SIGNING_CERTIFICATE)
        shown, rest = page(_after(found, after), limit, _id)
        return {"Certificates": [_certificate(credential, user_name) for credential in shown], **rest}

    @operation("UpdateSigningCertificate")
    async def update_signing_certificate(
        self, context: RequestContext, params: "types.UpdateSigningCertificateRequestTypeDef"
    ) -> Result:
        return await self._set_status(context, params, SIGNING_CERTIFICATE, params["CertificateId"])

    @operation("DeleteSigningCertificate")
    async def delete_signing_certificate(
        self, context: RequestContext, params: "types.DeleteSigningCertificateRequestTypeDef"
    ) -> Result:
        return await self._delete(context, params, SIGNING_CERTIFICATE, params["CertificateId"])

    # SSH keys

    @operation("UploadSSHPublicKey")
    async def upload_ssh_public_key(
        self, context: RequestContext, params: "types.UploadSSHPublicKeyRequestTypeDef"
    ) -> Result:
        ssh, pem = ssh_key_forms(params["SSHPublicKeyBody"])
        credential_id = self.platform.ids.unique_id("APKA")
        now = self.platform.clock.now()

        def upload(tx: Transaction) -> Result:
            user_key, user_name = credentials.owner(tx, context, params)
            own = user_credential_table.of_user(tx, context.account, user_key, SSH_KEY)
            if any(credential.content["pem"] == pem for credential in own):
                raise DuplicateSshPublicKey("The SSH public key is already associated with the specified IAM user.")
            limits.check_quota("SSHPublicKeysPerUser", len(own) + 1, limits.SSH_PUBLIC_KEYS_PER_USER)
            content = {"body": params["SSHPublicKeyBody"], "ssh": ssh, "pem": pem}
            credential = UserCredential(context.account, SSH_KEY, credential_id, user_key, "Active", content, now)
            user_credential_table.add(tx, credential)
            return _ssh_key(credential, user_name) | {"Fingerprint": fingerprint(pem), "SSHPublicKeyBody": ssh}

        return {"SSHPublicKey": await self.platform.store.transact(upload)}

    @operation("GetSSHPublicKey")
    async def get_ssh_public_key(
        self, context: RequestContext, params: "types.GetSSHPublicKeyRequestTypeDef"
    ) -> Result:
        credential, user_name = await self.platform.store.read(
            lambda reader: credentials.get(reader, context, params, SSH_KEY, params["SSHPublicKeyId"])
        )
        pem = credential.content["pem"]
        body = credential.content["ssh"] if params["Encoding"] == "SSH" else pem
        described = _ssh_key(credential, user_name)
        return {"SSHPublicKey": described | {"Fingerprint": fingerprint(pem), "SSHPublicKeyBody": body}}

    @operation("ListSSHPublicKeys")
    async def list_ssh_public_keys(
        self, context: RequestContext, params: "types.ListSSHPublicKeysRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        found, user_name = await self._list(context, params, SSH_KEY)
        shown, rest = page(_after(found, after), limit, _id)
        return {"SSHPublicKeys": [_ssh_key(credential, user_name) for credential in shown], **rest}

    @operation("UpdateSSHPublicKey")
    async def update_ssh_public_key(
        self, context: RequestContext, params: "types.UpdateSSHPublicKeyRequestTypeDef"
    ) -> Result:
        return await self._set_status(context, params, SSH_KEY, params["SSHPublicKeyId"])

    @operation("DeleteSSHPublicKey")
    async def delete_ssh_public_key(
        self, context: RequestContext, params: "types.DeleteSSHPublicKeyRequestTypeDef"
    ) -> Result:
        return await self._delete(context, params, SSH_KEY, params["SSHPublicKeyId"])

    # Service-specific credentials. No service here takes their passwords, so that none is kept.

    @operation("CreateServiceSpecificCredential")
    async def create_service_specific_credential(
        self, context: RequestContext, params: "types.CreateServiceSpecificCredentialRequestTypeDef"
    ) -> Result:
        service_name = params["ServiceName"]
        credential_id, password = self.platform.ids.unique_id("ACCA"), self.platform.ids.secret_access_key()
        now = self.platform.clock.now()

        def create(tx: Transaction) -> Result:
            user_key, user_name = credentials.owner(tx, context, params)
            if service_name not in _SERVICES:
                raise ServiceNotSupported(
                    f"No such service {service_name} is supported for Service Specific Credentials"
                )
            every = user_credential_table.of_user(tx, context.account, user_key, SERVICE)
            own = [credential for credential in every if credential.content["service"] == service_name]
            count, most = len(own) + 1, limits.SERVICE_CREDENTIALS_PER_USER
            limits.check_quota("ServiceSpecificCredentialsPerUser", count, most)
            plus = f"+{len(own)}" if own else ""
            content = {"service": service_name, "name": f"{user_name}{plus}-at-{context.account}"}
            credential = UserCredential(context.account, SERVICE, credential_id, user_key, "Active", content, now)
            user_credential_table.add(tx, credential)
            return _service_credential(credential, user_name) | {"ServicePassword": password}

        return {"ServiceSpecificCredential": await self.platform.store.transact(create)}

    @operation("ListServiceSpecificCredentials")
    async def list_service_specific_credentials(
        self, context: RequestContext, params: "types.ListServiceSpecificCredentialsRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        found, user_name = await self._list(context, params, SERVICE)
        wanted = params.get("ServiceName")
        listed = [credential for credential in found if wanted in (None, credential.content["service"])]
        shown, rest = page(_after(listed, after), limit, _id)
        described = [_service_credential(credential, user_name) for credential in shown]
        return {"ServiceSpecificCredentials": described, **rest}

    @operation("UpdateServiceSpecificCredential")
    async def update_service_specific_credential(
        self, context: RequestContext, params: "types.UpdateServiceSpecificCredentialRequestTypeDef"
    ) -> Result:
        return await self._set_status(context, params, SERVICE, params["ServiceSpecificCredentialId"])

    @operation("ResetServiceSpecificCredential")
    async def reset_service_specific_credential(
        self, context: RequestContext, params: "types.ResetServiceSpecificCredentialRequestTypeDef"
    ) -> Result:
        credential_id = params["ServiceSpecificCredentialId"]
        credential, user_name = await self.platform.store.read(
            lambda reader: credentials.get(reader, context, params, SERVICE, credential_id)
        )
        described = _service_credential(credential, user_name)
        return {"ServiceSpecificCredential": described | {"ServicePassword": self.platform.ids.secret_access_key()}}

    @operation("DeleteServiceSpecificCredential")
    async def delete_service_specific_credential(
        self, context: RequestContext, params: "types.DeleteServiceSpecificCredentialRequestTypeDef"
    ) -> Result:
        return await self._delete(context, params, SERVICE, params["ServiceSpecificCredentialId"])


def _id(credential: UserCredential) -> str:
    return credential.credential_id


def _after(found: list[UserCredential], after: str) -> list[UserCredential]:
    position = next((index + 1 for index, credential in enumerate(found) if _id(credential) == after), 0)
    return found[position:]


def _certificate(credential: UserCredential, user_name: str) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "CertificateId": credential.credential_id,
        "CertificateBody": credential.content["body"],
        "Status": credential.status,
        "UploadDate": moment(credential.created),
    }


def _ssh_key(credential: UserCredential, user_name: str) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "SSHPublicKeyId": credential.credential_id,
        "Status": credential.status,
        "UploadDate": moment(credential.created),
    }


def _service_credential(credential: UserCredential, user_name: str) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "Status": credential.status,
        "ServiceUserName": credential.content["name"],
        "CreateDate": moment(credential.created),
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": credential.content["service"],
    }
