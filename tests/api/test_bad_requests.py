"""What a source system may get wrong: each mistake has its status, its field and a sentence that helps."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from gateway.web import make_application, serving
from tests.api.office import LARGEST_BODY, NOTICE, Office

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT = NOTICE["content"]
PERSONAL = {"category": "reply", "audience": {"students": ["S1"], "contacts": ["C1"]}}


class Mistake(NamedTuple):
    """A change to a good notification, and what must be answered."""

    name: str
    change: Mapping[str, Any]
    pointer: str
    sentence: str
    """A part of it."""


def without(*names: str) -> dict[str, Any]:
    """Mark fields to be left out."""
    return dict.fromkeys(names, ...)


MISTAKES = [
    Mistake("no category", without("category"), "/category", "The field 'category' is missing."),
    Mistake("no audience", without("audience"), "/audience", "The field 'audience' is missing."),
    Mistake("unknown category", {"category": "zebra"}, "/category", "'category' must be one of account, attendance,"),
    Mistake("unknown purpose", {"purpose": "zebra"}, "/purpose", "'purpose' must be one of action, attendance,"),
    Mistake("unknown field", {"zebra": 1}, "/zebra", "There is no field 'zebra' here: remove it"),
    Mistake("data as a field", {"Cleo Quill, 7 Elm Road": 1}, "", "There is a field that this call does not have"),
    Mistake("number for text", {"reference": 7}, "/reference", "'reference' must be a text or null, not a whole"),
    Mistake("text for object", {"audience": "everyone"}, "/audience", "'audience' must be an object, not a text"),
    Mistake("null for object", {"audience": None}, "/audience", "'audience' must be an object, not null"),
    Mistake("text for list", {"audience": {"students": "S1"}}, "/audience/students", "must be a list or null, not a"),
    Mistake("number in list", {"audience": {"students": ["S1", 7]}}, "/audience/students/1", "Each entry of"),
    Mistake("empty id", {"audience": {"students": [""]}}, "/audience/students/0", "a text of at least 1 characters"),
    Mistake("long id", {"audience": {"groups": ["g" * 201]}}, "/audience/groups/0", "a text of at most 200 characters"),
    Mistake("empty list", {"audience": {"students": []}}, "/audience/students", "a list of at least 1 entries"),
    Mistake("object as value", {"values": {"day": {}}}, "/values/*", "Each entry of 'values' must be true or false,"),
    Mistake("object as own value", {"student_values": {"S1": {"a": {}}}}, "/student_values/*/*", "must be true"),
    Mistake("no instant", {"send_at": "tomorrow"}, "/send_at", "'send_at' must be an instant such as 2026-06-15T10:00"),
    Mistake("number as instant", {"send_at": 1}, "/send_at", "an instant such as 2026-06-15T10:00:00+01:00 or null"),
    Mistake("long reference", {"reference": "r" * 1001}, "/reference", "a text of at most 1000 characters"),
    Mistake("NUL", {"reference": "a\0b"}, "", "NUL"),
    Mistake("nobody", {"audience": {}}, "/audience", "exactly one of students, groups and everyone"),
    Mistake("two", {"audience": {"everyone": True, "groups": ["year-3"]}}, "/audience", "exactly one of students,"),
    Mistake("unknown student", {"audience": {"students": ["S1", "S9"]}}, "/audience/students/1", "no such student"),
    Mistake("unknown group", {"audience": {"groups": ["year-9"]}}, "/audience/groups/0", "No student is in such"),
    Mistake(
        "unknown contact",
        PERSONAL | {"audience": {"students": ["S1"], "contacts": ["C9"]}},
        "/audience/contacts/0",
        "There is no such contact",
    ),
    Mistake("contacts too", {"audience": {"students": ["S1"], "contacts": ["C1"]}}, "/audience/contacts", "leave"),
    Mistake("no contacts", {"category": "reply"}, "/audience/contacts", "goes to named people: list them in contacts"),
    Mistake("neither text", without("content"), "/template", "either a template with its values or free content"),
    Mistake("both texts", {"template": "absence"}, "/template", "either a template with its values or free content"),
    Mistake("unknown template", without("content") | {"template": "zebra"}, "/template", "/v1/templates lists them"),
    Mistake(
        "template of another category",
        without("content") | {"template": "absence", "values": {"absence_date": "2026-06-15"}},
        "/category",
        "The template may be used for: attendance.",
    ),
    Mistake(
        "value missing for a template",
        without("content") | {"template": "absence", "category": "attendance"},
        "/values/absence_date",
        "no value is given for it",
    ),
    Mistake("value missing", {"content": CONTENT | {"body": "On ((day))."}}, "/values/day", "((day)), but no value"),
    Mistake("stranger's values", {"student_values": {"S2": {"a": "b"}}}, "/student_values/S2", "does not list this"),
    Mistake("reserved value", {"values": {"school_name": "Elm"}}, "/values", "the gateway itself fills"),
    Mistake(
        "link that leads astray",
        {"content": CONTENT | {"body": "[go](((place)))"}, "values": {"place": "javascript:alert(1)"}},
        "/values",
        "must be a web, mail or telephone address",
    ),
    Mistake("no language", {"content": CONTENT | {"language": "english please"}}, "/content/language", "language"),
    Mistake("open placeholder", {"content": CONTENT | {"body": "On ((day"}}, "/content/body", "never closed"),
    Mistake("blank subject", {"content": CONTENT | {"subject": "  "}}, "/content/body", "The subject is empty"),
    Mistake("long subject", {"content": CONTENT | {"subject": "s" * 201}}, "/content/subject", "at most 200"),
    Mistake("naive send_at", {"send_at": "2026-06-16T10:00:00"}, "/send_at", "offset"),
    Mistake("naive expires_at", {"expires_at": "2026-06-16T10:00:00"}, "/expires_at", "offset"),
    Mistake("naive respond_by", {"respond_by": "2026-06-16T10:00:00"}, "/respond_by", "offset"),
    Mistake("already expired", {"expires_at": "2026-06-15T08:59:59Z"}, "/expires_at", "choose a later instant"),
    Mistake(
        "expires before it is sent",
        {"send_at": "2026-06-17T10:00:00Z", "expires_at": "2026-06-16T10:00:00Z"},
        "/expires_at",
        "choose a later instant",
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
async def test_a_mistake_in_a_notification_is_named(quiet_office: Office, mistake: Mistake) -> None:
    """The answer is 422, points at the field and says what would be right."""
    body = {name: value for name, value in {**NOTICE, **mistake.change}.items() if value is not ...}
    answer = await quiet_office.post("/v1/notifications", body)
    assert answer.status == 422, answer.text
    problem = answer.as_problem()
    if mistake.pointer:
        assert problem["errors"][0]["pointer"] == mistake.pointer
    assert mistake.sentence in problem["detail"]


SECRETS = {"Zwetschgenknödel", "zwetschge@example.org", "07700 900123"}


@pytest.mark.parametrize("secret", sorted(SECRETS))
@pytest.mark.parametrize(
    "path",
    [
        ("category",), ("purpose",), ("audience",), ("audience", "students"), ("audience", "everyone"), ("content",),
        ("content", "language"), ("values",), ("student_values",), ("send_at",), ("expires_at",), ("template",),
    ],
    ids="/".join,
)  # fmt: skip
async def test_no_sentence_repeats_a_value(quiet_office: Office, path: tuple[str, ...], secret: str) -> None:
    """Whatever was written in a wrong place, perhaps a person's data, is not in the answer."""
    body = {**NOTICE, "audience": {**NOTICE["audience"]}, "content": {**CONTENT}}
    inner: Any = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = secret
    answer = await quiet_office.post("/v1/notifications", body)
    assert answer.status == 422
    assert secret not in answer.text


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (b"", 400, "not well-formed JSON"),
        (b"{", 400, "not well-formed JSON"),
        (b'{"category": "routine",}', 400, "not well-formed JSON"),
        (b'{"category": "\xff"}', 400, "not well-formed JSON"),
        (b'{"category": "\\ud800"}', 400, "not well-formed JSON"),
        (b"[]", 422, "The body must be an object, not a list."),
        (b"null", 422, "The body must be an object, not null."),
        (b'"routine"', 422, "The body must be an object, not a text."),
    ],
)
@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/audience"])
async def test_a_body_that_is_no_object(
    quiet_office: Office, path: str, data: bytes, status: int, sentence: str
) -> None:
    """Malformed JSON is a bad request; JSON of another shape names the shape."""
    answer = await quiet_office.call("POST", path, data=data, headers={"Content-Type": "application/json"})
    assert answer.status == status, answer.text
    assert sentence in answer.as_problem()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/notifications"),
        ("POST", "/v1/audience"),
        ("PUT", "/v1/directory"),
        ("PUT", "/v1/templates/trip"),
        ("POST", "/v1/directory/imports"),
    ],
)
class TestAnyBody:
    """What holds for every call that takes a body."""

    async def test_wrong_media_type(self, quiet_office: Office, method: str, path: str) -> None:
        """Another media type is refused before the body is read."""
        answer = await quiet_office.call(method, path, data=b"a=1", headers={"Content-Type": "text/plain"})
        assert answer.status == 415
        assert "Content-Type" in answer.text or "multipart/form-data" in answer.text

    async def test_broken_compression(self, quiet_office: Office, method: str, path: str) -> None:
        """A body that says it is compressed and is not is a bad request."""
        media = "application/zip" if path.endswith("imports") else "application/json"
        headers = {"Content-Type": media, "Content-Encoding": "gzip"}
        answer = await quiet_office.call(method, path, data=b"no gzip", headers=headers)
        assert answer.status == 400, answer.text


