"""IAM's operations on an account as a whole: alias, summary, credential report, authorisation details."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudlet.iam import account_table
from cloudlet.iam.account_table import ALIAS, CREDENTIAL_REPORT
from cloudlet.iam.key_uses import KeyUses
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, Service, operation
from cloudlet.services.iam import account as accounts
from cloudlet.services.iam import authorization_details, credential_report
from cloudlet.services.iam.errors import CredentialReportExpired, CredentialReportNotPresent
from cloudlet.services.iam.shapes import page, page_request
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as types


class AccountOperations(Service):
    """CreateAccountAlias, GetAccountSummary and their like."""

    _uses: KeyUses

    @operation("CreateAccountAlias")
    async def create_account_alias(
        self, context: RequestContext, params: "types.CreateAccountAliasRequestTypeDef"
    ) -> Result:
        alias, now = params["AccountAlias"], self.platform.clock.now()
        await self.platform.store.transact(lambda tx: accounts.put_alias(tx, context.account, alias, now))
        return {}

    @operation("DeleteAccountAlias")
    async def delete_account_alias(
        self, context: RequestContext, params: "types.DeleteAccountAliasRequestTypeDef"
    ) -> Result:
        alias = params["AccountAlias"]
        await self.platform.store.transact(lambda tx: accounts.delete_alias(tx, context.account, alias))
        return {}

    @operation("ListAccountAliases")
    async def list_account_aliases(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        found = await self.platform.store.read(lambda reader: account_table.setting(reader, context.account, ALIAS))
        return {"AccountAliases": [] if found is None else [found[0]], "IsTruncated": False}

    @operation("GetAccountSummary")
    async def get_account_summary(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        summary = await self.platform.store.read(lambda reader: accounts.summary(reader, context.account))
        return {"SummaryMap": summary}

    @operation("GenerateCredentialReport")
    async def generate_credential_report(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        await self._uses.write()
        now = self.platform.clock.now()

        def generate(tx: Transaction) -> bool:
            found = account_table.setting(tx, context.account, CREDENTIAL_REPORT)
            if found is not None and now - found[1] < credential_report.VALID_S:
                return False
            made = credential_report.report(tx, context.account, now)
            account_table.put_setting(tx, context.account, CREDENTIAL_REPORT, made, now)
            return True

        if await self.platform.store.transact(generate):
            return {
                "State": "STARTED",
                "Description": "No report exists. Starting a new report generation task",
            }
        return {"State": "COMPLETE"}

    @operation("GetCredentialReport")
    async def get_credential_report(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        found = await self.platform.store.read(
            lambda reader: account_table.setting(reader, context.account, CREDENTIAL_REPORT)
        )
        if found is None:
            raise CredentialReportNotPresent
        report, generated = found
        if self.platform.clock.now() - generated >= credential_report.VALID_S:
            raise CredentialReportExpired
        return {
            "Content": report.encode(),
            "ReportFormat": "text/csv",
            "GeneratedTime": datetime.fromtimestamp(int(generated), UTC),
        }

    @operation("GetAccountAuthorizationDetails")
    async def get_account_authorization_details(
        self, context: RequestContext, params: "types.GetAccountAuthorizationDetailsRequestTypeDef"
    ) -> Result:
        after, limit = page_request(params)
        kinds = params.get("Filter", ())
        found = await self.platform.store.read(
            lambda reader: authorization_details.details(reader, context.account, kinds, after, limit + 1)
        )
        shown, rest = page(found, limit, lambda detail: detail.position)
        lists: dict[str, list[dict[str, Any]]] = {name: [] for name in authorization_details.LISTS}
        for detail in shown:
            lists[detail.list_name].append(detail.described)
        return {**lists, **rest}
