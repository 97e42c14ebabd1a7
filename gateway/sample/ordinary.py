"""Fills the sample school with ordinary families, in proportions that a town school might have."""

from gateway.sample.names import CHILDREN, NAMINGS, Naming
from gateway.sample.roll import Adult, Child, Roll
from gateway.sample.special import FATHER, FATHER_ELSEWHERE, GRANDPARENT, HELPER, MOTHER

YEARS = range(7, 12)
SUMMER_BIRTH_YEAR = 2022
"""Less the year group: when the pupils of 2026-27 with a birthday from January to August were born."""


class Town:
    """Makes families one at a time and enters them."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._chance = roll.chance
        self._families = 0

    def enter_family(self, most_children: int) -> None:
        """Enter one family of one to three children: together, apart or with one parent, and perhaps a grandparent."""
        self._families += 1
        language = self._chance.choices(list(NAMINGS), [naming.share for naming in NAMINGS.values()])[0]
        naming = NAMINGS[language]
        surname = self._chance.choice(naming.families)
        kind = self._chance.choices(("together", "apart", "mother", "father"), (58, 24, 15, 3))[0]
        ties: list[tuple[Adult, dict[str, str]]] = []
        if kind != "father":
            ties.append((self._adult("m", naming, surname, language), MOTHER))
        if kind != "mother":
            father = self._adult("f", naming, surname, language)
            ties.append((father, FATHER if kind != "apart" else FATHER_ELSEWHERE))
        if kind == "together":
            self._move_in_together(*(adult for adult, _ in ties))
        if self._chance.random() < 0.30:
            ties.append((self._adult("g", naming, surname, language), {**GRANDPARENT, **HELPER}))
        count = min(most_children, self._chance.choices((1, 2, 3), (80, 17, 3))[0])
        years = sorted(self._chance.sample(YEARS, count))
        for year, given in zip(years, self._chance.sample(CHILDREN, count), strict=True):
            self._roll.enter(self._child(given, surname, year), *ties)

    def _child(self, given: str, family: str, year: int) -> Child:
        number = len(self._roll.children) + 1
        month, day = self._chance.randrange(1, 13), self._chance.randrange(1, 29)
        born = SUMMER_BIRTH_YEAR - year - (month >= 9)
        return Child(
            id=f"s-{number:04}",
            given=given,
            family=family,
            born=f"{born}-{month:02}-{day:02}",
            class_=f"{year}{'ABC'[number % 3]}",
        )

    def _adult(self, part: str, naming: Naming, surname: str, language: str) -> Adult:
        woman = part == "m" or (part == "g" and self._chance.random() < 0.6)
        given = self._chance.choice(naming.mothers if woman else naming.fathers)
        adult = Adult(
            id=f"c-{self._families:04}-{part}",
            title=self._chance.choice(("Mrs", "Ms", "Miss")) if woman else "Mr",
            given=given,
            family=surname,
            roles=("relative",) if part == "g" else ("parent",),
            household=f"h-{self._families:04}-{part}",
            address=self._roll.house() if self._chance.random() < 0.92 else None,
        )
        self._give_points(adult)
        self._give_language(adult, naming, language, woman=woman)
        if self._chance.random() < 0.01:
            adult.formats = self._chance.choice(("large_print_16", "large_print_20"))
        return adult

    def _give_points(self, adult: Adult) -> None:
        if adult.address and self._chance.random() < 0.04:
            return  # reads the post, and nothing else
        if self._chance.random() < 0.88:
            domain = "example.org" if self._chance.random() < 0.97 else "bounce.example.org"
            adult.email = self._roll.mailbox(adult.given, adult.family, domain=domain)
        if self._chance.random() < 0.9 or not adult.email:
            adult.sms = self._roll.mobile()
        if self._chance.random() < 0.12:
            adult.phone = self._roll.landline()

    def _give_language(self, adult: Adult, naming: Naming, language: str, *, woman: bool) -> None:
        """Let three of ten read English; of the others some need an interpreter, some write in their own script."""
        if language == "en" or self._chance.random() < 0.3:
            return
        adult.language = language
        if self._chance.random() < 0.25:
            adult.interpreter = "true"
        if naming.native and self._chance.random() < 0.2:
            adult.title, adult.given, adult.family = naming.native[0 if woman else 1]

    def _move_in_together(self, mother: Adult, father: Adult) -> None:
        """Give a couple one home; when the mother is reached by post alone, so is the father: one joint letter."""
        father.household = mother.household
        father.address = mother.address
        if not (mother.email or mother.sms or mother.phone):
            father.email = father.sms = father.phone = ""
        elif not (father.email or father.sms or father.phone) and father.address is None:
            father.sms = self._roll.mobile()
