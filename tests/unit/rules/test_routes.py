"""P8 as tables: which points a message may use, in which order, and what it means when none is left."""

from typing import Any

import pytest

from tests.unit.rules.households import (
    PARENT,
    Row,
    answered,
    deny,
    email,
    evaluation,
    fate,
    letter,
    mobile,
    order,
    relation,
    routes,
    voice,
)

BOTH = [relation(**PARENT), relation("dad", **PARENT)]
MINE = "07700 900001"
HOME = [{"id": "h", "members": ["mum", "dad"]}]


def numbered(point: Row, suffix: str) -> Row:
    """Give a point another id."""
    return {**point, "id": f"{point['id']}{suffix}"}


@pytest.mark.parametrize(
    ("category", "points", "expected"),
    [
        ("routine", [letter("mum", "1 Weir Street"), mobile("mum", MINE), email("mum")], ["mum-e", "mum-m", "mum-l"]),
        ("emergency", [letter("mum", "1 Weir Street")], []),
        (
            "newsletter",
            [numbered(email("mum", order=2), "1"), numbered(email("mum", "m@example.org"), "2")],
            ["mum-e2", "mum-e1"],
        ),
        (
            "newsletter",
            [numbered(email("mum", "b@example.org"), "2"), numbered(email("mum"), "1")],
            ["mum-e1", "mum-e2"],
        ),
        ("newsletter", [numbered(email("mum", "MUM@example.org "), "2"), numbered(email("mum"), "1")], ["mum-e1"]),
        ("newsletter", [email("mum", state="dead")], []),
        ("newsletter", [email("mum", state="opted_out")], []),
        ("newsletter", [email("mum", state="suspect")], []),
        ("newsletter", [email("mum", "mum at example.org")], []),
        ("routine", [mobile("mum", "020 7946 0123")], []),
        ("routine", [mobile("mum", "+1 202 555 0156")], ["mum-m"]),
        ("emergency", [voice("mum", "020 7946 0123")], ["mum-v"]),
        ("emergency", [mobile("mum", MINE, state="suspect"), voice("mum", MINE)], ["mum-m", "mum-v"]),
        ("emergency", [mobile("mum", MINE, state="carrier_blocked"), voice("mum", MINE)], ["mum-v"]),
        (
            "emergency",
            [
                numbered(mobile("mum", MINE, state="suspect"), "1"),
                numbered(mobile("mum", "07700 900009", order=5), "2"),
            ],
            ["mum-m2", "mum-m1"],
        ),
        (
            "attendance",
            [numbered(mobile("mum", MINE), "1"), numbered(mobile("mum", "07700 900009"), "2"), email("mum")],
            ["mum-m1", "mum-e"],
        ),
        (
            "newsletter",
            [
                numbered(letter("mum", "1 Weir Street"), "1"),
                numbered(letter("mum", "2 Weir Street", confidential=True, order=9), "2"),
            ],
            ["mum-l2"],
        ),
        (
            "newsletter",
            [
                numbered(email("mum", "a@example.org", confidential=True, order=2), "1"),
                numbered(email("mum", "b@example.org"), "2"),
            ],
            ["mum-e2", "mum-e1"],
        ),
    ],
)
def test_points_in_order(category: str, points: list[Row], expected: list[str]) -> None:
    """R22 and the order of points, for a mother who shares nothing."""
    given = answered(category, relationships=[relation(**PARENT)], contact_points=points)
    assert routes(given) == expected
    assert fate(given) == ("send R07" if expected else "unreachable R24")


@pytest.mark.parametrize("state", ["dead", "opted_out", "carrier_blocked", "suspect"])
def test_the_worst_state_of_an_address_counts(state: str) -> None:
    """R22: what is known of somebody else's point with the same channel and address is known of mine."""
    points = [email("mum"), mobile("mum", MINE), email("dad", "MUM@example.org", state=state)]
    given = answered("routine", relationships=BOTH, households=HOME, contact_points=points)
    assert routes(given) == ["mum-m"]


