"""From the post to the provider: which routes are taken, in which order, when, and as how many pieces."""

import datetime as dt
from email.message import EmailMessage

import pytest

from tests.flow.families import DAD, DAD_NUMBER, HOUSE, KID, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import GONE, LATER, MONDAY, REFUSED, Installation
from tests.unit.rules.households import PARENT, deny, directory, email, letter, mobile, relation, voice


def whole(mail: EmailMessage) -> str:
    """Give a mail's headers and what both its texts say."""
    texts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    return "\n".join([str(mail.items()), *texts])


async def test_both_separated_parents_have_the_report(gateway: Installation) -> None:
    """Two mails under two Message-IDs; neither shows the other's address or name."""
    await gateway.put(directory(relationships=parents("mum", "dad"), contacts=[MUM, DAD], students=[KID]))
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.status(notification) == "finished"
    assert gateway.outbox.mailed() == ["dad@example.org", "mum@example.org"]
    mails = {mail["To"].addresses[0].username: mail for mail in gateway.outbox.mails().values()}
    assert mails["mum"]["Message-ID"] != mails["dad"]["Message-ID"]
    for own, other in ((MUM, DAD), (DAD, MUM)):
        words = whole(mails[own["id"]])
        assert own["family_name"] in words
        assert f"{other['id']}@example.org" not in words
        assert other["given_name"] not in words


async def test_the_barred_parent_is_in_nothing_that_leaves(gateway: Installation) -> None:
    """By no address, no number and no name, whatever the category; the other parent has it all."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad", lives_with=True),
            contacts=[MUM, DAD],
            students=[KID],
            contact_points=[
                email("mum"),
                mobile("mum", MUM_NUMBER),
                email("dad", "vantongeren@example.org"),
                mobile("dad", DAD_NUMBER),
                letter("dad", "9 Farthing Lane"),
            ],
            restrictions=[deny("dad")],
        )
    )
    for category in ("newsletter", "report", "emergency", "attendance"):
        notification = await gateway.post(category)
        await gateway.at_rest()
        assert (await gateway.decided(notification))["kid", "dad"] == "exclude R01"
        assert (await gateway.decided(notification))["kid", "mum"] == "send R07"
    left = gateway.outbox.everything()
    for trace in ("vantongeren", "Vantongeren", "Bartholomew", "7700900222", "7700 900222", "Farthing"):
        assert trace not in left
    assert "Quillfeather" in left


async def test_a_dead_mailbox_leads_to_the_next_point(gateway: Installation) -> None:
    """Mail, then text, then letter: one after the other at once, and the dead addresses are remembered."""
    await gateway.put(
        directory(
            relationships=parents("mum"),
            contacts=[MUM],
            contact_points=[email("mum"), mobile("mum", MUM_NUMBER), letter("mum", HOUSE)],
        )
    )
    gateway.faults.always("mum@example.org", GONE)
    gateway.faults.once(MUM_NUMBER, REFUSED)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"mum-e": "failed", "mum-m": "failed", "mum-l": "sent"}
    assert len(gateway.outbox.letters()) == 1
    assert await gateway.status(notification) == "finished"
    assert await gateway.tasks() == []

    again = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(again) == {"mum-m": "sent"}


@pytest.mark.parametrize("category", ["report", "emergency"])
async def test_when_everything_fails_somebody_is_told(gateway: Installation, category: str) -> None:
    """Without any route left the office has one task for the contact, in every mode (R24)."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"), contact_points=[email("mum"), mobile("mum", MUM_NUMBER), email("dad")]
        )
    )
    gateway.faults.always("mum@example.org", GONE)
    gateway.faults.always(MUM_NUMBER, REFUSED)
    notification = await gateway.post(category)
    await gateway.at_rest()
    states = await gateway.states(notification)
    assert states == {"mum-e": "failed", "mum-m": "failed", "dad-e": "sent"}
    assert [(task.kind, task.contact, task.student) for task in await gateway.tasks()] == [
        ("reach_by_hand", "mum", "kid")
    ]
    assert await gateway.status(notification) == "finished"


async def test_a_joint_letter_is_one_letter_and_two_records(gateway: Installation) -> None:
    """A couple shares one envelope; both deliveries have its state (R25)."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"dad-l": "sent", "mum-l": "sent"}
    (words,) = gateway.outbox.letters().values()
    assert "Zinnia Quillfeather" in words
    assert "Bartholomew Vantongeren" in words
    assert await gateway.status(notification) == "finished"


async def test_a_joint_letter_that_fails_fails_for_both(gateway: Installation) -> None:
    """Nobody is lost inside the other's envelope: each goes on, or becomes a task."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    gateway.faults.always(HOUSE, REFUSED)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"dad-l": "failed", "mum-l": "failed"}
    assert sorted(task.contact for task in await gateway.tasks()) == ["dad", "mum"]
    assert await gateway.status(notification) == "finished"


