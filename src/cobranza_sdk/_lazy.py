"""
Names that are loaded when they are first used: a command pays only for what it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def loads_lazily(
    package: str, home: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """
    A package's ``__getattr__`` and ``__dir__`` (PEP 562).

    Args:
        package: Full name of the package.
        home: Public names by the module of the package that holds them.
    """
    module_of = {name: module for module, names in home.items() for name in names}

    def load(name: str) -> object:
        if name not in module_of:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return load, names