@pytest.mark.parametrize(
    ("category", "wishes", "expected"),
    [
        ("progress", {"progress": ["voice"]}, ["mum-v", "mum-e", "mum-m", "mum-l"]),
        ("progress", {"*": ["letter", "sms"]}, ["mum-l", "mum-m", "mum-e", "mum-v"]),
        ("progress", {"*": ["letter"], "progress": ["sms"]}, ["mum-m", "mum-e", "mum-v", "mum-l"]),
        ("report", {"*": ["voice", "letter"]}, ["mum-l", "mum-e", "mum-m"]),
        ("emergency", {"*": ["email"]}, ["mum-m", "mum-v", "mum-e"]),
        ("attendance", {"attendance": ["email"]}, ["mum-m", "mum-v", "mum-e"]),
    ],
)
def test_own_order_of_channels(category: str, wishes: dict[str, Any], expected: list[str]) -> None:
    """R21: the contact's own order counts in fallback mode, among the category's channels."""
    points = [email("mum"), mobile("mum", MINE), voice("mum", MINE), letter("mum", "1 Weir Street")]
    contacts = [{"id": "mum", "preferences": {"channels": wishes}}]
    given = answered(category, contacts=contacts, relationships=[relation(**PARENT)], contact_points=points)
    assert routes(given) == expected


@pytest.mark.parametrize(
    ("category", "contact", "row", "expected"),
    [
        ("meeting", {}, PARENT, ["mum-e"]),
        ("report", {}, PARENT, []),
        ("report", {"preferences": {"work_points": True}}, PARENT, ["mum-e"]),
        ("newsletter", {"staff": True}, PARENT, []),
        ("emergency", {"staff": True}, PARENT, []),
        ("newsletter", {"staff": True, "preferences": {"work_points": True}}, PARENT, ["mum-e"]),
        ("reply", {"staff": True}, {"professional": "tutor"}, ["mum-e"]),
    ],
)
def test_work_points(category: str, contact: Row, row: Row, expected: list[str]) -> None:
    """R27: work points are for professionals, and for family mail only where the contact chose so."""
    given = answered(
        category,
        contacts=[{"id": "mum", **contact}],
        relationships=[relation(**row)],
        contact_points=[email("mum", label="work")],
    )
    assert routes(given) == expected


def test_professionals_get_email_and_letter_but_alerts_by_every_channel() -> None:
    """P8 and R42."""
    points = [email("mum"), mobile("mum", MINE), letter("mum", "1 Office Park")]
    worker = [relation(professional="social_worker", emergency_contact=True)]
    assert routes(answered("reply", relationships=worker, contact_points=points)) == ["mum-e", "mum-l"]
    assert routes(answered("emergency", relationships=worker, contact_points=points)) == ["mum-m", "mum-e"]


@pytest.mark.parametrize(
    "block",
    [
        {"channels": ["email", "sms"]},
        {"channels": ["email", "sms"], "status": "draft"},
        {"channels": ["email", "sms"], "until": "2026-06-14"},
    ],
)
def test_a_channel_limited_deny_closes_the_channel(block: Row) -> None:
    """R01 by channel: live, draft and lapsed alike; the rest stays open."""
    points = [email("mum"), letter("mum", "1 Weir Street")]
    rows = [relation(**PARENT)]
    assert routes(answered("routine", relationships=rows, contact_points=points, restrictions=[deny(**block)])) == [
        "mum-l"
    ]
    only_email = answered("routine", relationships=rows, contact_points=points[:1], restrictions=[deny(**block)])
    assert fate(only_email) == "unreachable R24"


@pytest.mark.parametrize(
    ("block", "usable"),
    [
        ({}, False),
        ({"status": "draft"}, False),
        ({"until": "2026-06-14"}, False),
        ({"channels": ["email"]}, False),
        ({"channels": ["letter"]}, True),
        ({"categories": ["report"]}, True),
        ({"categories": []}, True),
        ({"status": "superseded"}, True),
        ({"effect": "must_send"}, True),
        ({"student": "sister"}, True),
    ],
)
@pytest.mark.parametrize("related", [True, False])
def test_a_mailbox_shared_with_a_barred_person_is_closed(block: Row, *, usable: bool, related: bool) -> None:
    """R30: any live deny of the sharer for this student, category and channel counts, related or not."""
    rows = [relation(**PARENT), *([relation("dad", **PARENT)] if related else [])]
    given = answered(
        "emergency",
        students=[{"id": "kid"}, {"id": "sister"}],
        contacts=[{"id": "dad"}],
        relationships=rows,
        contact_points=[email("mum", "family@example.org"), email("dad", "family@example.org")],
        restrictions=[deny("dad", **block)],
    )
    assert fate(given) == ("send R07" if usable else "unreachable R30")


