"""Runs in the peer's own environment: queues the mails of standard input with django-post_office and sends them.

Prints seconds as JSON: `queued` for `send_many`, `sent` for `send_queued_mail` to its last recorded state.
"""

import json
import logging
import os
import sys
import tempfile
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "post_office_settings"

import django

django.setup()
logging.disable(logging.INFO)

from django.core.management import call_command  # noqa: E402  # after the set-up, as Django wants it
from post_office import mail  # noqa: E402  # the same
from post_office.models import STATUS, Email  # noqa: E402  # the same

PROCESSES = 2


def main() -> None:
    """Send what was asked for, once."""
    asked = json.load(sys.stdin)
    call_command("migrate", verbosity=0)
    Email.objects.all().delete()
    mails = [
        {
            "recipients": [f"c{number:07}@example.org"],
            "sender": "school@gateway.example.org",
            "subject": asked["subject"],
            "message": asked["plain"].replace("Sam", f"Sam {number}"),
            "html_message": asked["html"].replace("Sam", f"Sam {number}"),
        }
        for number in range(asked["mails"])
    ]
    began = time.perf_counter()
    mail.send_many(mails)
    queued = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        call_command("send_queued_mail", processes=PROCESSES, lockfile=f"{folder}/lock", log_level=0)
    done = time.perf_counter()
    sent = Email.objects.filter(status=STATUS.sent).count()
    json.dump({"queued": queued - began, "sent": done - queued, "mails": sent}, sys.stdout)


main()