@pytest.mark.parametrize(
    ("path", "size"), [("/v1/notifications", LARGEST_BODY + 1), ("/v1/audience", LARGEST_BODY + 1)]
)
async def test_a_body_that_is_too_large(quiet_office: Office, path: str, size: int) -> None:
    """More than the limit is refused, whether the size is told beforehand or not."""
    told = await quiet_office.call("POST", path, data=b"x" * size, headers={"Content-Type": "application/json"})
    assert told.status == 413

    async def in_pieces() -> Any:
        for _ in range(0, size, 1000):
            yield b"x" * 1000

    untold = await quiet_office.call("POST", path, data=in_pieces(), headers={"Content-Type": "application/json"})
    assert untold.status == 413
    assert str(LARGEST_BODY) in untold.as_problem()["detail"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("cursor=", "cursor"),
        ("cursor=zebra", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=W10=", "cursor"),  # []
        ("cursor=WzEsMiwzXQ==", "cursor"),  # [1,2,3]
        ("cursor=WyIyMDI2LTEzLTQwIiwiYSIsImIiXQ==", "cursor"),  # a date that is none
        ("cursor=WyJcdTAwMDAiXQ==", "cursor"),  # NUL
    ],
)
async def test_a_page_that_is_none(quiet_office: Office, query: str, pointer: str) -> None:
    """A cursor of somebody else's making or a limit out of range names the parameter, in every list."""
    posted = await quiet_office.post("/v1/notifications", NOTICE, Idempotency_Key="page")
    links = posted.json["links"]
    people = ("/v1/tasks", "/v1/students/S1/chronology", "/v1/contacts/C1/chronology")
    for path in (links["decisions"], links["deliveries"], *people):
        answer = await quiet_office.call("GET", f"{path}?{query}")
        assert answer.status == 422, answer.text
        assert answer.as_problem()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"category": "routine", "students": ["S1"], "at": "2026-06-15T10:00:00"}, "/at"),
        ({"category": "routine", "students": ["S1"], "audience": {"everyone": True}}, "/audience"),
        ({"category": "routine", "students": "Cleo"}, "/students"),
        ({"category": "routine"}, "/students"),
        ({"category": "routine", "audience": {}}, "/audience"),
        ({"category": "routine", "students": []}, "/students"),
        ({"category": "routine", "groups": []}, "/groups"),
        ({"category": "routine", "students": ["S1"], "everyone": True}, "/students"),
        ({"category": "routine", "students": ["S1", "S9"]}, "/students/1"),
        ({"category": "routine", "groups": ["year-3", "year-9"]}, "/groups/1"),
        ({"category": "routine", "audience": {"groups": ["year-9"]}}, "/audience/groups/0"),
        ({"category": "reply", "students": ["S1"]}, "/contacts"),
        ({"category": "reply", "students": ["S1"], "contacts": ["C9"]}, "/contacts/0"),
        ({"category": "routine", "audience": {"students": ["S1"], "contacts": ["C1"]}}, "/audience/contacts"),
    ],
)
async def test_a_question_about_an_audience(quiet_office: Office, body: Any, pointer: str) -> None:
    """The audience is asked for as strictly as it is written to, and the field is named."""
    answer = await quiet_office.post("/v1/audience", body)
    assert answer.status == 422, answer.text
    assert answer.as_problem()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("data", "status", "pointer"),
    [
        (b'{"school":' + b'{"name":' * 20_000, 422, "/school/name"),
        (b'{"students":' + b"[" * 100_000, 400, None),
        (b"{}", 422, "/school"),
        (b'{"school": {"id": "oak", "name": "Oak", "timezone": "Mars/Base"}}', 422, "/school/timezone"),
        (b'{"school": {"id": "oak", "name": "Oak"}, "pupils": []}', 422, "/pupils"),
        (b'{"school": {"id": "oak", "name": "Oak"}, "students": {}}', 422, "/students"),
        (b'{"school": {"id": "oak", "name": "Oak"}, "students": [{"id": "\xff"}]}', 400, None),
        (b'{"school": {"id": "oak", "name": "Oak"}, "students": [{"id": "\\u0000"}]}', 422, None),
    ],
    ids=range(8),
)
async def test_a_document_that_is_no_directory(
    quiet_office: Office, data: bytes, status: int, pointer: str | None
) -> None:
    """A directory that cannot be read as a whole is refused as a whole."""
    answer = await quiet_office.call("PUT", "/v1/directory", data=data, headers={"Content-Type": "application/json"})
    assert answer.status == status, answer.text
    assert [error["pointer"] for error in answer.as_problem().get("errors", [])] == ([pointer] if pointer else [])


