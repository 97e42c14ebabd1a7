"""What a school may set, and what the table of categories must keep to."""

import datetime as dt

import msgspec

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category
from gateway.rules.answer import Answer
from gateway.rules.audience import decide
from gateway.rules.categories import CATEGORIES, FLAG_EXEMPT, LIFE_SAFETY
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument, merged
from tests.unit.rules.households import PARENT, Row, asked, deny, directory, fate, relation

NIGHT = "2026-06-15T20:30:00+01:00"


def decided(policy: Policy, category: str, at: str = NIGHT, **entities: list[Row]) -> Answer:
    """Decide under a school's own policy."""
    return decide(DirectoryIndex(directory(**entities)), asked(category, at), policy=policy)


def setting(category: str, **fields: object) -> Policy:
    """Set something of one category."""
    document = msgspec.convert({"categories": {category: fields}}, PolicyDocument)
    return merged(document, Policy())


def test_a_schools_quiet_hours_are_for_those_who_set_none() -> None:
    """R32: a contact's own quiet hours stand, the default gives way to the school's."""
    contacts = [{"id": "mum"}, {"id": "dad", "preferences": {"quiet_hours": ["22:00", "06:00"]}}]
    rows = [relation(**PARENT), relation("dad", **PARENT)]
    policy = Policy(quiet_hours=("20:00", "08:00"))
    waits = {
        m.contact: m.not_before for m in decided(policy, "routine", contacts=contacts, relationships=rows).messages
    }
    assert waits == {"dad": None, "mum": dt.datetime(2026, 6, 16, 7, 0, tzinfo=dt.UTC)}


def test_a_school_may_review_safeguarding_blocks_sooner() -> None:
    """R02: the days until review are set per school."""
    block = [deny(basis="safeguarding", **{"from": "2026-05-01"})]
    rows = [relation(**PARENT)]
    assert fate(decided(Policy(), "report", relationships=rows, restrictions=block)) == "exclude R02"
    sooner = Policy(safeguarding_review_days=30)
    assert fate(decided(sooner, "report", relationships=rows, restrictions=block)) == "hold R05"


def test_a_school_may_be_told_to_take_the_us_rules() -> None:
    """Section 2: which jurisdictions take the US rules is set."""
    rows = [relation(parental_responsibility="yes")]
    assert fate(decided(Policy(), "report", relationships=rows)) == "send R07"
    assert fate(decided(Policy(united_states_prefixes=("US", "GB")), "report", relationships=rows)) == "exclude R07"


def test_a_school_may_tell_parents_alone_of_an_alert() -> None:
    """R11: emergency contacts join where the school lets them; a professional is no exception."""
    neighbour, worker = (
        relation("nan", emergency_contact=True),
        relation("sue", professional="tutor", emergency_contact=True),
    )
    rows = [relation(**PARENT), neighbour, worker]
    usual = decided(Policy(), "emergency", relationships=rows)
    assert [fate(usual, contact) for contact in ("mum", "nan", "sue")] == ["send R07", "send R11", "send R11"]
    alone = decided(setting("emergency", audience="parents"), "emergency", relationships=rows)
    assert [fate(alone, contact) for contact in ("mum", "nan", "sue")] == ["send R07", "exclude R07", "exclude R42"]


def test_a_school_may_send_bills_to_all_parents() -> None:
    """P5: that somebody pays matters where bills go to those who pay."""
    rows = [relation(**PARENT), relation("dad", **PARENT, bill_payer=True)]
    usual = decided(Policy(), "billing", relationships=rows)
    assert [fate(usual, contact) for contact in ("mum", "dad")] == ["exclude P5", "send P5"]
    everyone = decided(setting("billing", audience="parents"), "billing", relationships=rows)
    assert [fate(everyone, contact) for contact in ("mum", "dad")] == ["send R07", "send R07"]


def test_a_short_review_period_never_lets_a_block_end_by_itself() -> None:
    """R05: with the shortest period a school may set, what is not reviewed again is held, never sent."""
    shortest = Policy(safeguarding_review_days=31)
    rows = [relation(**PARENT)]
    for days in range(100):
        reviewed = (dt.date(2026, 6, 15) - dt.timedelta(days=days)).isoformat()
        block = [deny(basis="safeguarding", reviewed_on=reviewed)]
        expected = "exclude R02" if days <= 31 else "hold R05"
        assert fate(decided(shortest, "report", relationships=rows, restrictions=block)) == expected


def test_the_table_is_whole_and_lawful() -> None:
    """Section 3: every category has its row; what the law requires nobody can opt out of or unsubscribe from."""
    assert set(CATEGORIES) == set(Category)
    assert LIFE_SAFETY < FLAG_EXEMPT
    for row in CATEGORIES.values():
        assert not (row.statutory and (row.may_opt_out or row.must_opt_in or row.unsubscribe))
        assert not (row.unsubscribe and row.sensitivity > 0)
