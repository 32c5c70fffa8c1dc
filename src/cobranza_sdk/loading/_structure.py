"""
From a table of a configuration file to an attrs class, with errors that name the full key.

cattrs is imported when there is a table: many commands need none.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from cobranza_sdk.loading._errors import ConfigurationError
from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.spec import Secret

if TYPE_CHECKING:
    import cattrs
    from cattrs.errors import ForbiddenExtraKeysError

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


#: Metadata of a field that is no key of a file.
NO_KEY = "no_key"
#: What several values are kept in, by the annotation's origin.
_COLLECTIONS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    tuple: tuple,
    list: list,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
}
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}", re.ASCII)
_OUT_OF_RANGE = re.compile(r"'(\w+)' must be (>=|<=|>|<) (-?[0-9.]+): ")


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
        base: Directory that a secret's file is relative to; None is the working directory.
        plain_secrets: Whether a secret may be given as plain text (in Python, never in a file).

    Raises:
        ConfigurationError: With one sentence per problem.
    """
    from cattrs.errors import BaseValidationError

    where = path or "configuration"
    if not isinstance(data, Mapping):
        raise ConfigurationError([f"{where}: {_found(data, dict)}"])
    if not all(isinstance(key, str) for key in data):
        raise ConfigurationError([f"{where}: found a key that is no text"])
    converter = _converter(base or Path(), plain_secrets=plain_secrets)
    try:
        return converter.structure(data, cls)
    except BaseValidationError as group:
        problems = list(_problems(group, path, cls, data))
    except (_UnfitError, InvalidValueError, ValueError, TypeError, KeyError) as error:
        problems = [f"{where}: {_reason(error, cls, data)}"]
    # raised out here: the chain of a caught error holds the values
    raise ConfigurationError(problems)


def _converter(base: Path, *, plain_secrets: bool) -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _strict(scalar))
    converter.register_structure_hook_func(_is_collection, _collection_hook(converter))
    converter.register_structure_hook(Path, lambda value, _: _path(value, base))
    converter.register_structure_hook(Secret, lambda value, _: _secret(value, base, plain=plain_secrets))
    converter.register_structure_hook_func(_is_secret_tuple, _secrets_hook(converter))
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


