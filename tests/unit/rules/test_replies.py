"""R40: one parent's text never reaches another."""

from itertools import product

import pytest

from gateway.rules.replies import Reader, Reply, Thread, may_read, readable, takes_replies

HERS = Reply(id="1", thread=Thread(message="m1", contact="mum"))
HIS = Reply(id="2", thread=Thread(message="m1", contact="dad"))


@pytest.mark.parametrize(
    ("reader", "ids"),
    [("mum", ["1"]), ("dad", ["2"]), ("nan", []), (None, ["1", "2"])],
    ids=["she", "he", "somebody else", "staff"],
)
def test_who_reads_a_reply(reader: str | None, ids: list[str]) -> None:
    """Staff and its own contact; to all others there is none."""
    who = Reader(contact=reader)
    assert [reply.id for reply in readable((HERS, HIS), who)] == ids
    assert [may_read(reply, who) for reply in (HERS, HIS)] == ["1" in ids, "2" in ids]


def test_threads_are_one_for_each_contact_and_message() -> None:
    """Even for ids that would run together, and the same every time."""
    pairs = [*product(("m1", "m2", "1:m", "m"), ("mum", "dad", "1:mum", "2"))]
    keys = [Thread(message=message, contact=contact).key for message, contact in pairs]
    assert len(set(keys)) == len(pairs)
    assert keys == [Thread(message=message, contact=contact).key for message, contact in pairs]
    assert "mum" not in "".join(keys)


@pytest.mark.parametrize(
    ("neutral", "apart", "takes"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_a_mail_that_people_living_apart_read_takes_no_reply(neutral: bool, apart: bool, takes: bool) -> None:  # noqa: FBT001  # a table's columns
    """Nobody could tell whose answer it is."""
    assert takes_replies(neutral=neutral, apart=apart) is takes