FORM = "multipart/form-data; boundary=x"
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nPK\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("data", "media", "status"),
    [
        (b"no archive", "application/zip", 422),
        (b"", "application/zip", 422),
        (b"no parts", FORM, 400),
        (b"no parts", "multipart/form-data", 400),
        (NO_FILE, FORM, 422),
    ],
)
async def test_an_upload_that_is_no_archive(quiet_office: Office, data: bytes, media: str, status: int) -> None:
    """An upload without a readable archive is refused, and says what is expected."""
    answer = await quiet_office.call("POST", "/v1/directory/imports", data=data, headers={"Content-Type": media})
    assert answer.status == status, answer.text
    answer.as_problem()


@pytest.mark.parametrize("query", ["dry_run=perhaps", "force=2"])
async def test_an_option_of_an_upload(quiet_office: Office, query: str) -> None:
    """dry_run and force are true or false, and nothing else is taken for one of them."""
    answer = await quiet_office.call("PUT", f"/v1/directory?{query}", {"school": {"id": "oak", "name": "Oak School"}})
    assert answer.status == 422
    assert answer.as_problem()["errors"][0]["pointer"] == query.partition("=")[0]


async def test_another_school_than_the_keys(quiet_office: Office) -> None:
    """A key of one school cannot put the directory of another."""
    answer = await quiet_office.call("PUT", "/v1/directory", {"school": {"id": "elm", "name": "Elm School"}})
    assert answer.status == 403
    assert answer.as_problem()["errors"][0]["pointer"] == "/school/id"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/zebra", 404),
        ("GET", "/v1/notifications/none", 404),
        ("GET", "/v1/notifications/a%00b", 404),
        ("GET", "/v1/notifications/%ff", 404),
        ("POST", "/v1/notifications/none/cancel", 404),
        ("GET", "/v1/students/none/chronology", 404),
        ("GET", "/v1/contacts/none/chronology", 404),
        ("GET", "/v1/templates/none", 404),
        ("GET", "/docs/assets/none.js", 404),
        ("POST", "/v1/receipts/none", 404),
        ("DELETE", "/v1/notifications", 405),
        ("PATCH", "/v1/directory", 405),
    ],
)
async def test_an_address_that_is_none(quiet_office: Office, method: str, path: str, status: int) -> None:
    """What does not exist is not found; a method that does not fit is told which would."""
    answer = await quiet_office.call(method, path)
    assert answer.status == status, answer.text
    answer.as_problem()
    assert (status == 405) == ("Allow" in answer.headers)


async def test_a_sender_that_goes_away_in_mid_body(quiet_office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """It is no failure of ours: counted as a bad request, and logged as nothing."""
    services = quiet_office.gateway.services
    async with serving(make_application(services), host="127.0.0.1", port=0) as port:
        reading, sending = await asyncio.open_connection("127.0.0.1", port)
        sending.write(
            b"POST /v1/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
            % quiet_office.keys["admin"].encode()
        )
        assert await reading.readline() == b"HTTP/1.1 100 Continue\r\n"
        sending.write(b'{"category":')
        await sending.drain()
        sending.transport.abort()
    assert [record.message for record in caplog.records] == []
    counted = services.metrics.exposition().decode()
    assert 'gateway_http_requests_total{method="POST",route="/v1/notifications",status="500"}' not in counted
