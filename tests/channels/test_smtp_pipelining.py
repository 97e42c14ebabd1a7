"""Mail written ahead: fast, shared between connections, and its account true whatever the server does at any byte."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.base import Envelope, Handover, Mail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import Retry
from channels.smtp_dialogue import LARGE, WINDOW
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE
from tests.channels.strict_server import DROP, HOLD, STALL, TAKE_AND_DROP, Plan, StrictServer, strict_server

STEPWISE = ("8BITMIME", "SIZE 100000000")
PIPELINED = ("PIPELINING", *STEPWISE)
CHUNKED = ("CHUNKING", *PIPELINED)
WAYS = {"stepwise": STEPWISE, "pipelined": PIPELINED, "chunked": CHUNKED}
every_way = pytest.mark.parametrize("offers", WAYS.values(), ids=WAYS)


def mail(number: int, content: bytes | None = None, *, urgent: bool = False) -> Envelope:
    """Write a mail that differs from all others."""
    payload = Mail(
        sender=f"bounce+{number}@school.example.org",
        recipient=f"p{number}@example.org",
        message_id=f"<{number}@school.example.org>",
        content=b"Subject: %d\r\n\r\n.\r\n" % number if content is None else content,
    )
    return Envelope(delivery=f"d{number}", payload=payload, urgent=urgent)


@asynccontextmanager
async def opened(server: StrictServer, **changes: object) -> AsyncIterator[SmtpChannel]:
    """Open a channel to a running server."""
    values: dict[str, object] = {
        "tls": SmtpTls.NONE,
        "connections": 1,
        "timeout": 5,
        "pause_after_failure": 0.0,
        **changes,
    }
    channel = SmtpChannel(
        SmtpSettings(host="127.0.0.1", port=server.port, hello_name="gateway.example.org", **values)  # type: ignore[arg-type]
    )
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


def planned(faults: dict[tuple[str, int], str]) -> Plan:
    """Fail at the given visits of the given steps."""
    return lambda step, visit, _recipient: faults.get((step, visit))


def audited(server: StrictServer, envelopes: Sequence[Envelope], handovers: Sequence[Handover]) -> None:
    """Compare the server's account with ours: every mail once at most, whole, and known for what it is."""
    taken = Counter(mail.recipient for mail in server.taken)
    contents = {mail.recipient: (mail.sender, mail.content) for mail in server.taken}
    for envelope, handover in zip(envelopes, handovers, strict=True):
        payload = envelope.payload
        assert isinstance(payload, Mail)
        assert taken[payload.recipient] <= 1
        if handover.error is None:
            assert contents[payload.recipient] == (payload.sender, payload.content)
        elif handover.error.retry is Retry.UNKNOWN:
            # Chunks leave unasked.
            assert server.asked[payload.recipient] or "CHUNKING" in server.offers
        else:
            assert not taken[payload.recipient]
    assert sum(taken.values()) == len(server.taken)


async def test_the_next_envelope_follows_the_final_dot() -> None:
    """One round trip a mail: content, dot, MAIL, RCPT and DATA leave together."""
    async with strict_server(StrictServer(offers=PIPELINED)) as server, opened(server) as channel:
        envelopes = [mail(number) for number in range(4)]
        audited(server, envelopes, await sent(channel, envelopes))
        assert len(server.taken) == 4
        assert server.groups[1:6] == [["MAIL", "RCPT", "DATA"]] * 4 + [[]]


async def test_whole_mails_are_under_way_where_the_server_takes_chunks() -> None:
    """As many as the window allows leave in the first write, each cleared from the one before by RSET."""
    async with strict_server(StrictServer(offers=CHUNKED)) as server, opened(server) as channel:
        envelopes = [mail(number) for number in range(2 * WINDOW)]
        audited(server, envelopes, await sent(channel, envelopes))
        assert len(server.taken) == 2 * WINDOW
        assert server.groups[1] == ["MAIL", "RCPT", "BDAT", *["RSET", "MAIL", "RCPT", "BDAT"] * (WINDOW - 1)]


async def test_without_pipelining_commands_go_one_by_one() -> None:
    """Chunks alone are no leave to write ahead."""
    async with strict_server(StrictServer(offers=("CHUNKING",))) as server, opened(server) as channel:
        envelopes = [mail(number) for number in range(3)]
        audited(server, envelopes, await sent(channel, envelopes))
        assert len(server.taken) == 3
        assert max(map(len, server.groups)) == 1