def _is_collection(kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return get_args(kind)[1:] == (Ellipsis,)
    return get_origin(kind) in _COLLECTIONS


def _collection_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """
    Take a list where several values are expected: a text is no list of letters.
    """
    from cattrs.errors import IterableValidationError, IterableValidationNote

    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise _UnfitError(_found(value, list))
        member = get_args(kind)[0]
        members, errors = [], []
        for index, item in enumerate(value):
            try:
                members.append(converter.structure(item, member))
            except Exception as error:  # noqa: BLE001  # gathered, as cattrs does
                error.add_note(IterableValidationNote(f"@ index {index}", index, member))
                errors.append(error)
        if errors:
            msg = "members do not fit"
            raise IterableValidationError(msg, errors, kind)
        return _COLLECTIONS[get_origin(kind)](members)

    return hook


def _secrets_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """
    Take one secret or a list of them, so that they can be rotated.
    """
    several = _collection_hook(converter)

    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return (converter.structure(value, Secret),)
        if not value:
            msg = f"found an empty list, expected {_HOW_SECRETS_LOOK}"
            raise _UnfitError(msg)
        return several(value, kind)

    return hook


def _found(value: object, expected: type) -> str:
    found = "nothing" if value is None else _NAMES.get(type(value), type(value).__name__)
    return f"found {found}, expected {_NAMES[expected]}"


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
        # what does not look like a variable may be the secret itself, written in the wrong place
        shown = f" {name}" if _VARIABLE.fullmatch(name) else ""
        msg = f"environment variable{shown} is not set, expected it to hold the secret"
        raise _UnfitError(msg)
    return Secret(lambda: os.environ[name])


def _from_file(path: Path, name: str) -> Secret:
    try:
        mode = path.stat().st_mode
        text = _read(path)
    except (OSError, ValueError) as error:
        msg = f"file {name} cannot be read ({type(error).__name__}), expected it to hold the secret"
        raise _UnfitError(msg) from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"file {name} may be read by others, expected mode 0600"
        raise _UnfitError(msg)
    if not text:
        msg = f"file {name} is empty, expected it to hold the secret"
        raise _UnfitError(msg)
    return Secret(lambda: _read(path))


def _read(path: Path) -> str:
    return path.read_text("utf-8-sig").strip()


def _problems(error: BaseException, path: str, cls: Any, value: Any) -> Iterable[str]:
    """
    One sentence per mistake. *value* is what stands at *path*: it is looked at and never shown.
    """
    from cattrs.errors import (
        AttributeValidationNote,
        BaseValidationError,
        ForbiddenExtraKeysError,
        IterableValidationNote,
    )

    if not isinstance(error, BaseValidationError):
        yield _sentence(error, path, cls, value)
        return
    for inner in error.exceptions:
        where, kind, there, missing = path, cls, value, False
        for note in getattr(inner, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                where = f"{path}.{note.name}" if path else note.name
                kind = note.type
                missing = isinstance(inner, KeyError) and isinstance(there, Mapping) and note.name not in there
                there = there.get(note.name) if isinstance(there, Mapping) else None
            elif isinstance(note, IterableValidationNote):
                key = note.index
                where = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)
                kind = note.type
                there = _member(there, key)
        if isinstance(inner, ForbiddenExtraKeysError):
            yield from _unknown(inner, where)
        elif missing:
            yield f"{where}: missing, expected {_describe(kind)}"
        else:
            yield from _problems(inner, where, kind, there)


def _member(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    return value[key] if isinstance(value, (list, tuple)) and isinstance(key, int) else None


def _unknown(error: ForbiddenExtraKeysError, path: str) -> Iterable[str]:
    known = [field.name for field in attrs.fields(error.cl) if NO_KEY not in field.metadata]
    for key in sorted(error.extra_fields):
        near = difflib.get_close_matches(key, known, n=1)
        expected = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(sorted(known))}"
        yield f"{path + '.' if path else ''}{key}: unknown key, {expected}"


def _describe(kind: Any) -> str:
    plain = get_origin(kind) or kind
    if _is_secret_tuple(kind):
        return _HOW_SECRETS_LOOK
    if plain in (Union, UnionType):
        return " or ".join(_describe(choice) for choice in get_args(kind) if choice is not NoneType)
    if plain is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(plain, type) and issubclass(plain, Enum):
        return f"one of {', '.join(str(choice.value) for choice in plain)}"
    if plain in _COLLECTIONS:
        plain = list
    elif plain is Mapping or attrs.has(plain):
        plain = dict
    return _NAMES.get(plain, f"a value that fits {getattr(plain, '__name__', plain)}")


def _sentence(error: BaseException, path: str, cls: Any, value: Any) -> str:
    refused = _refused_by_validator(error)
    if refused is not None:
        name, reason = refused
        return f"{f'{path}.{name}' if path else name}: {reason}"
    return f"{path or 'configuration'}: {_reason(error, cls, value)}"


def _refused_by_validator(error: BaseException) -> tuple[str, str] | None:
    """
    Key and reason when a validator of attrs refused a field, whose own words end in the value.
    """
    if not isinstance(error, (ValueError, TypeError)) or not error.args or isinstance(error, InvalidValueError):
        return None
    bound = _OUT_OF_RANGE.match(error.args[0]) if isinstance(error.args[0], str) else None
    if bound:
        return bound[1], f"found a number out of range, expected one {bound[2]} {bound[3]}"
    if len(error.args) > 2 and isinstance(error.args[1], attrs.Attribute):  # noqa: PLR2004  # text, attribute, rule
        attribute, rule = error.args[1:3]
        choices = f"one of {', '.join(map(str, rule))}" if isinstance(rule, (tuple, list)) else "another value"
        return attribute.name, f"found a value that is not permitted, expected {choices}"
    return None


def _reason(error: BaseException, cls: Any, value: Any) -> str:
    if isinstance(error, (_UnfitError, InvalidValueError)):
        return str(error)
    expects_table = attrs.has(cls) or (get_origin(cls) or cls) in (dict, Mapping)
    if expects_table and not isinstance(value, Mapping):
        return _found(value, dict)
    if attrs.has(cls):
        return f"not accepted by {cls.__name__} ({type(error).__name__})"
    return f"found a value that does not fit, expected {_describe(cls)}"