async def test_a_joint_letter_that_waits_waits_for_both(gateway: Installation) -> None:
    """While the provider is busy nothing is finished; then both are sent by one letter."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    gateway.faults.once(HOUSE, LATER)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert set((await gateway.states(notification)).values()) == {"retrying"}
    assert await gateway.status(notification) == "sending"
    await gateway.forward(seconds=70)
    assert set((await gateway.states(notification)).values()) == {"sent"}
    assert len(gateway.outbox.letters()) == 1


async def test_apart_under_one_roof_means_two_letters(gateway: Installation) -> None:
    """Two envelopes at one address, each with one name on it (R26)."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[{**TOGETHER, "separated": True}],
        )
    )
    await gateway.post("report")
    await gateway.at_rest()
    letters = list(gateway.outbox.letters().values())
    assert len(letters) == 2
    assert sorted(("Zinnia" in words, "Bartholomew" in words) for words in letters) == [(False, True), (True, False)]


async def test_quiet_hours_are_kept_and_end(gateway: Installation) -> None:
    """At half past ten in the evening it waits until seven, not a minute longer; an emergency does not wait (R32)."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[email("mum"), mobile("mum", MUM_NUMBER)]))
    await gateway.move_to(MONDAY + dt.timedelta(hours=12, minutes=30))
    notification = await gateway.post("newsletter")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"mum-e": "queued"}
    assert await gateway.status(notification) == "sending"
    assert gateway.outbox.mails() == {}
    alarm = await gateway.post("emergency")
    await gateway.at_rest()
    assert await gateway.status(alarm) == "finished"

    await gateway.move_to(MONDAY + dt.timedelta(hours=20, minutes=59))
    assert await gateway.states(notification) == {"mum-e": "queued"}
    await gateway.move_to(MONDAY + dt.timedelta(hours=21))
    assert await gateway.states(notification) == {"mum-e": "sent"}
    assert await gateway.status(notification) == "finished"


async def test_the_ladder_is_climbed_a_rung_at_a_time(gateway: Installation) -> None:
    """Who lives with the child first, the others after 15 and 30 minutes; all points of a rung together (R31)."""
    await gateway.put(
        directory(
            relationships=[
                relation("mum", **PARENT, lives_with=True, priority=1),
                relation("step", care_of_child=True, lives_with=True, priority=2),
                relation("dad", **PARENT, priority=3),
            ],
            contact_points=[
                mobile("mum", MUM_NUMBER),
                voice("mum", MUM_NUMBER),
                mobile("step", "+447700900333"),
                mobile("dad", DAD_NUMBER),
            ],
        )
    )
    notification = await gateway.post("attendance")
    await gateway.at_rest()
    first = {"mum-m": "sent", "mum-v": "sent", "step-m": "queued", "dad-m": "queued"}
    assert await gateway.states(notification) == first
    await gateway.forward(minutes=14, seconds=59)
    assert await gateway.states(notification) == first
    await gateway.forward(seconds=1)
    assert await gateway.states(notification) == {**first, "step-m": "sent"}
    await gateway.forward(minutes=14, seconds=59)
    assert await gateway.status(notification) == "sending"
    await gateway.forward(seconds=1)
    assert set((await gateway.states(notification)).values()) == {"sent"}
    assert await gateway.status(notification) == "finished"


async def test_an_emergency_goes_out_everywhere_at_once(gateway: Installation) -> None:
    """Text, call and mail to every entitled adult in the same moment."""
    await gateway.put(
        directory(
            relationships=[*parents("mum"), relation("gran", emergency_contact=True)],
            contact_points=[
                email("mum"),
                mobile("mum", MUM_NUMBER),
                voice("mum", MUM_NUMBER),
                voice("gran", "020 7946 0001"),
                letter("gran", HOUSE),
            ],
        )
    )
    notification = await gateway.post("emergency")
    await gateway.at_rest()
    states = await gateway.states(notification)
    assert states == {"mum-e": "sent", "mum-m": "sent", "mum-v": "sent", "gran-v": "sent"}
    assert [line["to"] for line in gateway.outbox.lines("sms")] == [MUM_NUMBER]
    assert sorted(line["to"] for line in gateway.outbox.lines("voice")) == ["+442079460001", MUM_NUMBER]


async def test_letters_have_a_lane_of_their_own(gateway: Installation) -> None:
    """Typesetting holds up no mail; the mail that follows a failed letter is in its notification's lane again."""
    await gateway.put(
        directory(
            relationships=parents("mum"),
            contacts=[{**MUM, "preferences": {"channels": {"*": ["letter", "email"]}}}],
            contact_points=[letter("mum", HOUSE), email("mum")],
        )
    )
    gateway.faults.always(HOUSE, REFUSED)
    notification = await gateway.post("report")
    await gateway.at_rest()
    lanes = {row.channel: (row.lane, row.state) for row in await gateway.deliveries(notification)}
    assert lanes == {"letter": ("letters", "failed"), "email": ("standard", "sent")}
