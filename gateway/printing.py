"""How letters are printed, made from the settings."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from channels.letter_press import press
from channels.letter_sftp import SftpCourier, SftpSettings
from channels.letter_spool import SpoolLetters
from gateway.content.phrases import Phrases
from gateway.directory.model import ChannelName
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.print_desk import PrintDesk
from gateway.dispatch.print_rounds import PrintRounds
from gateway.dispatch.print_runs import PrintRuns, PrintTerms
from gateway.dispatch.print_withdrawals import PrintWithdrawals
from gateway.dispatch.providers import Providers
from gateway.dispatch.recalling import LetterHouse, Recall
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.rendering import Renderer
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.policy import Policy
from gateway.rules.postage import Postage, Postbag
from gateway.settings import Settings
from gateway.settings.letters import LetterSides
from gateway.store.database import Database


def print_terms(settings: Settings) -> PrintTerms:
    """Say how this installation prints and posts."""
    letters = settings.letters
    return PrintTerms(
        spool=letters.letter_spool_dir,
        postbag=Postbag(
            usual=Postage(letters.letter_postage), cut_off=letters.letter_cutoff, holidays=letters.letter_holidays
        ),
        run_size=letters.letter_run_size,
        duplex=letters.letter_sides is LetterSides.DUPLEX,
    )


@dataclass(frozen=True, kw_only=True)
class Printing:
    """Who prints: the worker's part, the clock's, and that of staff."""

    runs: PrintRuns
    recall: Recall
    rounds: PrintRounds
    desk: PrintDesk


def make_printing(  # noqa: PLR0913  # all it puts together
    settings: Settings,
    providers: Providers,
    database: Database,
    wakeups: WakeUps,
    receipts: ReceiptDesk,
    renderer: Renderer,
    *,
    policy: Policy,
    snapshots: DenySnapshots,
    phrases: Callable[[str], Phrases],
    owner: str,
    now: Callable[[], dt.datetime],
) -> Printing:
    """Put together what sees to print runs."""
    terms, houses = print_terms(settings), letter_houses(settings, providers)
    recall = Recall(database, wakeups, renderer, houses, now=now, policy=policy, snapshots=snapshots)
    return Printing(
        runs=PrintRuns(
            database,
            receipts,
            recall,
            houses[0],
            press,
            make_courier(settings),
            terms=terms,
            phrases=phrases,
            owner=owner,
            now=now,
        ),
        recall=recall,
        rounds=PrintRounds(
            database,
            wakeups,
            houses,
            PrintWithdrawals(database, policy=policy, snapshots=snapshots, now=now),
            terms=terms,
            now=now,
        ),
        desk=PrintDesk(database, wakeups, receipts, terms=terms, now=now),
    )


def letter_houses(settings: Settings, providers: Providers) -> list[LetterHouse]:
    """List who can give letters back, the spool first: it may still hold some when others have taken its place."""
    adapters = [provider.channel for provider in providers[ChannelName.LETTER]]
    others = [each for each in adapters if isinstance(each, LetterHouse) and each.name != SpoolLetters.name]
    return [SpoolLetters(settings.letters.letter_spool_dir), *others]


def make_courier(settings: Settings) -> SftpCourier | None:
    """Make who brings print runs to a print house; None where they stay in the spool."""
    letters = settings.letters
    if letters.letter_sftp_url is None or letters.letter_sftp_key_file is None:
        return None
    parts = urlsplit(letters.letter_sftp_url)
    return SftpCourier(
        SftpSettings(
            host=parts.hostname or "",
            port=parts.port or 22,
            username=unquote(parts.username or ""),
            path=unquote(parts.path) or ".",
            key_file=letters.letter_sftp_key_file,
            host_key=letters.letter_sftp_host_key or "",
        )
    )
