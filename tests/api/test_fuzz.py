"""Whatever is posted, the answer is an answer: never a 5xx, never an error without its form."""

import re
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.route import Route
from gateway.api.routes import ROUTES
from tests.api.office import DIRECTORY, NOTICE, Office, opened

WRITING = [route for route in ROUTES if route.method in {"POST", "PUT"}]
PLACES = ["S1", "C1", "absence", "1", "outbox", "%00", "%ff", "..", "é", "'", "%", "x" * 300]

NAMES = st.sampled_from(
    [
        *NOTICE, *NOTICE["content"], *NOTICE["audience"], *DIRECTORY, "groups", "everyone", "contacts", "values", "at",
        "student_values", "template", "send_at", "expires_at", "reference", "sources", "categories", "en", "id", "name",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    ["routine", "reply", "emergency", "safety", "S1", "C1", "year-3", "absence", "en", "oak", "2026-06-15T10:00:00Z",
     "2026-06-15", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "((x))", "\0", "((", "[a](b)"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=5),
    max_leaves=12,
)
NEAR_MISSES = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([NOTICE, DIRECTORY, {"category": "routine", "students": ["S1"]}]),
    st.dictionaries(NAMES, JSON, max_size=3),
)
BODIES = st.binary(max_size=200) | (JSON | NEAR_MISSES).map(msgspec.json.encode)
MEDIA = st.sampled_from(["application/json", "application/zip", "multipart/form-data; boundary=x", "text/plain", ""])
QUERIES = st.sampled_from(["", "?dry_run=true", "?force=", "?dry_run=%00", "?x=%ff"])


CALLS = st.tuples(
    st.sampled_from(WRITING), st.sampled_from(PLACES), QUERIES, st.just("application/json") | MEDIA, BODIES
)


def drawn(number: int) -> list[Any]:
    """Draw the same calls on every run: hypothesis itself cannot drive a server that lives in another loop."""
    calls: list[Any] = []

    @settings(max_examples=number, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(CALLS)
    def draw(call: Any) -> None:
        calls.append(call)

    draw()
    return calls


async def call_made(office: Office, route: Route, place: str, query: str, media: str, body: bytes) -> int:
    """Make one of the drawn calls; the office checks the form of every error."""
    path = re.sub(r"\{\w+\}", lambda _: place, route.path)
    headers = {"Content-Type": media, "Idempotency-Key": "k"} if media else {}
    answer = await office.call(route.method, path + query, data=body, headers=headers)
    assert answer.status < 500, (route.path, place, query, media, body, answer.text)
    return answer.status


async def test_nothing_that_is_posted_breaks_the_server(database_url: str, tmp_path: Path) -> None:
    """Arbitrary bytes and JSON, near misses of good bodies, odd paths and queries at every call that writes."""
    async with opened(database_url, tmp_path) as office:
        statuses = [await call_made(office, *call) for call in drawn(200)]
    assert {200, 202} & set(statuses), "no call came through, so only the first check was tested"
    assert {400, 404, 415, 422} <= set(statuses)
