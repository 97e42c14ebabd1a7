"""Opening one connection to a mail server: connect, EHLO, TLS, login; every failure becomes a `SendError`."""

import asyncio
import ssl

import aiosmtplib

from channels.errors import Retry, SendError
from channels.smtp_replies import Stage, lost_error, reply_error
from channels.smtp_settings import SmtpSettings, SmtpTls

_MECHANISMS = {
    "plain": aiosmtplib.SMTP.auth_plain,
    "login": aiosmtplib.SMTP.auth_login,
    "cram-md5": aiosmtplib.SMTP.auth_crammd5,
}
"""Ways to log in, most common first; one is tried once, since each failure counts towards a locked account."""

GOODBYE_SECONDS = 1.0
"""How long a server may take to answer QUIT."""


class DialError(Exception):
    """No connection could be opened; nothing was handed over."""

    def __init__(self, error: SendError) -> None:
        super().__init__(error.code)
        self.error = error


def trust(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Say which certificates are believed, where that matters; reads files, so call it in a thread."""
    if settings.tls is SmtpTls.NONE and settings.ca_file is None:
        return None
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # the standard for mail (RFC 8997), whatever the system allows
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    return context


async def dial(settings: SmtpSettings, context: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    """Open a connection that is ready for MAIL FROM; raises `DialError` and leaves nothing open otherwise."""
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.hello_name,
        timeout=settings.timeout,
        use_tls=settings.tls is SmtpTls.TLS,
        start_tls=False,  # done below, where its failures can be told apart
        tls_context=context,
    )
    try:
        async with asyncio.timeout(settings.timeout):
            await _greet(client, settings)
            await _login(client, settings)
    except TimeoutError:
        client.close()
        raise DialError(lost_error(Stage.CONNECT)) from None
    except BaseException:
        client.close()
        raise
    return client


async def say_goodbye(client: aiosmtplib.SMTP) -> None:
    """End a connection politely, but do not wait for a server that has stopped listening."""
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        client.close()


async def _greet(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    try:
        await client.connect()
        await client.ehlo()
        if settings.tls is SmtpTls.STARTTLS:
            if not client.supports_extension("starttls"):
                raise DialError(_tls_error("starttls_not_offered"))
            await client.starttls()
            await client.ehlo()
    except aiosmtplib.SMTPResponseException as error:
        raise DialError(reply_error(Stage.CONNECT, error.code, error.message)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            raise DialError(_tls_error("tls_failed")) from None
        raise DialError(lost_error(Stage.CONNECT)) from None


async def _login(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    if not settings.username:
        return
    mechanism = next((way for name, way in _MECHANISMS.items() if name in client.server_auth_methods), None)
    if mechanism is None:
        raise DialError(reply_error(Stage.LOGIN, 530, ""))
    try:
        await mechanism(client, settings.username, settings.password or "")
    except aiosmtplib.SMTPResponseException as error:
        raise DialError(reply_error(Stage.LOGIN, error.code, error.message)) from None
    except (aiosmtplib.SMTPException, OSError):
        raise DialError(lost_error(Stage.LOGIN)) from None


def _tls_error(code: str) -> SendError:
    return SendError(
        retry=Retry.LATER,
        code=code,
        explanation="No encrypted connection to the mail server could be made; the operator must look.",
        ours=True,
    )
