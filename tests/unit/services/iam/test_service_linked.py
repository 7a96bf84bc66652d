"""Service-linked roles."""

import pytest

from cloudlet.services.iam.errors import InvalidInput
from cloudlet.services.iam.service_linked import linked_services, role_name


def test_every_service_has_a_role_of_its_own_name() -> None:
    services = linked_services()
    assert services["ops.apigateway.amazonaws.com"].role_name == "AWSServiceRoleForAPIGateway"
    assert len({service.role_name for service in services.values()}) == len(services)


def test_a_suffix_is_for_those_who_take_one() -> None:
    assert role_name("autoscaling.amazonaws.com", "mine") == "AWSServiceRoleForAutoScaling_mine"
    with pytest.raises(InvalidInput, match=r"Custom suffix is not allowed for ecs\.amazonaws\.com"):
        role_name("ecs.amazonaws.com", "mine")
    with pytest.raises(InvalidInput):
        role_name("nothing.amazonaws.com", None)
