"""
What the settings of every provider have to hold, whatever its family.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from cobranza_sdk.loading import ConfigurationError
from cobranza_sdk.spec import Clock, Provider, Secret
from cobranza_sdk.testing._conformance import fail
from cobranza_sdk.testing._providers import make_provider

_SECRET_NAMES = ("token", "secret", "password", "private_key")


def hold_settings(provider: type[Provider], good: Mapping[str, Any], clock: Clock) -> None:
    """
    Fail unless each slip in the settings is refused with the name of its key.
    """
    for wrong, name in _wrong(provider.config, good):
        try:
            make_provider(provider, wrong, clock=clock)
        except ConfigurationError as error:
            if name not in str(error):
                fail(f"the error does not name {name}: {error}", "the key, in the error")
        else:
            fail(f"settings with a wrong or missing {name} were taken", "a ConfigurationError")


def hold_credentials(provider: type[Provider]) -> None:
    """
    Fail unless every credential is typed as one.
    """
    plain = _plain_credentials(provider.config)
    if plain:
        fail(f"plain text: {', '.join(plain)}", "cobranza_sdk.Secret for every credential")


def _wrong(config: type, good: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """
    Settings with one slip each, and the name of the key that it is in.
    """
    yield {**good, "no_such_key": 1}, "no_such_key"
    hints = typing.get_type_hints(config)
    for entry in attrs.fields(config):
        if entry.default is attrs.NOTHING and entry.name in good:
            yield {name: value for name, value in good.items() if name != entry.name}, entry.name
            if Secret.__name__ not in str(hints[entry.name]):  # where that lies is checked when it is read
                yield {**good, entry.name: ""}, entry.name


def _plain_credentials(config: type) -> list[str]:
    """
    Settings that are credentials by their name and not by their type.
    """
    hints = typing.get_type_hints(config)
    return [
        entry.name
        for entry in attrs.fields(config)
        if any(word in entry.name for word in _SECRET_NAMES) and Secret.__name__ not in str(hints[entry.name])
    ]
