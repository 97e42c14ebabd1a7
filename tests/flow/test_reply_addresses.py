"""R40: mails carry an address for answers of their own reader; those that people living apart read carry none."""

from pathlib import Path

from gateway.access import replied_delivery
from tests.flow.families import DAD, KID, MUM, TOGETHER, parents
from tests.flow.installation import SECRET, Installation, installed
from tests.unit.rules.households import Row, directory, email

DOMAIN = "replies.example.org"


async def reply_to(gateway: Installation) -> dict[str, str | None]:
    """Give each mail's address for answers, by delivery id."""
    return {delivery: mail["Reply-To"] for delivery, mail in gateway.outbox.mails().items()}


async def sent(gateway: Installation, *points: Row, households: list[Row] | None = None) -> None:
    """Send a newsletter to both parents of one child."""
    await gateway.put(
        directory(
            students=[KID],
            contacts=[MUM, DAD],
            relationships=parents("mum", "dad"),
            contact_points=list(points),
            households=households or [],
        )
    )
    await gateway.post("newsletter")
    await gateway.at_rest()


async def test_every_reader_has_an_address(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Two parents, two addresses, each leading to its own delivery."""
    async with installed(gateway_sqlite_url, None, tmp_path, reply_domain=DOMAIN) as gateway:
        await sent(gateway, email("mum"), email("dad"))
        found = await reply_to(gateway)
        assert len(found) == 2
        assert {replied_delivery(SECRET, str(address)) for address in found.values()} == set(found)


async def test_a_household_answers_from_its_mailbox(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """They read one mail together (R25)."""
    async with installed(gateway_sqlite_url, None, tmp_path, reply_domain=DOMAIN) as gateway:
        await sent(gateway, email("mum"), email("dad", "mum@example.org"), households=[TOGETHER])
        ((delivery, address),) = (await reply_to(gateway)).items()
        assert replied_delivery(SECRET, str(address)) == delivery


async def test_a_contested_mailbox_has_none(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Nobody could tell which of the two has answered."""
    async with installed(gateway_sqlite_url, None, tmp_path, reply_domain=DOMAIN) as gateway:
        await sent(gateway, email("mum"), email("dad", "mum@example.org"))
        found = await reply_to(gateway)
        assert found
        assert set(found.values()) == {None}


async def test_without_a_domain_there_is_none(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Answers go to the school's own address."""
    async with installed(gateway_sqlite_url, None, tmp_path) as gateway:
        await sent(gateway, email("mum"), email("dad"))
        assert set((await reply_to(gateway)).values()) == {None}
