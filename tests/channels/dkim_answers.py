"""The part of the judge that runs outside the test environment: answers questions, one line of JSON each, by dkimpy."""

import base64
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import dkim


def verdicts(content: bytes, records: Mapping[str, str]) -> list[str]:
    """Judge every signature of a mail, with the DNS replaced by these TXT records."""

    def text_record(name: bytes, timeout: float = 0) -> bytes:  # noqa: ARG001  # dkimpy names it
        return records.get(name.decode().rstrip("."), "").encode()

    def verdict(number: int) -> str:
        try:
            return "pass" if dkim.DKIM(content).verify(number, dnsfunc=text_record) else "fail"
        except dkim.ValidationError as error:
            return "fail: " + str(error).partition(" (")[0]
        except dkim.DKIMException as error:
            return f"{type(error).__name__}: {error}"

    headers = dkim.rfc822_parse(content)[0]
    return [verdict(number) for number in range(sum(name.lower() == b"dkim-signature" for name, _ in headers))]


def seconds_to_sign(content: bytes, algorithm: str, key: str, names: list[str], times: int) -> list[float]:
    """Sign a mail again and again; gives the time that passed and the CPU time."""
    options = {
        "signature_algorithm": algorithm.encode(),
        "canonicalize": (b"relaxed", b"relaxed"),
        "include_headers": [name.encode() for name in names],
    }
    started, used = time.perf_counter(), time.process_time()
    for _ in range(times):
        dkim.sign(content, b"bench", b"example.org", key.encode(), **options)
    return [time.perf_counter() - started, time.process_time() - used]


def answer(question: dict[str, Any]) -> Any:
    """Answer one question."""
    if "verify" in question:
        return verdicts(base64.b64decode(question["verify"]), question["records"])
    return seconds_to_sign(base64.b64decode(question.pop("sign")), **question)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
