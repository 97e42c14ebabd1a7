"""Signatures and secrets, held against the standard's own library."""

import base64
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.dispatch.webhooks.signing import fingerprint, make_seed, secret_of, shown, sign

KEY = "invented-key-of-32-characters-ok"


@given(
    st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none()),
    st.text("abcdefghij0123456789", min_size=1, max_size=40),
)
def test_the_standards_library_believes_us(body: dict[str, object], identifier: str) -> None:
    """Any body, any id: signed with the old and the new secret, verified with either."""
    secrets = [secret_of(KEY, make_seed()) for _ in range(2)]
    raw = json.dumps(body).encode()
    stamp = int(dt.datetime.now(dt.UTC).timestamp())
    headers = {
        "webhook-id": identifier,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secrets, identifier, stamp, raw),
    }
    for secret in secrets:
        assert Webhook(shown(secret)).verify(raw, headers) == body
    for forged in (
        {**headers, "webhook-id": identifier + "x"},
        {**headers, "webhook-timestamp": str(stamp - 1)},
        {**headers, "webhook-signature": sign([secret_of(KEY, make_seed())], identifier, stamp, raw)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(shown(secrets[0])).verify(raw, forged)
    with pytest.raises(WebhookVerificationError):
        Webhook(shown(secrets[0])).verify(raw + b" ", headers)


def test_secrets_have_the_standards_form() -> None:
    """`whsec_` and 32 bytes in base64."""
    text = shown(secret_of(KEY, make_seed()))
    assert text.startswith("whsec_")
    assert len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) == 32


def test_a_secret_comes_back_from_both_halves_only() -> None:
    """The same key and seed give the same secret, anything else another; the fingerprint tells them apart."""
    seed = make_seed()
    secret = secret_of(KEY, seed)
    assert secret == secret_of(KEY, seed)
    others = [secret_of(KEY + "x", seed), secret_of(KEY, make_seed())]
    assert len({secret, *others}) == 3
    assert len({fingerprint(each) for each in (secret, *others)}) == 3
    assert fingerprint(secret) not in secret.hex()