@every_way
@pytest.mark.parametrize("data_in_spite", [False, True])
async def test_refused_recipients_do_not_harm_their_neighbours(offers: tuple[str, ...], *, data_in_spite: bool) -> None:
    """Every third address is refused; where the server asks for content in spite of it, it gets a lone dot."""
    server = StrictServer(offers=offers, data_in_spite=data_in_spite)
    server.plan = lambda step, visit, _recipient: "550 5.1.1 nobody" if step == "RCPT" and visit % 3 == 0 else None
    async with strict_server(server), opened(server) as channel:
        envelopes = [mail(number) for number in range(12)]
        handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        assert [handover.error and handover.error.code for handover in handovers] == [
            None,
            None,
            "mailbox_unknown",
        ] * 4
        assert server.connections == 1


async def test_a_refused_sender_with_an_accepted_recipient_gets_no_empty_mail() -> None:
    """A lone dot would reach somebody: the connection is cut instead, and commands go one by one from then on."""
    plan = planned({("MAIL", 1): "550 5.7.1 no", ("RCPT", 1): "250 2.1.5 fine", ("DATA", 1): "354 go on"})
    async with strict_server(StrictServer(plan, PIPELINED)) as server, opened(server) as channel:
        handovers = await sent(channel, [mail(1), mail(2)])
        assert handovers[0].error is not None
        assert (handovers[0].error.code, handovers[1].accepted) == ("refused_by_policy", True)
        assert [taken.recipient for taken in server.taken] == ["p2@example.org"]
        assert max(map(len, server.groups[3:])) == 1


@pytest.mark.parametrize("offers", [PIPELINED, CHUNKED], ids=["pipelined", "chunked"])
@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
@pytest.mark.parametrize("reply", ["503 5.5.1 wait for my answer", "554 5.5.0 out of step", "500 what"])
async def test_a_server_that_stumbles_over_commands_written_ahead_is_spoken_to_slowly(
    offers: tuple[str, ...], step: str, reply: str
) -> None:
    """No mail is lost to it: the refused one goes again, one command at a time, and so do all later ones."""
    async with strict_server(StrictServer(planned({(step, 1): reply}), offers)) as server, opened(server) as channel:
        envelopes = [mail(number) for number in range(6)]
        handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        assert all(handover.accepted for handover in handovers)
        before = len(server.groups)
        assert (await sent(channel, [mail(7), mail(8)]))[1].accepted
        assert max(map(len, server.groups[before:])) == 1


async def test_breaks_amid_commands_written_ahead_add_up_to_distrust() -> None:
    """A server that cuts whoever pipelines is served all the same after a few tries."""
    server = StrictServer(offers=PIPELINED)

    def plan(step: str, _visit: int, _recipient: str) -> str | None:
        return DROP if step == "MAIL" and server.connections <= 3 else None

    server.plan = plan
    async with strict_server(server), opened(server, connections=4) as channel:
        envelopes = [mail(number) for number in range(8)]
        handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        before = len(server.groups)
        assert (await sent(channel, [mail(9)]))[0].accepted
        assert handovers[-1].accepted
        assert before


@every_way
async def test_a_connection_cut_after_any_byte_leaves_a_true_account(offers: tuple[str, ...]) -> None:
    """In doubt are only mails whose content the server had asked for; the others go over another connection."""
    envelopes = [mail(number) for number in range(3)]
    for cut_after in itertools.count():
        async with strict_server(StrictServer(offers=offers, cut_after=cut_after)) as server, opened(server) as channel:
            handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        unanswered = [handover for handover in handovers if not handover.accepted]
        assert len(unanswered) <= (WINDOW if offers is CHUNKED else 1)
        if server.connections == 1 and not unanswered:
            break
    assert cut_after > 200, "the cuts must have gone through all three mails"


