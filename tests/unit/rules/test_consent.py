"""R14: what answers to a question of consent come to."""

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.answer import Decision, Outcome
from gateway.rules.consent import Given, Judgement, Needed, Reply, Role, Standing, Voice, judge, voice_of

ANY_ONE, ALL_PARENTS = Needed.ANY_ONE, Needed.ALL_PARENTS
WAITING, GRANTED, REFUSED = Standing.WAITING, Standing.GRANTED, Standing.REFUSED
DISPUTED, EXPIRED = Standing.DISPUTED, Standing.EXPIRED
CONTACTS = ("dad", "gran", "mum")


def voices(**roles: Role) -> dict[str, Voice]:
    """Give contacts their parts; `mum` and `dad` were asked unless told otherwise."""
    return {
        contact: Voice(role, "R00", "It is so.")
        for contact, role in {"mum": Role.COUNTS, "dad": Role.COUNTS, **roles}.items()
    }


def answers(*said: str) -> list[Given]:
    """Read answers such as `mum yes`, oldest first."""
    pairs = [each.split() for each in said]
    return [Given(number, contact, Reply(reply)) for number, (contact, reply) in enumerate(pairs)]


def decision(outcome: str, rule: str = "R07") -> Decision:
    """Decide about mum and the kid."""
    return Decision(student="kid", contact="mum", outcome=Outcome(outcome), rule=rule, reason="It is so.")


@pytest.mark.parametrize(
    ("said", "any_one", "all_parents", "any_one_closed", "all_parents_closed"),
    [
        ([], WAITING, WAITING, EXPIRED, EXPIRED),
        (["mum yes"], GRANTED, WAITING, GRANTED, EXPIRED),
        (["mum no"], WAITING, WAITING, REFUSED, REFUSED),
        (["mum yes", "dad yes"], GRANTED, GRANTED, GRANTED, GRANTED),
        (["mum no", "dad no"], REFUSED, REFUSED, REFUSED, REFUSED),
        (["dad no", "mum yes"], DISPUTED, DISPUTED, DISPUTED, DISPUTED),
        (["dad no", "mum yes", "dad yes"], GRANTED, GRANTED, GRANTED, GRANTED),
        (["mum yes", "mum no"], WAITING, WAITING, REFUSED, REFUSED),
        (["mum no", "mum yes"], GRANTED, WAITING, GRANTED, EXPIRED),
        (["stranger yes"], WAITING, WAITING, EXPIRED, EXPIRED),
    ],
)
def test_what_two_parents_answers_come_to(
    said: list[str],
    any_one: Standing,
    all_parents: Standing,
    any_one_closed: Standing,
    all_parents_closed: Standing,
) -> None:
    """Yes and no is a dispute at once; a mind may be changed; the deadline ends the waiting."""
    found = [
        judge(needed, voices(), answers(*said), closed=closed).standing
        for closed in (False, True)
        for needed in (ANY_ONE, ALL_PARENTS)
    ]
    assert found == [any_one, all_parents, any_one_closed, all_parents_closed]


@pytest.mark.parametrize(
    ("needed", "parts", "said", "standing", "waiting_for", "uncounted"),
    [
        (ANY_ONE, {}, [], WAITING, ["dad", "mum"], []),
        (ANY_ONE, {}, ["dad no"], WAITING, ["mum"], []),
        (ANY_ONE, {}, ["dad yes"], GRANTED, [], []),
        (ALL_PARENTS, {}, ["dad yes"], WAITING, ["mum"], []),
        (ANY_ONE, {"dad": Role.OUT}, ["dad yes"], WAITING, ["mum"], ["dad"]),
        (ALL_PARENTS, {"dad": Role.OUT}, ["dad no", "mum yes"], GRANTED, [], ["dad"]),
        (ALL_PARENTS, {"dad": Role.OUT}, ["mum yes"], GRANTED, [], []),
        (ALL_PARENTS, {"dad": Role.PENDING}, ["mum yes"], WAITING, ["dad"], []),
        (ALL_PARENTS, {"dad": Role.PENDING}, ["dad yes", "mum yes"], WAITING, ["dad"], ["dad"]),
        (ANY_ONE, {"dad": Role.PENDING}, ["dad yes"], WAITING, ["mum"], ["dad"]),
        (ANY_ONE, {"dad": Role.PENDING}, ["mum no"], REFUSED, [], []),
        (ALL_PARENTS, {"mum": Role.OUT, "dad": Role.OUT}, [], WAITING, [], []),
        (ALL_PARENTS, {"mum": Role.OUT, "dad": Role.OUT}, ["mum yes"], WAITING, [], ["mum"]),
    ],
)
def test_whose_answers_count(
    needed: Needed,
    parts: dict[str, Role],
    said: list[str],
    standing: Standing,
    waiting_for: list[str],
    uncounted: list[str],
) -> None:
    """Who is barred by now neither grants nor refuses; about whom a person must decide holds up all_parents."""
    found = judge(needed, voices(**parts), answers(*said), closed=False)
    assert found == Judgement(standing=standing, waiting_for=tuple(waiting_for), uncounted=tuple(uncounted))


def test_nothing_is_complete_while_some_are_yet_to_be_asked() -> None:
    """Planning goes contact by contact: the first one's yes is not everybody's."""
    found = judge(ALL_PARENTS, voices(), answers("mum yes", "dad yes"), closed=False, all_known=False)
    assert found.standing is WAITING
    assert judge(ANY_ONE, voices(), answers("mum yes"), closed=False, all_known=False).standing is GRANTED


