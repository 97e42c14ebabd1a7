"""P0: what is refused, and how the refusal reads."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.indexing import DirectoryIndex
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from gateway.rules.documents import decide_documents
from tests.unit.rules.households import AT, PARENT, directory, relation

SOUND: dict[str, Any] = {
    "school": {"id": "x", "name": "X"},
    "students": [{"id": "kid"}],
    "contacts": [{"id": "mum"}],
    "relationships": [relation(**PARENT)],
}
ASKED: dict[str, Any] = {"category": "newsletter", "at": AT, "students": ["kid"]}


def refusal(document: Any, request: Any) -> str:
    """Ask and give the reason of the refusal, after looking that nothing else came back."""
    answer = decide_documents(json.dumps(document).encode(), json.dumps(request).encode())
    assert answer.error is not None
    assert answer.error.rule == "P0"
    assert (answer.decisions, answer.messages) == ((), ())
    return answer.error.reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"students": None}, "`students`"),
        ({"everyone": True}, "`students`"),
        ({"groups": ["3A"]}, "`students`"),
        ({"students": []}, "`students`"),
        ({"students": None, "groups": []}, "`groups`"),
        ({"students": ["nobody"]}, "`students`"),
        ({"contacts": ["mum"]}, "`contacts`"),
        ({"category": "reply"}, "`contacts`"),
        ({"category": "reply", "contacts": []}, "`contacts`"),
        ({"category": "reply", "contacts": ["nobody"]}, "`contacts`"),
        ({"category": "gossip"}, "`category`"),
        ({"at": "2026-06-15T10:00:00"}, "`at`"),
        ({"at": "2026-06-15"}, "`at`"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "`at`"),
        ({"at": None}, "`at`"),
        ({"urgent": True}, "`urgent`"),
        ({"students": "kid"}, "`students`"),
    ],
)
def test_a_wrong_request_names_the_field(changes: dict[str, Any], field: str) -> None:
    """Each refusal is one sentence with the field in it."""
    reason = refusal(SOUND, {**ASKED, **changes})
    assert field in reason
    assert reason.endswith(".")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"students": [{"id": "kid", "shoe_size": 30}]}, "shoe_size"),
        ({"students": [{"id": "kid", "birth_date": "12 May"}]}, "`students[0].birth_date` must be a date"),
        ({"students": [{"given_name": "Secret"}]}, "`id`"),
        ({"students": [{"id": "kid", "care_status": "Secret"}]}, "`students[0].care_status` must be one of"),
        ({"students": [{"id": "kid"}, {"id": "kid"}]}, "students kid: id must be unique"),
        ({"students": [{"id": "kid", "sharing_after_18": {"Secret": "refused"}}]}, "each key of `students[0]."),
        ({"contacts": [{"id": "mum", "preferences": {"quiet_hours": ["21:00"]}}]}, "quiet_hours` must be `array`"),
        ({"contacts": [{"id": "mum", "staff": "Secret"}]}, "`contacts[0].staff` must be `bool`, not `str`"),
        ({"contacts": []}, "relationships kid/mum: contact must name"),
        ({"relationships": [relation(**PARENT), relation()]}, "at most one current row"),
        ({"school": {"id": "x", "name": "X", "timezone": "Nowhere"}}, "timezone must be a zone"),
        ({"school": None}, "`school`"),
    ],
)
def test_a_wrong_directory_names_the_field(changes: dict[str, Any], words: str) -> None:
    """Each refusal names list and field, but never what stood in it."""
    reason = refusal({**SOUND, **changes}, ASKED)
    assert words in reason
    assert "Secret" not in reason


@pytest.mark.parametrize("document", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_document_is_refused(document: bytes) -> None:
    """Neither broken JSON nor another kind of document does any harm."""
    sound = json.dumps(SOUND).encode()
    for answer in (decide_documents(document, json.dumps(ASKED).encode()), decide_documents(sound, document)):
        assert answer.error is not None
        assert len(answer.error.reason) < 200


@given(st.binary(max_size=60))
def test_any_bytes_get_an_answer(document: bytes) -> None:
    """Nothing a caller may send raises."""
    assert decide_documents(document, document).error is not None


def test_rows_that_compete_on_the_day_are_refused_by_the_index_too() -> None:
    """P0 holds for callers who bring an index of a directory that was sound on another day."""
    rows = [relation(**PARENT, valid_to="2026-06-15"), relation(**PARENT, valid_from="2026-06-15")]
    index = DirectoryIndex(directory(relationships=rows))
    asked = Request(category="newsletter", at=dt.datetime.fromisoformat(AT), students=("kid",))
    answer = decide(index, asked)
    assert answer.error is not None
    assert answer.decisions == ()


def test_an_unknown_group_reaches_nobody() -> None:
    """Groups are no list of their own: one without students is empty, not wrong."""
    request = {**ASKED, "students": None, "groups": ["9Z"]}
    answer = decide_documents(json.dumps(SOUND).encode(), json.dumps(request).encode())
    assert (answer.error, answer.decisions) == (None, ())


def test_a_repeated_student_is_decided_once() -> None:
    """Invariant 1 holds for requests that say a thing twice."""
    answer = decide_documents(json.dumps(SOUND).encode(), json.dumps({**ASKED, "students": ["kid", "kid"]}).encode())
    assert len(answer.decisions) == 1