@every_way
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_large_mail_is_in_doubt_only_at_its_very_end(
    offers: tuple[str, ...], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Cut in its middle, it certainly was not taken; the mail behind it goes all the same."""
    content = (b"y" * 998 + b"\r\n") * 12_000

    async def scenario() -> None:
        async with strict_server(StrictServer(offers=offers, cut_after=20_000)) as server, opened(server) as channel:
            handovers = await sent(channel, [mail(1, content), mail(2)])
            error = handovers[0].error
            assert error is not None
            assert (error.retry, error.code, handovers[1].accepted) == (Retry.LATER, "connection_lost", True)
            assert (await sent(channel, [mail(1, content)]))[0].accepted
            assert server.taken[-1].content == content

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


FAULTS = st.sampled_from(
    [
        "421 4.3.2 going",
        "450 4.7.1 later",
        "451 later",
        "503 5.5.1 what",
        "550 5.1.1 no",
        "250 yes",
        "354 go on",
        "nonsense",
        "-",
        "250-half an answer",
        DROP,
        STALL,
        TAKE_AND_DROP,
    ]
)
STEPS = st.sampled_from(["connect", "EHLO", "MAIL", "RCPT", "DATA", "end", "RSET", "QUIT"])

PLAIN = {"count": 9, "connections": 1, "cut_after": None, "data_in_spite": False, "most": 100}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    offers=st.sampled_from(list(WAYS.values())),
    faults=st.dictionaries(st.tuples(STEPS, st.integers(1, 6)), FAULTS, max_size=4),
    count=st.integers(1, 9),
    connections=st.integers(1, 3),
    cut_after=st.none() | st.integers(0, 400),
    data_in_spite=st.booleans(),
    most=st.integers(1, 5),
)
@example(offers=CHUNKED, faults={("RCPT", 2): "421 4.3.2 going"}, **PLAIN)
@example(offers=PIPELINED, faults={("end", 1): "421 4.3.2 going"}, **PLAIN)
@example(
    offers=PIPELINED,
    faults={("MAIL", 2): "550 5.1.1 no", ("RCPT", 2): "250 yes", ("DATA", 2): "354 go on"},
    **PLAIN,
)
def test_whatever_the_server_does_both_accounts_agree(
    *,
    offers: tuple[str, ...],
    faults: dict[tuple[str, int], str],
    count: int,
    connections: int,
    cut_after: int | None,
    data_in_spite: bool,
    most: int,
) -> None:
    """Accepted is what the server took; unknown is only what it may have taken; nothing is sent twice."""

    async def scenario() -> None:
        plan = StrictServer(planned(faults), offers, cut_after, data_in_spite)
        envelopes = [mail(number) for number in range(count)]
        async with (
            strict_server(plan) as server,
            opened(server, connections=connections, timeout=0.1, mails_per_connection=most) as channel,
        ):
            async with asyncio.timeout(20):
                handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        assert server.most_open <= connections + 1, "one may be seen ending while the next begins"

    asyncio.run(scenario())


LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".x", b"x.", b"MAIL FROM:<x@example.org>", b"x" * 2000, "ж".encode() * 40])
)


@settings(max_examples=60, deadline=None)
@given(
    offers=st.sampled_from(list(WAYS.values())),
    mails=st.lists(LINES, min_size=1, max_size=6),
    large=st.booleans(),
    tls=st.booleans(),
    loop=st.sampled_from([asyncio.new_event_loop, uvloop.new_event_loop]),
)
def test_every_content_arrives_byte_for_byte(
    *,
    offers: tuple[str, ...],
    mails: list[list[bytes]],
    large: bool,
    tls: bool,
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Dots that begin lines, long lines, commands in the text, nothing at all, and more than a buffer holds."""
    contents = [b"".join(line + b"\r\n" for line in lines) or b"\r\n" for lines in mails]
    if large:
        contents[0] += b".large\r\n" * (LARGE // 2)
    secured = {"tls": SmtpTls.TLS, "ca_file": CERTIFICATE} if tls else {}

    async def scenario() -> None:
        async with strict_server(StrictServer(offers=offers), tls=tls) as server, opened(server, **secured) as channel:
            envelopes = [mail(number, content) for number, content in enumerate(contents)]
            handovers = await sent(channel, envelopes)
            assert all(handover.accepted for handover in handovers)
            audited(server, envelopes, handovers)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


async def test_a_silent_connection_does_not_hold_the_others_mails() -> None:
    """The mail whose envelope was written behind the silent one goes over another connection, long before a timeout."""
    async with (
        strict_server(StrictServer(planned({("end", 1): STALL}), PIPELINED)) as server,
        opened(server, connections=2, timeout=60) as channel,
    ):
        async with asyncio.timeout(10), aclosing(channel.send([mail(number) for number in range(9)])) as answers:
            accepted = [(await anext(answers)).accepted for _ in range(8)]
        assert accepted == [True] * 8
        assert len(server.taken) == 8


@pytest.mark.parametrize(
    ("offers", "step", "taken"),
    [(PIPELINED, "end", [1]), (PIPELINED, "DATA", []), (STEPWISE, "RCPT", []), (STEPWISE, "end", [1])],
)
async def test_who_stops_listening_takes_back_what_has_not_left(
    offers: tuple[str, ...], step: str, taken: list[int]
) -> None:
    """A mail under way is not repeated, an envelope written ahead gets no content, and nothing is left behind."""
    async with strict_server(StrictServer(planned({(step, 1): HOLD}), offers)) as server, opened(server) as channel:
        sending = asyncio.create_task(sent(channel, [mail(number) for number in range(1, 9)]))
        async with asyncio.timeout(5):
            await server.stalled.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            server.release()
            assert (await sent(channel, [mail(99)]))[0].accepted
    assert [mail.recipient for mail in server.taken] == [f"p{number}@example.org" for number in [*taken, 99]]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_answers_come_as_soon_as_they_are_known() -> None:
    """The first is there although the second mail hangs."""
    async with (
        strict_server(StrictServer(planned({("end", 2): STALL}), PIPELINED)) as server,
        opened(server) as channel,
        aclosing(channel.send([mail(1), mail(2)])) as answers,
    ):
        async with asyncio.timeout(5):
            assert (await anext(answers)).delivery == "d1"


async def test_emergencies_go_first_and_batches_take_turns() -> None:
    """On one connection: what is urgent overtakes what waits, and of two newsletters none waits for the other's end."""
    async with strict_server(StrictServer(offers=PIPELINED)) as server, opened(server) as channel:
        await asyncio.gather(
            sent(channel, [mail(number) for number in range(6)]),
            sent(channel, [mail(number) for number in range(10, 16)]),
            sent(channel, [mail(20, urgent=True), mail(21, urgent=True)]),
        )
        order = [int(taken.recipient[1:].partition("@")[0]) for taken in server.taken]
    begun = {order.index(number) for number in (20, 21)}
    assert max(begun) <= 3
    ordinary = [number for number in order if number < 20]
    assert abs(ordinary.index(5) - ordinary.index(15)) == 1


async def test_the_mails_of_a_failing_connection_go_over_the_others() -> None:
    """No answer is lost when only some connections can be opened."""
    server = StrictServer(planned({("connect", 2): "421 4.3.2 too many", ("connect", 3): DROP}), PIPELINED)
    async with strict_server(server), opened(server, connections=3, pause_after_failure=60) as channel:
        envelopes = [mail(number) for number in range(30)]
        handovers = await sent(channel, envelopes)
        audited(server, envelopes, handovers)
        assert all(handover.accepted for handover in handovers)
        assert server.connections == 3


async def test_a_server_that_cuts_every_connection_is_not_hammered() -> None:
    """After a few breaks without a single mail the rest is answered at once, for a later try."""
    server = StrictServer(lambda step, _visit, _recipient: DROP if step == "MAIL" else None, PIPELINED)
    async with strict_server(server), opened(server, connections=2, pause_after_failure=0.01) as channel:
        handovers = await sent(channel, [mail(number) for number in range(200)])
    assert {handover.error.retry for handover in handovers if handover.error} == {Retry.LATER}
    assert len(handovers) == 200
    assert server.connections <= 8


async def test_closing_answers_for_what_is_under_way() -> None:
    """What was sent is in doubt, what was not is for later; nobody waits for ever."""
    server = StrictServer(planned({("end", 1): STALL}), PIPELINED)
    async with strict_server(server), opened(server) as channel:
        sending = asyncio.create_task(sent(channel, [mail(number) for number in range(5)]))
        async with asyncio.timeout(5):
            await server.stalled.wait()
            await channel.close()
            handovers = await sending
    assert [handover.error and handover.error.retry for handover in handovers] == [Retry.UNKNOWN] + [Retry.LATER] * 4
