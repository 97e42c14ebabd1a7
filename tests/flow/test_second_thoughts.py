"""What changes between planning and sending: the rules are asked again before anything leaves (R44)."""

from typing import Any

import pytest

from gateway.directory.model import Directory
from gateway.store.tables import decisions
from tests.flow.families import DAD, HOUSE, KID, MUM, MUM_NUMBER, SIS, TOGETHER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import deny, directory, email, letter, mobile

SWEPT = pytest.mark.parametrize("swept", [False, True], ids=["sender", "sweep"])
"""Who notices first: the sender that comes to take it, or the clock on its round."""


async def changed_in_between(
    idle: Installation, before: Directory, after: Directory, *, swept: bool, category: str = "newsletter", **post: Any
) -> str:
    """Plan under one directory and send under another."""
    await idle.put(before)
    notification = await idle.post(category, **post)
    await idle.back.planner.plan(notification)
    await idle.put(after)
    if swept:
        await idle.front.clock.round()
    await idle.send_due()
    assert await idle.status(notification) == "finished"
    return notification


@SWEPT
async def test_a_new_restriction_stops_what_was_planned(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """The barred parent's mail is suppressed by the rule's name; the other parent's goes."""
    rows = parents("mum", "dad")
    notification = await changed_in_between(
        idle, directory(relationships=rows), directory(relationships=rows, restrictions=[deny("dad")]), swept=swept
    )
    assert await idle.states(notification) == {"mum-e": "sent", "dad-e": "suppressed"}
    assert {row.point: row.code for row in await idle.deliveries()} == {"mum-e": None, "dad-e": "R01"}
    assert (await idle.decided(notification))["kid", "dad"] == "exclude R01"
    assert idle.outbox.mailed() == ["mum@example.org"]
    assert "decision_changed" in await idle.events()


@SWEPT
async def test_of_siblings_the_one_that_remains_is_told_about(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """Barred for one child, he still hears of the other, in a message that names only that one."""
    people: dict[str, Any] = {
        "relationships": [*parents("dad", student="kid"), *parents("dad", student="sis")],
        "contacts": [DAD],
        "students": [KID, SIS],
    }
    notification = await changed_in_between(
        idle,
        directory(**people),
        directory(**people, restrictions=[deny("dad", "kid")]),
        swept=swept,
        audience={"students": ["kid", "sis"]},
    )
    assert sorted((row.state, row.code) for row in await idle.deliveries()) == [("sent", None), ("suppressed", "R01")]
    (mail,) = idle.outbox.mails().values()
    assert "Odalys" in str(mail)
    assert "Tamsin" not in str(mail)
    (sent,) = [row for row in await idle.deliveries() if row.state == "sent"]
    (decision,) = await idle.rows(decisions, decisions.c.notification == notification, decisions.c.student == "sis")
    assert (decision.outcome, decision.message) == ("send", sent.message)


def couple(**entities: Any) -> Directory:
    """Give a couple with a joint letter, which names the father first."""
    return directory(
        **{
            "relationships": parents("mum", "dad"),
            "contacts": [MUM, DAD],
            "students": [KID],
            "contact_points": [letter("mum", HOUSE), letter("dad", HOUSE)],
            "households": [TOGETHER],
            **entities,
        }
    )


@SWEPT
@pytest.mark.parametrize(("gone", "stays"), [(DAD, MUM), (MUM, DAD)], ids=["carrier", "follower"])
async def test_who_shares_an_envelope_does_not_share_its_fate(
    idle: Installation,
    swept: bool,  # noqa: FBT001  # a table's column
    gone: dict[str, str],
    stays: dict[str, str],
) -> None:
    """One of the couple has died since the plan was made: the other's letter goes, with one name on it."""
    contacts = [{**person, "deceased": person is gone} for person in (MUM, DAD)]
    notification = await changed_in_between(idle, couple(), couple(contacts=contacts), swept=swept, category="report")
    assert await idle.states(notification) == {f"{gone['id']}-l": "suppressed", f"{stays['id']}-l": "sent"}
    (words,) = idle.outbox.letters().values()
    assert stays["given_name"] in words
    assert gone["given_name"] not in words


@SWEPT
async def test_an_envelope_shared_with_the_barred_is_not_used(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """Barred, he lives where her letter would go: neither is sent there, and staff must reach her (R30)."""
    notification = await changed_in_between(
        idle, couple(), couple(restrictions=[deny("dad")]), swept=swept, category="report"
    )
    assert await idle.states(notification) == {"dad-l": "suppressed", "mum-l": "suppressed"}
    assert await idle.decided(notification) == {("kid", "dad"): "exclude R01", ("kid", "mum"): "unreachable R30"}
    assert [task.contact for task in await idle.tasks()] == ["mum"]
    assert idle.outbox.letters() == {}


@SWEPT
async def test_a_couple_that_parts_has_two_letters(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """Planned as one letter to both; by the time it leaves they live apart, so each has an envelope (R26)."""
    notification = await changed_in_between(
        idle, couple(), couple(households=[{**TOGETHER, "separated": True}]), swept=swept, category="report"
    )
    assert await idle.states(notification) == {"mum-l": "sent", "dad-l": "sent"}
    letters = list(idle.outbox.letters().values())
    assert sorted(("Zinnia" in words, "Bartholomew" in words) for words in letters) == [(False, True), (True, False)]


@SWEPT
async def test_a_mailbox_that_is_shared_by_now_shows_no_names(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """The other parent reads along since the plan was made: general news goes with a neutral greeting (R29)."""
    people: dict[str, Any] = {
        "relationships": [*parents("mum")],
        "contacts": [MUM, DAD],
        "students": [KID],
    }
    await changed_in_between(
        idle,
        directory(**people, contact_points=[email("mum"), email("dad")]),
        directory(**people, contact_points=[email("mum"), email("dad", "mum@example.org")]),
        swept=swept,
    )
    (mail,) = idle.outbox.mails().values()
    for name in ("Zinnia", "Quillfeather", "Tamsin"):
        assert name not in str(mail)


@SWEPT
async def test_a_point_that_is_gone_gives_way_to_the_next(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """The planned mailbox has left the directory: the text message is sent instead."""
    rows = parents("mum")
    notification = await changed_in_between(
        idle,
        directory(relationships=rows, contact_points=[email("mum"), mobile("mum", MUM_NUMBER)]),
        directory(relationships=rows, contact_points=[mobile("mum", MUM_NUMBER)]),
        swept=swept,
        category="report",
    )
    assert await idle.states(notification) == {"mum-e": "suppressed", "mum-m": "sent"}


@SWEPT
async def test_a_corrected_address_is_used_at_once(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """Addresses are read at the moment of sending, so a typing error put right in time costs nothing."""
    rows = parents("mum")
    await changed_in_between(
        idle,
        directory(relationships=rows, contact_points=[email("mum", "mun@example.org")]),
        directory(relationships=rows, contact_points=[email("mum", "mum@example.org")]),
        swept=swept,
    )
    assert idle.outbox.mailed() == ["mum@example.org"]


@SWEPT
async def test_who_has_no_route_any_more_is_a_task(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """The last usable point is gone before it was used: the decision says unreachable, and staff hear of it."""
    rows = parents("mum")
    notification = await changed_in_between(
        idle,
        directory(relationships=rows),
        directory(relationships=rows, contact_points=[letter("dad", HOUSE)], contacts=[{"id": "dad"}]),
        swept=swept,
        category="emergency",
    )
    assert (await idle.decided(notification))["kid", "mum"] == "unreachable R24"
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [
        ("confirm_details", "mum"),
        ("reach_by_hand", "mum"),
    ]
