"""The sample school's people while it is being built: who they are, and the columns their rows will have."""

import itertools
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.sample.names import STREETS

_WITHOUT_MARKS = str.maketrans({"ł": "l", "ø": "o"})


@dataclass(kw_only=True, slots=True)
class Child:
    """A student; the class gives year and group."""

    id: str
    given: str
    family: str
    born: str
    class_: str
    care: str = ""
    email: str = ""
    """Of an adult student only, who is then their own contact."""
    sms: str = ""


@dataclass(kw_only=True, slots=True)
class Adult:
    """A contact or member of staff; the postal address and the household stand in guardian_links.csv."""

    id: str
    title: str
    given: str
    family: str
    roles: tuple[str, ...] = ("parent",)
    email: str = ""
    sms: str = ""
    phone: str = ""
    timezone: str = ""
    language: str = ""
    interpreter: str = ""
    formats: str = ""
    household: str = ""
    address: tuple[str, str] | None = None
    """Street line and postcode, in the town of Hollins."""
    confidential: str = ""


@dataclass(kw_only=True, slots=True)
class Tie:
    """One row of guardian_links.csv: what is true of this child and this adult together."""

    child: Child
    adult: Adult
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Roll:
    """Everybody, and the stock of numbers and addresses not yet given out (all reserved for invention)."""

    chance: random.Random
    children: list[Child] = field(default_factory=list)
    adults: list[Adult] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    _mobiles: Iterator[int] = field(init=False)
    _landlines: Iterator[int] = field(init=False)
    _houses: Iterator[int] = field(init=False)
    _mailboxes: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._mobiles = iter(self.chance.sample(range(1000), 1000))
        self._landlines = iter(self.chance.sample(range(1000), 1000))
        self._houses = iter(self.chance.sample(range(9 * 20 * 15), 9 * 20 * 15))

    def mobile(self) -> str:
        """Give out a mobile number of Ofcom's range for drama."""
        return f"07700 900{next(self._mobiles):03}"

    def landline(self) -> str:
        """Give out a London landline of Ofcom's range for drama."""
        return f"020 7946 0{next(self._landlines):03}"

    def house(self) -> tuple[str, str]:
        """Give out a house nobody else lives in; the postcode area ZZ is not in use."""
        number = next(self._houses)
        street = STREETS[number % 15]
        return f"{number // 15 + 1} {street}", f"ZZ{number % 9 + 1} {number // 9 % 9 + 1}ZZ"

    def mailbox(self, given: str, family: str, *, domain: str = "example.org") -> str:
        """Give out a mailbox of a person's own."""
        return f"{_plain(given)}.{_plain(family)}.{next(self._mailboxes)}@{domain}"

    def enter(self, child: Child, *ties: tuple[Adult, dict[str, str]]) -> Child:
        """Put a child, the adults not yet known, and their ties on the roll."""
        self.children.append(child)
        for adult, columns in ties:
            self.add(adult)
            self.ties.append(Tie(child=child, adult=adult, columns=columns))
        return child

    def add(self, adult: Adult) -> Adult:
        """Put an adult on the roll once."""
        if all(adult is not known for known in self.adults):
            self.adults.append(adult)
        return adult


def _plain(name: str) -> str:
    """Spell a Latin name in the letters a to z."""
    bare = unicodedata.normalize("NFKD", name.lower().translate(_WITHOUT_MARKS))
    return "".join(letter for letter in bare if letter.isascii() and letter.isalpha())
