"""
From a table of a configuration file to an attrs class, with errors that name the full key.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from cobranza_sdk.loading._errors import ConfigurationError
from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.spec import Secret

T = TypeVar("T")

_HOW_SECRETS_LOOK = 'a secret: {env = "VARIABLE"} or {file = "path"}'
_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    tuple: "a list",
    Path: "a path",
    Secret: _HOW_SECRETS_LOOK,
}


class _UnfitError(Exception):
    """
    A value that does not fit; the text says what was found and what is expected.
    """


def structure(
    cls: type[T], data: Mapping[str, Any], *, path: str = "", base: Path | None = None, plain_secrets: bool = False
) -> T:
    """
    Build *cls* from a table.

    Args:
        cls: An attrs class.
        data: The table. Unknown keys, missing keys and wrong types are refused, all at once.
        path: Full key of the table, for messages.
        base: Directory that paths are relative to (a secret's file, settings typed `Path`); None is the working directory.
        plain_secrets: Whether a secret may be given as plain text (in Python, never in a file).

    Raises:
        ConfigurationError: With one sentence per problem.
    """
    converter = _converter(base or Path(), plain_secrets=plain_secrets)
    try:
        return converter.structure(data, cls)
    except BaseValidationError as group:
        problems = list(_problems(group, path, cls))
    except (_UnfitError, InvalidValueError, ValueError, TypeError, KeyError) as error:
        problems = [f"{path or 'configuration'}: {_reason(error, cls)}"]
    raise ConfigurationError(problems)


def _converter(base: Path, *, plain_secrets: bool) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _strict(scalar))
    converter.register_structure_hook(Secret, lambda value, _: _secret(value, base, plain=plain_secrets))
    converter.register_structure_hook_func(
        _is_secret_tuple, lambda value, _: _secrets(value, base, plain=plain_secrets)
    )
    converter.register_structure_hook(Path, lambda value, _: _path(value, base))
    converter.register_structure_hook_func(_is_tuple, _tuple_hook(converter))
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: value)
    return converter


def _strict(scalar: type) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is scalar or (scalar is float and type(value) is int):
            return value
        raise _UnfitError(_found(value, scalar))

    return hook


def _path(value: Any, base: Path) -> Path:
    """
    A path of the file system; a relative one starts at *base*.
    """
    if isinstance(value, Path):
        return base / value
    if not isinstance(value, str):
        raise _UnfitError(_found(value, Path))
    if not value.strip():
        msg = "found blank text, expected a path"
        raise _UnfitError(msg)
    return base / value


def _is_secret_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[:1] == (Secret,)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple and not _is_secret_tuple(kind)


def _tuple_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _UnfitError(_found(value, list))
        members: Any = list[get_args(kind)[0]]  # type: ignore[misc]  # built at run time
        return tuple(converter.structure(list(value), members))

    return hook


def _found(value: object, expected: type) -> str:
    article = _NAMES.get(type(value), type(value).__name__)
    return f"found {article if type(value) in _NAMES else type(value).__name__}, expected {_NAMES[expected]}"


def _secrets(value: Any, base: Path, *, plain: bool) -> tuple[Secret, ...]:
    if isinstance(value, (list, tuple)):
        if not value:
            msg = f"found an empty list, expected {_HOW_SECRETS_LOOK}"
            raise _UnfitError(msg)
        return tuple(_secret(item, base, plain=plain) for item in value)
    return (_secret(value, base, plain=plain),)


def _secret(value: Any, base: Path, *, plain: bool) -> Secret:
    if isinstance(value, Secret):
        return value
    if callable(value):
        return Secret(value)
    if isinstance(value, str):
        if plain:
            return Secret(value)
        msg = f"found plain text, expected {_HOW_SECRETS_LOOK}"
        raise _UnfitError(msg)
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind == "env" and isinstance(name, str):
            return _from_environment(name)
        if kind == "file" and isinstance(name, str):
            return _from_file(base / name, name)
    raise _UnfitError(_found(value, Secret))


def _from_environment(name: str) -> Secret:
    if not os.environ.get(name):
        msg = f"environment variable {name} is not set, expected it to hold the secret"
        raise _UnfitError(msg)
    return Secret(lambda: os.environ[name])


def _from_file(path: Path, name: str) -> Secret:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"file {name} cannot be read ({type(error).__name__}), expected it to hold the secret"
        raise _UnfitError(msg) from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"file {name} may be read by others, expected mode 0600"
        raise _UnfitError(msg)
    if not text:
        msg = f"file {name} is empty, expected it to hold the secret"
        raise _UnfitError(msg)
    return Secret(lambda: path.read_text("utf-8").strip())


def _problems(group: BaseException, path: str, cls: Any) -> Iterable[str]:
    if not isinstance(group, BaseValidationError):
        yield f"{path or 'configuration'}: {_reason(group, cls)}"
        return
    for error in group.exceptions:
        where, kind = path, cls
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                where = f"{path}.{note.name}" if path else note.name
                kind = note.type
            elif isinstance(note, IterableValidationNote):
                key = note.index
                where = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)
                kind = note.type
        if isinstance(error, ForbiddenExtraKeysError):
            yield from _unknown(error, where)
        elif isinstance(error, KeyError):
            name = str(error.args[0])
            yield f"{f'{path}.{name}' if path else name}: missing, expected {_expected(cls, name)}"
        else:
            yield from _problems(error, where, kind)


def _unknown(error: ForbiddenExtraKeysError, path: str) -> Iterable[str]:
    known = [field.name for field in attrs.fields(error.cl)] if attrs.has(error.cl) else []
    for key in sorted(error.extra_fields):
        near = difflib.get_close_matches(key, known, n=1)
        expected = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(sorted(known))}"
        yield f"{path + '.' if path else ''}{key}: unknown key, {expected}"


def _expected(cls: Any, name: str) -> str:
    for field in attrs.fields(cls) if attrs.has(cls) else ():
        if field.name == name:
            kind = field.type
            if isinstance(kind, str):
                kind = attrs.fields_dict(attrs.resolve_types(cls))[name].type
            return _describe(kind)
    return "a value"


def _describe(kind: Any) -> str:
    if _is_secret_tuple(kind):
        return _HOW_SECRETS_LOOK
    return _NAMES.get(get_origin(kind) or kind, "a table")


def _reason(error: BaseException, cls: Any) -> str:
    if isinstance(error, (_UnfitError, InvalidValueError)):
        return str(error)
    if isinstance(error, (TypeError, AttributeError, cattrs.StructureHandlerNotFoundError)):
        return f"does not fit, expected {_describe(cls)}"
    return f"not accepted, expected {_describe(cls)}"
