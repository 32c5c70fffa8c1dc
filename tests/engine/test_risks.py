"""
Risks of platform rules are taken by name, and a name that no pack knows is a slip.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cobranza_sdk import Cobranza, ConfigurationError


def test_a_risk_that_no_pack_names_is_refused(make_house: Callable[..., Cobranza]) -> None:
    """
    With a slip of the pen the operator would believe to have switched something on.
    """
    house = make_house(compliance={"accept_risk": ["whatsapp.colections"]})

    with pytest.raises(ConfigurationError, match=r"accept_risk: found whatsapp\.colections, expected one of"):
        house.dispatch()
