"""
From cells to a debtor: phones, mail addresses, consents. What cannot be read is dropped and told, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import define, field, frozen

from cobranza_erp_csv._mapping import DEBTOR_COLUMNS, plain, shared_tax_ids, vocabulary
from cobranza_erp_csv._tax_ids import check
from cobranza_sdk import Address, Consent, ContactPoint, Debtor, InvalidValueError, Person

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

#: Contact points that one debtor may have; a cell with more is no list of them.
MAX_POINTS = 20

_SEPARATORS = re.compile(r"[;,/|\n]| [yoe] ", re.IGNORECASE)
_MAIL_SEPARATORS = re.compile(r"[;,/|\s]+")
# up to the next number of the cell, or its end
_EXTENSION = re.compile(
    r"[\s,;/(-]*(?<![a-z])(?:extensi[oó]n|ext|anexo|anx|interno|int|ramal|r|x|#)\.?[\s:]*[0-9]{1,6}\)?\.?"
    r"(?=\s*(?:$|[;,/|\n]| [yoe] ))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:tel[eé]fonos?|tele?f?|celular(?:es)?|cel|m[oó]vil|mobile|whats ?app|wsp|wa|fijo|casa|oficina|trabajo)\b"
    r"[.:\s-]*",
    re.IGNORECASE,
)
_FLOAT = re.compile(r"([0-9]{7,15})[.,]0+")
_PHONE = re.compile(r"\+?[0-9 ().\-\u00a0]{5,30}", re.ASCII)
_MAIL = re.compile(r"[^@\s<>\"']{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.[a-z0-9-]{2,63}", re.IGNORECASE)
_MAX_MAIL = 254
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", re.ASCII)
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}", re.ASCII)
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{1,31}", re.ASCII)
_DAMAGED = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_ALL = frozenset({"all", "todos", "todas"})
_EVERY_CHANNEL = ("whatsapp", "sms", "email", "call", "letter", "visit", "in_app")
_AR_NATIONAL = 10
_MAX_WORDS = 12
_MAX_LIST = 1000
# toll-free, premium rate, shared cost, and the like: nobody owes from there
_NOBODYS = frozenset({3, 4, 5, 8, 9, 10})


class RowError(Exception):
    """
    A row cannot be taken.

    Attributes:
        column: Canonical name of the cell at fault, or None.
        reason: What was found and what was expected, without personal data.
    """

    def __init__(self, *, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


@define
class Party:
    """
    A debtor being read.

    Attributes:
        wrong_tax_id: What becomes of a tax id with a wrong check digit: ``drop``, ``keep`` or ``reject``.
        mobile_only: Whether numbers of fixed lines are dropped.
        notes: Column and reason of each cell that was dropped.
    """

    wrong_tax_id: str = "drop"
    mobile_only: bool = False
    notes: list[tuple[str, str]] = field(factory=list)

    def debtor(self, key: str, cells: Sequence[str], country: str | None) -> Debtor:
        """
        Build the debtor.

        Args:
            key: The customer's key.
            cells: In the order of `DEBTOR_COLUMNS`, cleaned; blank is "not told".
            country: What a blank country cell stands for.

        Raises:
            RowError: The country is unknown: neither law nor clock would be.
        """
        told = dict(zip(DEBTOR_COLUMNS, cells, strict=True))
        home = _country(told["country"], country)
        try:
            return Debtor(
                external_id=key,
                person=Person(
                    external_id=told["person_key"] or None,
                    name=" ".join(told["customer_name"].split()),
                    tax_id=self._tax_id(told["tax_id"], home),
                ),
                country=home,
                region=self._matching("region", told["region"].upper(), _REGION, "an ISO 3166-2 code such as PE-LIM"),
                timezone=self._timezone(told["timezone"]),
                language=self._matching(
                    "language", told["language"].replace("_", "-"), _LANGUAGE, "a tag such as es-PE"
                ),
                contact_points=tuple(self._points(told, home)),
                consents=self._consents(told),
            )
        except InvalidValueError as error:
            raise RowError(column=None, reason=str(error)) from None

    def _note(self, column: str, reason: str) -> None:
        self.notes.append((column, f"{reason}; the row was kept without it"))

    def _tax_id(self, cell: str, country: str) -> str | None:
        if cell and _DAMAGED.fullmatch(cell):
            self._note("tax_id", "the number was damaged by a spreadsheet: format the column as text")
            return None
        if not cell or cell.upper() in shared_tax_ids():
            return cell or None
        found = check(cell, country)
        if found.problem is None or self.wrong_tax_id == "keep":
            return found.value
        if self.wrong_tax_id == "reject":
            raise RowError(column="tax_id", reason=found.problem)
        if not found.firm:
            self.notes.append(("tax_id", f"{found.problem}, which some real ones are not; it was kept"))
            return found.value
        self._note("tax_id", found.problem)
        return None

    def _matching(self, column: str, cell: str, pattern: re.Pattern[str], expected: str) -> str | None:
        if not cell or pattern.fullmatch(cell):
            return cell or None
        self._note(column, f"not {expected}")
        return None

    def _timezone(self, cell: str) -> str | None:
        if not cell or _zone_exists(cell):
            return cell or None
        self._note("timezone", "not an IANA time zone such as America/Lima")
        return None

    def _points(self, told: dict[str, str], country: str) -> Iterator[ContactPoint]:
        role = self._role(told["holder_role"])
        state = self._state(told["holder_confirmed"])
        addresses = dict.fromkeys(
            [Address("e164", number) for number in self._phones(told["phone"], country)]
            + [Address("email", mail) for mail in self._mails(told["email"])]
        )
        for address in addresses:
            yield ContactPoint(address=address, holder_role=role, state=state)

    def _role(self, cell: str) -> str:
        role = vocabulary("holder_roles").get(plain(cell)) if cell else "unknown"
        if role is None:
            self._note("holder_role", "not a known role; the holder counts as unknown")
        return role or "unknown"

    def _state(self, cell: str) -> str:
        answer = vocabulary("yes_no").get(plain(cell)) if cell else "no"
        if answer is None:
            self._note("holder_confirmed", "expected yes or no; the holder counts as unconfirmed")
        return "confirmed" if answer == "yes" else "unconfirmed"

    def _phones(self, cell: str, country: str) -> list[str]:
        """
        The numbers of a cell in E.164, those of fixed lines behind the others.
        """
        if len(cell) > _MAX_LIST:
            self._note("phone", f"a text of {len(cell)} characters is no list of phone numbers")
            return []
        parts = [part for part in (part.strip() for part in _SEPARATORS.split(_joined(cell))) if part]
        numbers: list[Phone] = []
        for index, part in enumerate(parts[:MAX_POINTS], start=1):
            found = phones(part, country)
            which = f"number {index} of {len(parts)}" if len(parts) > 1 else "the number"
            if not found:
                self._note("phone", f"{which} is not a valid phone number of {country}")
            elif self.mobile_only and any(number.fixed for number in found):
                self._note("phone", f"{which} is that of a fixed line")
            numbers += [number for number in found if not (self.mobile_only and number.fixed)]
        if len(parts) > MAX_POINTS:
            self._note("phone", f"{len(parts)} numbers, more than {MAX_POINTS}")
        return [number.e164 for number in sorted(numbers, key=lambda number: number.fixed)]

    def _mails(self, cell: str) -> Iterator[str]:
        if len(cell) > _MAX_LIST * 4:
            self._note("email", f"a text of {len(cell)} characters is no list of mail addresses")
            return
        parts = [part for part in _MAIL_SEPARATORS.split(cell) if part and part.casefold() not in {"y", "o", "e"}]
        for index, part in enumerate(parts[:MAX_POINTS], start=1):
            bare = part.removeprefix("mailto:").strip("<>")
            if _MAIL.fullmatch(bare) and len(bare) <= _MAX_MAIL and bare.isprintable():
                local, _, domain = bare.rpartition("@")
                yield f"{local}@{domain.lower()}"
            else:
                which = f"address {index} of {len(parts)}" if len(parts) > 1 else "the address"
                self._note("email", f"{which} is not a mail address")
        if len(parts) > MAX_POINTS:
            self._note("email", f"{len(parts)} addresses, more than {MAX_POINTS}")

    def _consents(self, told: dict[str, str]) -> tuple[Consent, ...]:
        # a withdrawal wins over a consent in the same row
        granted = dict.fromkeys(self._channels("consent_channels", told["consent_channels"]), True)
        withdrawn = dict.fromkeys(self._channels("opted_out_channels", told["opted_out_channels"]), False)
        return tuple(Consent(channel=name, granted=given) for name, given in {**granted, **withdrawn}.items())

    def _channels(self, column: str, cell: str) -> Iterator[str]:
        for part in re.split(r"[|,;]", cell):
            word = plain(part)
            name = vocabulary("channels").get(word, word.replace("-", "_"))
            if word in _ALL and column == "opted_out_channels":
                yield from _EVERY_CHANNEL
            elif word in _ALL:
                self._note(column, "a consent names its channels")
            elif _CHANNEL.fullmatch(name):
                yield name
            elif word:
                self._note(column, "not a channel such as whatsapp, sms or email")


def _joined(cell: str) -> str:
    # "55 1234 5678, ext 12" is one number; "1234,0" is what a spreadsheet makes of one
    return _EXTENSION.sub("", _FLOAT.sub(r"\1", cell))


def _country(cell: str, default: str | None) -> str:
    if not cell:
        if default is None:
            raise RowError(column="country", reason="is empty, and the settings name no country")
        return default
    upper = cell.upper()
    known = vocabulary("countries").get(plain(cell)) or (upper if upper in _regions() else None)
    if known is None:
        raise RowError(column="country", reason="is not an ISO 3166-1 code such as PE")
    return known


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


@lru_cache(maxsize=256)
def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return "/" in name


@frozen
class Phone:
    """
    A valid number of a person.

    Attributes:
        e164: With its country's code.
        fixed: Whether it is surely that of a fixed line, which no text message reaches.
    """

    e164: str
    fixed: bool


def phones(text: str, country: str) -> list[Phone]:
    """
    Read the numbers in *text*: one, or two that only a blank separates.

    Args:
        text: As written, perhaps with a label before and an extension behind.
        country: ISO code of the country whose national form they may have.

    Returns:
        The numbers, none when there is no valid one, or when it could be cut in two in several ways.
    """
    bare = _EXTENSION.sub("", _LABEL.sub("", text.strip(), count=1) if _LABEL.match(text.strip()) else text).strip()
    if (whole := _phone(bare, country)) is not None:
        return [whole]
    words = bare.split()
    pairs = [
        (left, right)
        for cut in range(1, min(len(words), _MAX_WORDS))
        if (left := _phone(" ".join(words[:cut]), country)) and (right := _phone(" ".join(words[cut:]), country))
    ]
    return list(pairs[0]) if len(pairs) == 1 else []


def _phone(bare: str, country: str) -> Phone | None:
    import phonenumbers

    if not _PHONE.fullmatch(bare):
        return None
    if country == "MX":
        bare = _mexican(bare)
    try:
        number = phonenumbers.parse(bare, country)
    except phonenumbers.NumberParseException:
        return None
    if country == "AR" and not bare.startswith("+") and number.country_code == 54:  # noqa: PLR2004  # Argentina
        number = _argentine(number)
    kind = phonenumbers.number_type(number)
    if not phonenumbers.is_valid_number(number) or kind in _NOBODYS:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164, kind == phonenumbers.PhoneNumberType.FIXED_LINE)


def _mexican(text: str) -> str:
    """
    Ten digits, without the prefixes 044, 045, 01 and 1 that mobile numbers had until 2019.
    """
    digits = re.sub(r"[^0-9]", "", text)
    if text.startswith("+") and not digits.startswith("52"):
        return text
    national = re.sub(r"^(?:52)?(?:044|045|01|1)?(?=[0-9]{10}$)", "", digits)
    return f"+52{national}" if len(national) == 10 else text  # noqa: PLR2004  # digits of every Mexican number


def _argentine(number: PhoneNumber) -> PhoneNumber:
    """
    The mobile form: a 9 before the area code where it was written in national form without it.
    """
    import phonenumbers

    national = str(number.national_number)
    if len(national) != _AR_NATIONAL:
        return number
    return phonenumbers.PhoneNumber(country_code=54, national_number=int(f"9{national}"))
