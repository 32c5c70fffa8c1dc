from collections.abc import Callable

import pytest

from cobranza_sdk.testing import Chaos, Rehearsal

pytest_plugins = ["cobranza_sdk.testing.fixtures"]


@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_written_to_twice(make_rehearsal: Callable[..., Rehearsal], seed: int) -> None:
    house = make_rehearsal(channels=["sms", "email"], chaos=Chaos(seed=seed), seed=seed)
    house.portfolio.sample(10, countries=["PE", "CO"])
    house.portfolio.debtor("ana").owes("150.00", days_past_due=1)

    for _ in range(3):
        house.run()
        for message in house.messages:
            message.deliver()
        house.later(days=1)
    house.settle()

    carried = [message.message.attempt_id for message in house.messages]
    assert carried
    assert len(carried) == len(set(carried))