@pytest.mark.parametrize(
    ("status", "row", "expected"),
    [
        ("adopted", {**PARENT, "parental_responsibility": "no"}, "unreachable R30"),
        ("adopted", PARENT, "unreachable R30"),
        ("adopted", {**PARENT, "valid_to": "2026-06-14"}, "send R07"),
        ("adopted", {"parental_responsibility": "no"}, "send R07"),
        ("none", PARENT, "send R07"),
        ("sgo", PARENT, "send R07"),
        ("s20", PARENT, "send R07"),
    ],
)
def test_a_mailbox_shared_with_someone_the_care_status_bars_is_closed(status: str, row: Row, expected: str) -> None:
    """R30: P4 holding or excluding the sharer closes the address, in an emergency, too."""
    given = answered(
        "emergency",
        students=[{"id": "kid", "care_status": status}],
        relationships=[relation(parental_responsibility="yes"), relation("dad", **row)],
        contact_points=[email("mum", "family@example.org"), email("dad", "family@example.org")],
    )
    assert fate(given) == expected


@pytest.mark.parametrize(
    ("sharer", "expected"),
    [
        ({"relation": "self", "lives_with": True}, "send R18"),
        ({**PARENT}, "unreachable R30"),
        ({"professional": "tutor"}, "send R18"),
    ],
)
def test_a_carers_mailbox_under_a_care_order(sharer: Row, expected: str) -> None:
    """R30 with R18: a parent who waits for the plan closes the carer's mailbox, the child herself does not."""
    given = answered(
        "emergency",
        students=[{"id": "kid", "care_status": "care_order"}],
        relationships=[relation(relation="foster_carer", care_of_child=True), relation("dad", **sharer)],
        contact_points=[email("mum", "family@example.org"), email("dad", "family@example.org")],
    )
    assert fate(given) == expected


@pytest.mark.parametrize(("orders", "expected"), [([], "send R18"), ([order("gran")], "unreachable R30")])
def test_an_order_to_send_that_the_care_order_holds_closes_a_shared_mailbox(orders: list[Row], expected: str) -> None:
    """R30 with R06: an order makes the sharer one whom P4 holds."""
    given = answered(
        "emergency",
        students=[{"id": "kid", "care_status": "care_order"}],
        relationships=[
            relation(relation="foster_carer", care_of_child=True),
            relation("gran", parental_responsibility="no"),
        ],
        contact_points=[email("mum", "family@example.org"), email("gran", "family@example.org")],
        restrictions=orders,
    )
    assert fate(given) == expected


def test_texts_and_calls_share_a_number() -> None:
    """Sharers: one number, one telephone, whichever channel lists it."""
    points = [mobile("mum", MINE), voice("dad", "+447700900001")]
    given = answered("emergency", relationships=BOTH, contact_points=points, restrictions=[deny("dad")])
    assert fate(given) == "unreachable R30"


JOINT: list[tuple[Row, bool]] = [
    ({"households": HOME}, True),
    ({}, False),
    ({"households": [{**HOME[0], "separated": True}]}, False),
    ({"households": [*HOME, {"id": "h2", "members": ["mum", "dad"], "separated": True}]}, False),
    (
        {"households": [*HOME, {"id": "h2", "members": ["mum", "dad"], "separated": True, "to": "2026-06-14"}]},
        True,
    ),
    ({"households": [{**HOME[0], "to": "2026-06-14"}]}, False),
    ({"households": [{**HOME[0], "from": "2026-06-15", "to": "2026-06-15"}]}, True),
    ({"households": HOME, "restrictions": [deny("dad", "sister", categories=[])]}, False),
    ({"households": HOME, "restrictions": [deny("mum", "sister", effect="must_send", status="draft")]}, False),
    ({"households": HOME, "restrictions": [deny("mum", "sister", effect="must_send", until="2026-06-14")]}, True),
    ({"households": HOME, "restrictions": [deny("mum", "sister", status="superseded")]}, True),
    ({"households": HOME, "relationships": [*BOTH, relation("dad", "sister", relation="self")]}, False),
]


