"""Repositories, their settings and tags."""

from typing import Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.ecr import image, repository, tables
from cloudlet.services.ecr.errors import InvalidParameter, RepositoryAlreadyExists, RepositoryNotEmpty
from cloudlet.services.ecr.operations.base import DEFAULT_RESULTS, EcrParts, named, page_token, read_token, refuse_pages
from cloudlet.services.ecr.repository import Repository
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Row, Transaction

_FILTERS = 5
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html"""


class RepositoryOperations(EcrParts):
    """CreateRepository and what follows."""

    @operation("CreateRepository")
    async def create_repository(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        if key.account != context.account:
            raise InvalidParameter(
                "Invalid parameter at 'registryId' failed to satisfy constraint: 'must be the registry of the caller'"
            )
        encryption = dict(params.get("encryptionConfiguration") or {"encryptionType": "AES256"})
        if encryption["encryptionType"] != "AES256":
            raise InvalidParameter("Cloudlet does not implement the encryption of repositories by keys of KMS.")
        settings = {
            **_mutability(params),
            "scan_on_push": bool((params.get("imageScanningConfiguration") or {}).get("scanOnPush")),
            "encryption": encryption,
        }
        tags = orjson.dumps(repository.read_tags(list(params.get("tags") or []))).decode()
        created_ms = self.now_ms

        def create(tx: Transaction) -> Repository:
            if not tables.insert_repository(tx, key, created_ms, orjson.dumps(settings).decode(), tags):
                raise RepositoryAlreadyExists(
                    f"The repository with name '{key.name}' already exists in the registry with id '{key.account}'"
                )
            return repository.find(tx, key)

        made = await self.store.transact(create)
        return {"repository": made.describe(context.endpoint)}

    @operation("DescribeRepositories")
    async def describe_repositories(self, context: RequestContext, params: dict[str, Any]) -> Result:
        account = params.get("registryId") or context.account
        if names := params.get("repositoryNames"):
            refuse_pages(params, "repositoryNames")
            for name in names:
                repository.check_name(name)
            keys = [Key(account, context.region, name) for name in names]
            found = await self.store.read(lambda reader: [repository.find(reader, key) for key in keys])
            return {"repositories": [one.describe(context.endpoint) for one in found]}
        limit, after = params.get("maxResults") or DEFAULT_RESULTS, read_token(params)

        def read(reader: Reader) -> list[Row]:
            return tables.repositories(reader, account, context.region, after, limit + 1)

        rows = await self.store.read(read)
        shown = [Repository.from_row(row) for row in rows[:limit]]
        answer: dict[str, Any] = {"repositories": [one.describe(context.endpoint) for one in shown]}
        if len(rows) > limit:
            answer["nextToken"] = page_token(shown[-1].key.name)
        return answer

    @operation("DeleteRepository")
    async def delete_repository(self, context: RequestContext, params: dict[str, Any]) -> Result:
        def delete(tx: Transaction, found: Repository) -> Repository:
            key = found.key
            if not params.get("force") and tables.has_images(tx, key):
                raise RepositoryNotEmpty(
                    f"The repository with name '{key.name}' in registry with id '{key.account}' cannot be deleted "
                    "because it still contains images"
                )
            image.forget_repository(tx, key)
            return found

        deleted = await self.change(context, params, delete)
        return {"repository": deleted.describe(context.endpoint)}

    @operation("PutImageTagMutability")
    async def put_image_tag_mutability(self, context: RequestContext, params: dict[str, Any]) -> Result:
        changes = _mutability(params)
        changed = await self._set(context, params, changes)
        answer: dict[str, Any] = {**named(changed), "imageTagMutability": changes["mutability"]}
        if changes["exclusions"]:
            answer["imageTagMutabilityExclusionFilters"] = changes["exclusions"]
        return answer

    @operation("PutImageScanningConfiguration")
    async def put_image_scanning_configuration(self, context: RequestContext, params: dict[str, Any]) -> Result:
        """Kept and shown; nothing scans images here, and their scan status says nothing."""
        scans = bool(params["imageScanningConfiguration"].get("scanOnPush"))
        changed = await self._set(context, params, {"scan_on_push": scans})
        return {**named(changed), "imageScanningConfiguration": {"scanOnPush": scans}}

    async def _set(self, context: RequestContext, params: dict[str, Any], changes: dict[str, Any]) -> Key:
        def change(tx: Transaction, found: Repository) -> Key:
            tables.set_column(tx, found.key, "settings", orjson.dumps({**found.settings, **changes}).decode())
            return found.key

        return await self.change(context, params, change)

    @operation("DescribeRegistry")
    async def describe_registry(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        return {"registryId": context.account, "replicationConfiguration": {"rules": []}}

    @operation("TagResource")
    async def tag_resource(self, _context: RequestContext, params: dict[str, Any]) -> Result:
        def change(tx: Transaction) -> None:
            found = repository.find(tx, repository.key_of_arn(params["resourceArn"]))
            tags = repository.read_tags(list(params["tags"]), found.tags)
            tables.set_column(tx, found.key, "tags", orjson.dumps(tags).decode())

        await self.store.transact(change)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, _context: RequestContext, params: dict[str, Any]) -> Result:
        def change(tx: Transaction) -> None:
            found = repository.find(tx, repository.key_of_arn(params["resourceArn"]))
            tags = {name: value for name, value in found.tags.items() if name not in params["tagKeys"]}
            tables.set_column(tx, found.key, "tags", orjson.dumps(tags).decode())

        await self.store.transact(change)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, _context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of_arn(params["resourceArn"])
        found = await self.store.read(lambda reader: repository.find(reader, key))
        return {"tags": [{"Key": name, "Value": value} for name, value in found.tags.items()]}


def _mutability(params: dict[str, Any]) -> dict[str, Any]:
    kind = params.get("imageTagMutability") or "MUTABLE"
    filters = params.get("imageTagMutabilityExclusionFilters") or []
    if bool(filters) != kind.endswith("_EXCLUSION") or len(filters) > _FILTERS:
        raise InvalidParameter(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
            f"'between 1 and {_FILTERS} filters are given with, and only with, a mutability with exclusion'"
        )
    return {"mutability": kind, "exclusions": [dict(one) for one in filters]}
