"""How many mails a second one core builds: prepared bytes against `email.message`, same content, one run.

Run it with `python tests/bench/mails.py`; it prints medians of five rounds, and the ratio.
"""

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from channels.email_mime import PreparedMail, Values
from gateway.content.catalogues import Catalogues
from gateway.content.fragments import Fragments, Slot, text_of
from gateway.content.policy import Policy
from gateway.content.prepared import Prepared, prepare
from gateway.content.reader import Personal, SchoolFacts
from gateway.content.template import Source, parse

ROUNDS = 5
NOW = dt.datetime(2026, 6, 15, 15, 30, tzinfo=dt.UTC)
BODY = """# Newsletter ((issue))

Dear ((contact_name)),

here is what happened this week around ((student_names)).

""" + "\n\n".join(
    f"## Story {number}\n\nThe children of year {number} went to the river, counted birds and wrote a report about "
    "what they saw. Thank you to all parents who came along and helped; the next trip is in May.\n\n"
    f"- bring boots\n- read [the plan](https://school.example.org/plans/{number})"
    for number in range(1, 7)
)


def prepared_text() -> Prepared:
    """Prepare a newsletter of about 6 kB."""
    return prepare(
        parse(Source(language="en", subject="Newsletter ((issue))", body=BODY)),
        policy=Policy(sensitivity=0, unsubscribe=True),
        reader_language="en",
        catalogues=Catalogues({}),
        school=SchoolFacts(name="Riverside School", zone="Europe/London"),
        values={"issue": "12"},
    )


def reader(number: int) -> Personal:
    """Invent a reader."""
    return Personal(
        contact_name=f"Ms Kowalska {number}",
        student_names=("Ana", "Ben"),
        link=f"https://gateway.example.org/m/{number}",
        unsubscribe_link=f"https://gateway.example.org/u/{number}",
    )


def by_prepared_bytes(text: Prepared, mail: PreparedMail, *, fill: bool) -> Callable[[int], bytes]:
    """Build from prepared bytes, with or without the work of putting values into words."""
    once = text.fill_email(reader(0))

    def build(number: int) -> bytes:
        words = text.fill_email(reader(number)) if fill else once
        return mail.build(
            to_name=words.to_name,
            to_address=f"parent{number}@example.org",
            message_id=f"<{number}@gateway.example.org>",
            date=NOW,
            reply_to=f"r{number}@reply.example.org",
            list_unsubscribe=f"https://gateway.example.org/u/{number}",
            values=Values(words.subject, words.plain, words.html),
        )

    return build


def by_standard_library(text: Prepared) -> Callable[[int], bytes]:
    """Build the same mail with `email.message`."""
    words = text.fill_email(reader(0))

    def joined(fragments: Fragments, values: Mapping[Slot, str]) -> str:
        return text_of(fragments, values.__getitem__)

    def build(number: int) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["To"] = f"{words.to_name} <parent{number}@example.org>"
        message["Subject"] = joined(text.subject, words.subject)
        message["Date"] = format_datetime(NOW)
        message["Message-ID"] = f"<{number}@gateway.example.org>"
        message["Reply-To"] = f"r{number}@reply.example.org"
        message["List-Unsubscribe"] = f"<https://gateway.example.org/u/{number}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["From"] = "Riverside School <office@school.example.org>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = "en"
        message.set_content(joined(text.plain, words.plain), cte="quoted-printable")
        message.add_alternative(joined(text.html or (), words.html), subtype="html", cte="quoted-printable")
        return message.as_bytes()

    return build


def rate(build: Callable[[int], bytes], mails: int) -> float:
    """Measure mails a second."""
    start = time.perf_counter()
    for number in range(mails):
        build(number)
    return mails / (time.perf_counter() - start)


def main() -> None:
    """Measure in turns, so that a busy machine slows all alike."""
    text = prepared_text()
    mail = PreparedMail.prepare(
        sender=("Riverside School", "office@school.example.org"),
        language=text.email_language,
        subject=text.subject,
        plain=text.plain,
        html=text.html,
    )
    builders = {
        "prepared bytes": (by_prepared_bytes(text, mail, fill=False), 5000),
        "prepared bytes and values put into words": (by_prepared_bytes(text, mail, fill=True), 5000),
        "email.message": (by_standard_library(text), 100),
    }
    rates: dict[str, list[float]] = {name: [] for name in builders}
    for _ in range(ROUNDS):
        for name, (build, mails) in builders.items():
            rates[name].append(rate(build, mails))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    out = sys.stdout.write
    out(f"one mail: {len(builders['prepared bytes'][0](1))} bytes; medians of {ROUNDS}\n")
    for name, median in medians.items():
        ratio = median / medians["email.message"]
        out(f"{name:42}{median:10.0f} mails/s{1e6 / median:10.1f} µs{ratio:8.1f} x email.message\n")


if __name__ == "__main__":
    main()