@pytest.mark.parametrize(
    ("asked", "now", "adult", "own", "role", "rule"),
    [
        (("send", "R07"), ("send", "R07"), False, False, Role.COUNTS, "R07"),
        (("unreachable", "R24"), ("unreachable", "R24"), False, False, Role.COUNTS, "R24"),
        (("unreachable", "R24"), ("send", "R07"), False, False, Role.COUNTS, "R07"),
        (("send", "R07"), ("unreachable", "R30"), False, False, Role.COUNTS, "R30"),
        (("hold", "R29"), ("hold", "R29"), False, False, Role.COUNTS, "R29"),
        (("send", "R07"), ("exclude", "R01"), False, False, Role.OUT, "R01"),
        (("send", "R07"), ("exclude", "R43"), False, False, Role.OUT, "R43"),
        (("send", "R07"), None, False, False, Role.OUT, "R43"),
        (("exclude", "R01"), ("send", "R07"), False, False, Role.OUT, "R01"),
        (("hold", "R10b"), ("hold", "R10b"), False, False, Role.PENDING, "R10b"),
        (("hold", "R38"), ("send", "R07"), False, False, Role.PENDING, "R38"),
        (("send", "R07"), ("hold", "R05"), False, False, Role.PENDING, "R05"),
        (("hold", "R10b"), ("exclude", "R01"), False, False, Role.OUT, "R01"),
        (("send", "R15"), ("send", "R15"), True, True, Role.COUNTS, "R15"),
        (("send", "R15"), ("send", "R15"), True, False, Role.OUT, "R15"),
        (("send", "R07"), ("exclude", "R15"), True, False, Role.OUT, "R15"),
    ],
)
def test_what_an_answer_is_worth(
    asked: tuple[str, str], now: tuple[str, str] | None, *, adult: bool, own: bool, role: Role, rule: str
) -> None:
    """Whoever was asked, or could not be reached, counts as long as the rules admit them; adults answer alone."""
    voice = voice_of(decision(*asked), None if now is None else decision(*now), adult=adult, own=own)
    assert (voice.role, voice.rule) == (role, rule)
    assert voice.reason


Said = list[tuple[str, Reply]]


class Case(NamedTuple):
    """One student's consent: who has which part, and who has said what, oldest first."""

    needed: Needed
    parts: dict[str, Role]
    said: Said
    closed: bool

    @property
    def judgement(self) -> Judgement:
        """Judge it."""
        return judge(self.needed, self.voices, self.answers, closed=self.closed)

    @property
    def standing(self) -> Standing:
        """Say what it comes to."""
        return self.judgement.standing

    @property
    def voices(self) -> dict[str, Voice]:
        """Give each contact its part."""
        return {contact: Voice(role, "R00", "It is so.") for contact, role in self.parts.items()}

    @property
    def answers(self) -> list[Given]:
        """Put the answers into the order in which they came."""
        return [Given(number, contact, reply) for number, (contact, reply) in enumerate(self.said)]

    @property
    def heard(self) -> Said:
        """Keep what counts."""
        return [(contact, reply) for contact, reply in self.said if self.parts.get(contact) is Role.COUNTS]


CASES = st.builds(
    Case,
    st.sampled_from(Needed),
    st.dictionaries(st.sampled_from(CONTACTS), st.sampled_from(Role)),
    st.lists(st.tuples(st.sampled_from(CONTACTS), st.sampled_from(Reply)), max_size=6),
    st.booleans(),
)


@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_reading_is_irrelevant(case: Case, random: Random) -> None:
    """Answers come from the database in whatever order; contacts, too."""
    shuffled = case.answers
    random.shuffle(shuffled)
    turned = dict(sorted(case.voices.items(), reverse=True))
    assert judge(case.needed, turned, shuffled, closed=case.closed) == case.judgement


@given(CASES, st.sampled_from(CONTACTS))
def test_a_no_never_grants(case: Case, contact: str) -> None:
    """Whoever says no brings consent no nearer."""
    after = case._replace(said=[*case.said, (contact, Reply.NO)])
    assert after.standing is not GRANTED or case.standing is GRANTED


@given(CASES, st.sampled_from(CONTACTS))
def test_a_yes_never_refuses(case: Case, contact: str) -> None:
    """Whoever says yes brings a refusal no nearer."""
    after = case._replace(said=[*case.said, (contact, Reply.YES)])
    assert after.standing is not REFUSED or case.standing is REFUSED


@given(CASES)
def test_what_does_not_count_changes_nothing(case: Case) -> None:
    """The answers of the barred are kept, and might as well not have been given."""
    without = case._replace(said=case.heard).judgement
    assert (case.judgement.standing, case.judgement.waiting_for) == (without.standing, without.waiting_for)
    assert set(case.judgement.uncounted) == {contact for contact, _ in case.said} - {each for each, _ in case.heard}


@given(CASES)
def test_time_only_ends_the_waiting(case: Case) -> None:
    """The deadline grants nothing and settles no dispute."""
    before, after = case._replace(closed=False).standing, case._replace(closed=True).standing
    assert after is before or (before is WAITING and after in {REFUSED, EXPIRED})


@given(CASES)
def test_what_all_grant_one_grants(case: Case) -> None:
    """To ask for everybody's yes is never the weaker demand."""
    everybody, one = case._replace(needed=ALL_PARENTS).standing, case._replace(needed=ANY_ONE).standing
    assert everybody is not GRANTED or one is GRANTED


@given(CASES)
def test_a_grant_rests_on_a_yes_and_no_no(case: Case) -> None:
    """Consent is never presumed."""
    if case.standing is GRANTED:
        assert set(dict(case.heard).values()) == {Reply.YES}
