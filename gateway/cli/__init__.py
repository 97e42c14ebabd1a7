"""The command line: one sub-command for each thing an operator does, from `gateway serve` to `gateway demo`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import log
from gateway.access import Scope
from gateway.settings import Settings, SettingsError, read_settings

_PROCESSES = frozenset({"serve", "work", "clock", "receive"})
_RANK = ["DEBUG", "INFO", "WARNING", "ERROR"].index

CHANNELS = ("email", "sms", "voice", "letter")
LANES = ("emergency", "standard", "bulk", "letters", "webhooks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 when it did what it was asked, 1 when not, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings(os.environ)
        # Commands a person watches stay quiet; processes tell what they do.
        quiet = max(settings.log_level, "WARNING", key=_RANK)
        log.set_up(settings.log_level if options.command in _PROCESSES else quiet)
        status = _run(options, settings)
    except SettingsError as error:
        status = _complain(str(error))
    except FileNotFoundError as error:
        status = _complain(f"There is no file {error.filename}.")
    except IsADirectoryError as error:
        status = _complain(f"{error.filename} is a folder: name a file.")
    except OSError as error:
        status = _complain(f"{error.strerror or type(error).__name__}: {error.filename or 'see gateway doctor'}.")
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _complain(sentence: str) -> int:
    print(f"gateway: {sentence}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    return 1


def _run(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command; each one loads only what it needs, as loading everything takes a second."""
    if options.command == "audience":
        from gateway.cli.audience import answer_audience

        return answer_audience(options.directory, options.request, options.policy)
    if options.command == "test-send":
        return _send_test(options, settings)
    import socket

    import sqlalchemy.exc
    import uvloop

    from channels.errors import ChannelSettingsError
    from gateway.directory.importing import ImportRefusedError
    from gateway.dispatch.refusals import Refused

    try:
        return uvloop.run(_run_with_database(options, settings))
    except (ChannelSettingsError, ImportRefusedError) as error:
        return _complain(str(error))
    except Refused as refused:
        return _complain(refused.detail)
    except (ConnectionError, socket.gaierror, TimeoutError, sqlalchemy.exc.SQLAlchemyError) as error:
        fault = type(error).__name__
        return _complain(f"The database cannot be used ({fault}): check GATEWAY_DATABASE_URL and run gateway migrate.")


def _send_test(options: argparse.Namespace, settings: Settings) -> int:
    import uvloop

    from channels.errors import ChannelSettingsError
    from gateway.cli.test_send import NotSentError, send_test
    from gateway.directory.model import ChannelName

    channel = ChannelName(options.channel)
    try:
        answer = uvloop.run(
            send_test(settings, channel, options.to, provider=options.provider, language=options.language)
        )
    except (ChannelSettingsError, NotSentError) as error:
        return _complain(str(error))
    print(answer)  # noqa: T201  # the command line's own voice
    return 0


async def _run_with_database(options: argparse.Namespace, settings: Settings) -> int:
    if options.command == "demo":
        from gateway.cli.demo import run_demo

        return await run_demo(settings)
    if options.command == "doctor":
        from gateway.cli.doctor import examine

        return await examine(settings)
    if options.command == "import":
        from gateway.cli.files import import_files

        return await import_files(settings, options.paths, dry_run=options.dry_run, force=options.force)
    if options.command == "print-run":
        from gateway.cli.print_run import close_print_runs

        return await close_print_runs(settings)
    return await _run_process(options, settings)


async def _run_process(options: argparse.Namespace, settings: Settings) -> int:
    from gateway.cli.processes import run_clock, run_migrations, run_receiver, run_server, run_worker
    from gateway.dispatch.requests import Lane

    match options.command:
        case "serve":
            return await run_server(settings, host=options.host, port=options.port)
        case "work":
            lanes = [Lane(name) for name in options.lane]
            return await run_worker(settings, lanes, health_port=options.health_port)
        case "clock":
            return await run_clock(settings, health_port=options.health_port)
        case "receive":
            return await run_receiver(settings, host=options.host, port=options.port, health_port=options.health_port)
        case "keys":
            return await _manage_keys(options, settings)
        case _:
            return await run_migrations(settings)


async def _manage_keys(options: argparse.Namespace, settings: Settings) -> int:
    from gateway.cli.keys import create_key, list_keys, revoke_keys

    match options.action:
        case "create":
            scopes = [Scope(name) for name in options.scope]
            return await create_key(settings, options.name, scopes, school=options.school)
        case "revoke":
            return await revoke_keys(settings, options.ids)
        case _:
            return await list_keys(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description="The School Messaging Gateway.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the API; embedded, do the work in the same process")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=_port, default=8080)

    work = commands.add_parser("work", help="plan and send for one or more lanes (needs GATEWAY_REDIS_URL)")
    work.add_argument("--lane", action="append", required=True, choices=LANES)
    work.add_argument("--health-port", type=_port, help="answer /health/live and /health/ready on this port")

    clock = commands.add_parser("clock", help="find what is due and wake it")
    clock.add_argument("--health-port", type=_port, help="answer /health/live and /health/ready on this port")

    receive = commands.add_parser("receive", help="take the mail that comes back: bounces, complaints and answers")
    receive.add_argument("--host", help="the address to listen on; GATEWAY_INBOUND_SMTP_HOST unless given")
    receive.add_argument("--port", type=_port, help="the port to listen on; GATEWAY_INBOUND_SMTP_PORT unless given")
    receive.add_argument("--health-port", type=_port, help="answer /health/live and /health/ready on this port")

    commands.add_parser("migrate", help="bring the database to the schema of this release")

    keys = commands.add_parser("keys", help="make, list and revoke API keys").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    create = keys.add_parser("create", help="make a key and print it, once")
    create.add_argument("name", help="what the key is for, such as the name of the system that uses it")
    create.add_argument("--scope", action="append", required=True, choices=[scope.value for scope in Scope])
    create.add_argument("--school", help="bind the key to this school")
    keys.add_parser("list", help="list all keys, revoked ones too; their secrets are nowhere on record")
    revoke = keys.add_parser("revoke", help="end keys; what they were used for stays on record")
    revoke.add_argument("ids", nargs="+", metavar="ID", help="as in the list: the part of the key after smg_")

    importing = commands.add_parser(
        "import", help="import a directory document, OneRoster, School Data Sync, Ed-Fi or Wonde"
    )
    importing.add_argument("paths", type=Path, nargs="+", metavar="FILE", help="several are feeds that are joined")
    importing.add_argument("--dry-run", action="store_true", help="say what would change and change nothing")
    importing.add_argument("--force", action="store_true", help="also when more than 20 %% of links would end")

    audience = commands.add_parser("audience", help="answer a request by the recipient rules, from files")
    audience.add_argument("--directory", type=Path, required=True, metavar="D.json")
    audience.add_argument("--request", type=Path, required=True, metavar="R.json")
    audience.add_argument("--policy", type=Path, metavar="P.json", help="a school's settings; without it the defaults")

    test_send = commands.add_parser("test-send", help="hand one harmless test message to a provider")
    test_send.add_argument("--channel", required=True, choices=CHANNELS)
    test_send.add_argument("--to", required=True, help="an address; for letters a file, or lines with | between them")
    test_send.add_argument("--provider", metavar="NAME", help="the first of the channel, unless named")
    test_send.add_argument("--language", default="en", metavar="L", help="en unless given, such as pl or ur")

    commands.add_parser("doctor", help="check everything a send needs")
    commands.add_parser("print-run", help="print all letters that wait in the spool, now")
    commands.add_parser("demo", help="import the sample school and send three notifications")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)
