"""Invented mails as servers and people send them back: each in the form of a program that schools' mail meets."""

from email.message import EmailMessage

OURS = "parent@example.org"
DELIVERY = "06fqx2k9d1abcdef0123456789abcdef01"

_REPORT = """\
From: {author}
To: bounce+x@bounces.example.org
Subject: {subject}
Message-ID: <{number}@mx.example.net>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

This is a MIME message.

--=_b
Content-Type: text/plain; charset=utf-8

{text}

--=_b
Content-Type: message/{kind}

{fields}

--=_b
Content-Type: {original}

Message-ID: <{delivery}@school.example.org>
From: School <school@example.org>
Subject: Invented

--=_b--
"""


def report(*blocks: str, **other: str) -> bytes:
    """Write a delivery report: the fields about the message, then a block for each recipient."""
    values = {
        "author": "Mail Delivery System <MAILER-DAEMON@mx.example.net>",
        "subject": "Undelivered Mail Returned to Sender",
        "number": "1",
        "text": "Your message could not be delivered.",
        "kind": "delivery-status",
        "original": "text/rfc822-headers",
        "delivery": DELIVERY,
        "fields": "\n\n".join(blocks),
        **other,
    }
    return _REPORT.format(**values).replace("\n", "\r\n").encode()


def about(action: str, status: str, *, address: str = OURS, diagnostic: str = "") -> str:
    """Write the fields about one recipient."""
    said = f"\nDiagnostic-Code: {diagnostic}" if diagnostic else ""
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}{said}"


REPORTING = "Reporting-MTA: dns; mx.example.net\nArrival-Date: Mon, 15 Jun 2026 10:00:00 +0000"

GMAIL_FULL = report(
    REPORTING,
    about(
        "failed",
        "5.2.2",
        diagnostic="smtp; 552-5.2.2 The recipient's inbox is out of storage space and inactive.\n"
        " 552 5.2.2 See the help pages. a1-20020a - gsmtp",
    ),
    author="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
    subject="Delivery Status Notification (Failure)",
    original="message/rfc822",
)

EXCHANGE_UNKNOWN = report(
    "Reporting-MTA: dns;AM0PR01.prod.example.net\nReceived-From-MTA: dns;relay.example.org\n"
    "Arrival-Date: Mon, 15 Jun 2026 10:00:00 +0000",
    "Final-Recipient: rfc822;Parent@Example.org\nAction: failed\nStatus: 5.1.10\n"
    "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n"
    "X-Display-Name: Parent",
    author="Microsoft Outlook <postmaster@example.net>",
    subject="Undeliverable: Invented",
    original="message/rfc822",
)

POSTFIX_DELAYED = report(
    REPORTING,
    "Final-Recipient: rfc822; parent@example.org\nOriginal-Recipient: rfc822;parent@example.org\nAction: delayed\n"
    "Status: 4.2.0\nDiagnostic-Code: smtp; 450 4.2.0 Greylisted\nWill-Retry-Until: Sat, 20 Jun 2026 10:00:00 +0000",
    subject="Delayed Mail (still being retried)",
)

ARF = b"""\
From: <abuse@mailbox.example.net>\r
To: bounce+x@bounces.example.org\r
Subject: FW: Invented\r
Message-ID: <fbl-1@mailbox.example.net>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="part"\r
\r
--part\r
Content-Type: text/plain\r
\r
This is an email abuse report.\r
--part\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: abuse\r
User-Agent: SomeGenerator/1.0\r
Version: 1\r
Original-Rcpt-To: <parent@example.org>\r
\r
--part\r
Content-Type: message/rfc822\r
Content-Disposition: inline\r
\r
Message-ID: <06fqx2k9d1abcdef0123456789abcdef01@school.example.org>\r
Subject: Invented\r
\r
Spam!\r
--part--\r
"""

QMAIL = b"""\
From: MAILER-DAEMON@mx.example.net\r
To: bounce+x@bounces.example.org\r
Subject: failure notice\r
\r
Hi. This is the qmail-send program at mx.example.net.\r
I'm afraid I wasn't able to deliver your message to the following addresses.\r
This is a permanent error; I've given up. Sorry it didn't work out.\r
\r
<parent@example.org>:\r
192.0.2.25 does not like recipient.\r
Remote host said: 550 5.1.1 <parent@example.org>: no such user\r
Giving up on 192.0.2.25.\r
\r
--- Below this line is a copy of the message.\r
\r
Return-Path: <bounce+x@bounces.example.org>\r
Subject: 5.7.1 things to do\r
"""

EXCHANGE_OLD = b"""\
From: System Administrator\r
To: bounce+x@bounces.example.org\r
Subject: Undeliverable: Invented\r
Content-Type: text/plain\r
\r
Your message did not reach some or all of the intended recipients.\r
\r
The following recipient(s) could not be reached:\r
\r
      parent@example.org on 15/06/2026 10:00\r
            The message was refused for policy reasons.\r
            <mx.example.net #5.7.1 smtp;550 5.7.1 rejected by our filter>\r
"""


def letter(
    body: str, *, subject: str = "Re: Invented", author: str = "A Parent <parent@example.org>", **headers: str
) -> bytes:
    """Write a plain mail; underscores in the names of headers are hyphens."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = author, "reply+x@replies.example.org", subject
    for name, value in {"Message_ID": "<1@mail.example.org>", **headers}.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail.as_bytes().replace(b"\n", b"\r\n")


AWAY = {
    "RFC 3834": letter("I am away until Monday.", Auto_Submitted="auto-replied"),
    "Exchange": letter("I am away.", subject="Automatic reply: Invented", X_Auto_Response_Suppress="All"),
    "German": letter("Ich bin nicht im Büro.", subject="Automatische Antwort: Invented"),
    "Polish": letter("Jestem na urlopie.", subject="Odpowiedź automatyczna: Invented"),
    "French": letter("Je suis absente.", subject="Réponse automatique : Invented"),
    "Spanish": letter("Estoy fuera.", subject="Respuesta automática: Invented"),
    "Ukrainian": letter("Мене немає.", subject="Автоматична відповідь: Invented"),
    "Chinese": letter("我不在。", subject="自动答复: Invented"),
    "Turkish": letter("Ofiste değilim.", subject="Otomatik yan\u0131t: Invented"),
    "precedence": letter("Away.", Precedence="auto_reply"),
    "X-Autoreply": letter("Away.", X_Autoreply="yes"),
    "list": letter("Away.", subject="Where I am", Precedence="bulk"),
    "ticket system": letter("We have received your mail.", Auto_Submitted="auto-generated"),
}
