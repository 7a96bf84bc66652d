"""What a pool wants."""

from cloudlet.compute.pool import Pool, pool_key
from tests.support.compute_world import active, function_version


async def test_a_pool_wants_an_environment_for_each_who_waits() -> None:
    pool = Pool(function_version())
    pool.waiting.extend([active(), active()])
    assert pool.wanted == 2
    pool.starting = 1
    assert pool.wanted == 1


async def test_a_pool_wants_fewer_once_who_waited_was_served() -> None:
    pool = Pool(function_version())
    pool.starting = 2
    assert pool.wanted == -2
    pool.prewarming = 1
    assert pool.wanted == -1


async def test_a_pool_is_empty_when_nothing_would_be_lost() -> None:
    pool = Pool(function_version())
    assert pool.is_empty
    pool.starting = 1
    assert not pool.is_empty


def test_pools_are_told_apart_by_version_and_configuration() -> None:
    keys = {
        pool_key(function)
        for function in (
            function_version(),
            function_version(version="1"),
            function_version(environment_id="changed"),
            function_version(region="us-east-1"),
            function_version(account="999999999999"),
            function_version("other"),
        )
    }
    assert len(keys) == 6