@pytest.mark.parametrize(("facts", "joint"), JOINT)
def test_joint(facts: Row, *, joint: bool) -> None:
    """The definition of joint decides whether a shared mailbox carries personal news (R29)."""
    given = answered(
        "progress",
        students=[{"id": "kid"}, {"id": "sister"}],
        contact_points=[email("mum", "family@example.org"), email("dad", "family@example.org")],
        **{"relationships": BOTH, **facts},
    )
    assert fate(given) == ("send R07" if joint else "hold R29")


def test_a_contested_point_carries_general_news_with_a_neutral_greeting() -> None:
    """R29: at sensitivity 0 it is used and marked, in life-safety it is used, otherwise it is dropped."""
    points = [email("mum", "family@example.org"), email("dad", "family@example.org"), letter("mum", "1 Weir Street")]
    facts: Any = {"relationships": BOTH, "contact_points": points}
    assert evaluation("newsletter", **facts).neutral_points == {"mum-e", "dad-e"}
    assert evaluation("emergency", **facts).neutral_points == set()
    assert routes(answered("report", **facts)) == ["mum-l"]


def test_what_nothing_left_means() -> None:
    """P8: a barred sharer outweighs a contested point, which outweighs a dead one."""
    apart = [email("mum", "family@example.org"), email("dad", "family@example.org")]
    barred = [mobile("mum", MINE), mobile("uncle", MINE)]
    facts: Any = {"contacts": [{"id": "uncle"}], "relationships": BOTH, "restrictions": [deny("uncle")]}
    dead = email("mum", "x@example.org", state="dead")
    assert fate(answered("report", contact_points=[*apart, *barred], **facts)) == "unreachable R30"
    assert fate(answered("report", contact_points=[*apart, numbered(dead, "2")], **facts)) == "hold R29"
    assert fate(answered("report", contact_points=[dead], **facts)) == "unreachable R24"


@pytest.mark.parametrize(
    ("confidential", "households", "expected"),
    [
        ([], [], ["mum-l"]),
        ([email("mum", confidential=True)], [], ["mum-e"]),
        ([email("mum", confidential=True)], HOME, ["mum-e", "mum-l"]),
        ([email("mum", confidential=True, state="dead")], [], []),
    ],
)
def test_no_letter_to_the_old_shared_box(confidential: list[Row], households: list[Row], expected: list[str]) -> None:
    """R36: who keeps any point confidential gets no letter at an open address shared with someone not joint."""
    given = answered(
        "newsletter",
        relationships=BOTH,
        households=households,
        contact_points=[letter("mum", "1 Weir Street"), letter("dad", "1 weir street"), *confidential],
    )
    assert routes(given) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([order(channels=["letter"])], ["mum-l"]),
        ([order(channels=["voice"])], ["mum-e", "mum-m", "mum-l"]),
        ([order(channels=["letter"]), order(id="o2", channels=["sms"])], ["mum-m", "mum-l"]),
        ([order()], ["mum-e", "mum-m", "mum-l"]),
        ([order(channels=["letter"], categories=["newsletter"])], ["mum-e", "mum-m", "mum-l"]),
        ([order(channels=["letter"], until="2026-06-14")], ["mum-e", "mum-m", "mum-l"]),
    ],
)
def test_an_order_may_name_channels(orders: list[Row], expected: list[str]) -> None:
    """A live order to send keeps the channels it names, if any remains."""
    points = [email("mum"), mobile("mum", MINE), letter("mum", "1 Weir Street")]
    given = answered("report", relationships=[relation(**PARENT)], contact_points=points, restrictions=orders)
    assert routes(given) == expected


@pytest.mark.parametrize("format_", ["text_only", "bsl_video", "asl_video"])
def test_no_call_for_who_cannot_hear_it(format_: str) -> None:
    """Voice is dropped if anything else remains."""
    contacts = [{"id": "mum", "formats": [format_]}]
    rows = [relation(**PARENT)]
    both = [voice("mum", MINE), email("mum")]
    assert routes(answered("emergency", contacts=contacts, relationships=rows, contact_points=both)) == ["mum-e"]
    assert routes(answered("emergency", contacts=contacts, relationships=rows, contact_points=both[:1])) == ["mum-v"]
