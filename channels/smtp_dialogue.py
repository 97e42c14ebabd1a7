"""What is said to a mail server, and what its answers mean for every mail under way; knows no socket.

After the final dot of one mail the next mail's envelope follows in the same write (RFC 2920, section 3.1), so that a
mail costs one round trip. Where the server takes content by length (CHUNKING, RFC 3030), several whole mails are under
way. Where it offers neither, or was seen to fail at it, commands go one by one.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum

from channels.smtp_parties import Way, Wire, Work
from channels.smtp_queue import Batch, Parcel
from channels.smtp_reading import Reply
from channels.smtp_replies import CLOSING, GO_ON, Stage, is_out_of_step, lost_error, reply_error
from channels.smtp_wire import (
    NEEDS_SMTPUTF8,
    NOTICES_REFUSED,
    Extensions,
    is_international,
    lines_of,
    orders_notices,
    recipient_command,
    sender_command,
    stuffed,
)

LARGE = 65536
"""Bytes; the end of a larger mail is held back until the rest has left, so that a break before it is known as such."""

WINDOW = 4
"""Whole mails under way on one connection with CHUNKING: all of them are in doubt when it breaks."""

_FINAL_DOT = b".\r\n"
_LINE_END = b"\r\n"
"""Held back from a large chunk; every mail ends with one."""


class _Step(Enum):
    """What a reply is awaited for."""

    RESET = "RSET"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    CONTENT = "DATA"
    END = "the final dot or the last chunk"
    NOTHING = "the lone dot after which nobody gets anything"
    GOODBYE = "QUIT"


_STAGES = {
    _Step.SENDER: Stage.SENDER,
    _Step.RECIPIENT: Stage.RECIPIENT,
    _Step.CONTENT: Stage.CONTENT,
    _Step.END: Stage.FINAL_DOT,
}


class Dialogue:
    """Hands over mails one after the other; each is answered, or put back when it certainly was not handed over."""

    def __init__(self, work: Work, wire: Wire, extensions: Extensions, way: Way, *, most: int) -> None:
        self._work = work
        self._wire = wire
        self._extensions = extensions
        self._way = way
        self._most = most
        """Mails that may still be taken."""
        self._awaited: deque[tuple[_Step, Parcel | None]] = deque()
        """What the next replies are about, in the order of the commands."""
        self._unsaid: deque[tuple[_Step, bytes]] = deque()
        """Commands of the open envelope that wait for their turn, stepwise."""
        self._opening: Parcel | None = None
        """The mail whose envelope was begun and whose content was not sent."""
        self._held: tuple[Parcel, bytes] | None = None
        """A large mail on its way, and its last bytes."""
        self._in_doubt = 0
        """Mails that were sent and not answered for."""
        self._unclear = False
        """The server may still have an envelope in mind: RSET goes first."""
        self._leaving = False
        """Nothing more is taken."""
        self._dismissed = False
        """The server said that it goes: what it has not answered it will not do (RFC 5321, section 3.8)."""
        self._accepted = 0

    @property
    def busy(self) -> bool:
        """Whether a reply is awaited."""
        return bool(self._awaited)

    @property
    def parting(self) -> bool:
        """Whether nothing but the answer to QUIT is awaited."""
        return bool(self._awaited) and self._awaited[0][0] is _Step.GOODBYE

    @property
    def holds_one_back(self) -> bool:
        """Whether a mail waits for the one before it and could go elsewhere instead."""
        return self._opening is not None and self._awaited[0][1] is not self._opening

    def pump(self) -> None:
        """Write as much as may be under way."""
        if self._leaving or self._held is not None or not self._wire.writable:
            return
        if self._way is Way.CHUNKED:
            self._fill_window()
        elif (
            self._opening is None
            and (self._way is Way.PIPELINED or not self._awaited)
            and (commands := self._opened_next())
        ):
            self._wire.write(commands)
        if not self._most and not self._awaited:
            self.say_goodbye()

    def say_goodbye(self) -> None:
        """End politely; only when nothing is under way."""
        self._leaving = True
        self._awaited.append((_Step.GOODBYE, None))
        self._wire.write(b"QUIT\r\n")

    def give_back(self) -> Parcel | None:
        """Give up the mail whose content was not sent; the connection ends when the one before it is answered."""
        parcel, self._opening = self._opening, None
        if parcel is not None:
            self._leaving = True
            self._unsaid.clear()
            self._awaited = deque(entry for entry in self._awaited if entry[1] is not parcel)
            if not self._awaited:
                self._wire.cut()
        return parcel

    def take_back(self, batch: Batch) -> None:
        """Do not send the content of a mail that nobody waits for any more."""
        if self._opening is not None and self._opening.batch is batch:
            self.give_back()

    def left(self) -> None:
        """Hear that the bulk of a large mail has left; now its end may follow."""
        if self._held is not None:
            (parcel, end), self._held = self._held, None
            self._wire.write(end + self._sent(parcel))
            self.pump()

    def settle(self, *, timed_out: bool = False) -> bool:
        """Decide about the mails under way on a connection that ends; gives whether there were any.

        The first is to blame, and has a further try only when the connection was a used one; the others are put back.
        """
        if not any(parcel for _, parcel in self._awaited):
            self._awaited.clear()
            return False
        if self._awaited[0][0] is not _Step.END and self._way is not Way.STEPWISE and not self._dismissed:
            self._work.doubt(certain=False)
        dismissed = self._dismissed and not timed_out
        innocent: list[Parcel] = []
        for place, parcel in enumerate(dict.fromkeys(parcel for _, parcel in self._awaited)):
            if parcel is None or parcel.answered:
                continue
            if parcel.refusal is not None:
                parcel.answer(parcel.refusal)
            elif parcel.sent and not dismissed:
                parcel.answer(lost_error(Stage.FINAL_DOT))
            elif place == 0 and not dismissed and (timed_out or not self._another_try(parcel)):
                parcel.answer(lost_error(Stage.SENDER, timed_out=timed_out))
            else:
                innocent.append(parcel)
        self._awaited.clear()
        self._unsaid.clear()
        self._opening = self._held = None
        self._leaving = True
        self._work.put_back(innocent)
        return True

    def hear(self, reply: Reply) -> None:
        """Go on by one reply."""
        if not self._awaited:
            self._wire.cut()  # the server goes, or says what belongs to nothing
            return
        step, parcel = self._awaited.popleft()
        if reply.code == CLOSING:
            self._dismissed = self._leaving = True
        if parcel is None:
            self._hear_about_nobody(step, reply.code)
        elif step is _Step.END:
            self._hear_end(parcel, reply)
        elif step is _Step.CONTENT:
            self._hear_content(parcel, reply)
        else:
            self._hear_envelope(step, parcel, reply)
        if self._leaving and step is not _Step.GOODBYE and not (self._in_doubt if self._dismissed else self._awaited):
            self._wire.cut()

    def _hear_about_nobody(self, step: _Step, code: int) -> None:
        """Hear about QUIT or a lone dot, whose mail was answered for before."""
        if step is _Step.GOODBYE:
            self._wire.close()
        elif 200 <= code < 600 and code != GO_ON:
            self.pump()
        else:
            self._wire.cut()

    def _hear_envelope(self, step: _Step, parcel: Parcel, reply: Reply) -> None:
        """Hear about RSET, MAIL or RCPT."""
        if 200 <= reply.code < 300:
            if step is _Step.RECIPIENT:
                parcel.reachable = True
            if self._unsaid:
                self._wire.write(self._said_next(parcel))
        elif parcel.refusal is None and self._noted(step, parcel, reply) and self._unsaid:
            self._refuse(parcel)

    def _hear_content(self, parcel: Parcel, reply: Reply) -> None:
        """Hear about DATA: send the content, or a lone dot when the server wants the content of a mail it refused."""
        if reply.code != GO_ON:
            if parcel.refusal is not None or self._noted(_Step.CONTENT, parcel, reply):
                self._refuse(parcel)
            return
        self._opening = None
        if parcel.refusal is None:
            self._send(parcel)
            return
        parcel.answer(parcel.refusal)
        if parcel.reachable:
            # A refused sender and an accepted recipient: even a lone dot could send somebody an empty mail.
            self._work.doubt(certain=True)
            self._wire.cut()
        else:
            self._unclear = True
            self._awaited.append((_Step.NOTHING, None))
            self._wire.write(_FINAL_DOT + self._following())

    def _hear_end(self, parcel: Parcel, reply: Reply) -> None:
        """Hear about the final dot or the last chunk: the last word on this mail."""
        if not parcel.sent:
            # The server did not wait for the end, so it cannot have taken the mail.
            parcel.answer(parcel.refusal or reply_error(Stage.CONTENT, reply.code, reply.words))
            self._wire.cut()
            return
        self._in_doubt -= 1
        if parcel.suspect and not parcel.reachable:
            self._unclear = True
            self._try_plainly(parcel)
        elif 200 <= reply.code < 300 and parcel.refusal is not None and not parcel.reachable:
            # A lenient server takes the chunks of a mail whose recipient it has refused: nobody gets it.
            parcel.answer(parcel.refusal)
        elif 200 <= reply.code < 300:
            parcel.answer()
            if parcel.plain and self._extensions.notices:
                self._extensions = self._extensions_for(parcel)
                self._work.order_no_notices()
            self._accepted += 1
            self._work.flowing(behind=self._accepted > 1)
        else:
            error = parcel.refusal or reply_error(Stage.FINAL_DOT, reply.code, reply.words)
            self._unclear = True
            if self._way is Way.CHUNKED and is_out_of_step(error):
                self._leaving = True
                self._work.doubt(certain=True)
                self._work.put_back([parcel])
            else:
                parcel.answer(error)
            if not 400 <= reply.code < 600:
                self._wire.cut()
        if self._opening is None:
            self.pump()

    def _noted(self, step: _Step, parcel: Parcel, reply: Reply) -> bool:
        """Note why a mail is refused; False when that ends the connection instead."""
        if not 400 <= reply.code < 600 or step is _Step.RESET:
            self._awaited.appendleft((step, parcel))
            self._wire.cut()
            return False
        error = reply_error(_STAGES[step], reply.code, reply.words)
        if self._way is Way.PIPELINED and is_out_of_step(error):
            self._work.doubt(certain=True)
            self._work.put_back([parcel])
            self.give_back()
            return False
        if reply.code == CLOSING and not parcel.sent and self._another_try(parcel):
            self._awaited.appendleft((step, parcel))
            return False
        parcel.suspect = (
            step in {_Step.SENDER, _Step.RECIPIENT} and reply.code in NOTICES_REFUSED and parcel.orders_notices
        )
        if parcel.suspect and self._way is not Way.CHUNKED:
            self._try_plainly(parcel)
            self.give_back()
            return False
        parcel.refusal = error
        return True

    def _try_plainly(self, parcel: Parcel) -> None:
        """Let a mail that nobody got go again without orders for notices; nothing more goes over this connection."""
        parcel.plain = True
        self._leaving = True
        self._work.put_back([parcel])

    def _extensions_for(self, parcel: Parcel) -> Extensions:
        return replace(self._extensions, notices=False) if parcel.plain else self._extensions

    def _refuse(self, parcel: Parcel) -> None:
        """Answer for a refused mail and go on with the next."""
        parcel.answer(parcel.refusal)
        self._opening = None
        self._unsaid.clear()
        self._unclear = True
        self.pump()

    def _another_try(self, parcel: Parcel) -> bool:
        """Grant one more connection to a mail that met a used one: servers end those when they like."""
        parcel.tries += 1
        return self._accepted > 0 and parcel.tries == 1

    def _taken(self) -> Parcel | None:
        """Take a mail that this server can have."""
        while self._most and not self._leaving and (parcel := self._work.take()) is not None:
            if is_international(parcel.mail) and not self._extensions.international:
                parcel.answer(NEEDS_SMTPUTF8)
                continue
            self._most -= 1
            parcel.begin()
            return parcel
        return None

    def _opened_next(self) -> bytes:
        """Open the next mail's envelope; gives what is to be written for it now."""
        parcel = self._taken()
        if parcel is None:
            return b""
        self._opening = parcel
        self._unsaid.extend(self._envelope(parcel))
        self._unsaid.append((_Step.CONTENT, b"DATA\r\n"))
        said = self._said_next(parcel)
        while self._unsaid and self._way is not Way.STEPWISE:
            said += self._said_next(parcel)
        return said

    def _said_next(self, parcel: Parcel) -> bytes:
        step, command = self._unsaid.popleft()
        self._awaited.append((step, parcel))
        return command

    def _envelope(self, parcel: Parcel) -> Iterator[tuple[_Step, bytes]]:
        """List the commands before the content; chunked mails all begin with RSET, since nobody waits for refusals."""
        if self._unclear:
            yield _Step.RESET, b"RSET\r\n"
        self._unclear = self._way is Way.CHUNKED
        extensions = self._extensions_for(parcel)
        parcel.orders_notices = orders_notices(parcel.mail, extensions)
        yield _Step.SENDER, sender_command(parcel.mail, extensions, parcel.delivery)
        yield _Step.RECIPIENT, recipient_command(parcel.mail, extensions)

    def _following(self) -> bytes:
        """Open the next envelope behind a final dot, where the server allows it."""
        return self._opened_next() if self._way is Way.PIPELINED else b""

    def _send(self, parcel: Parcel) -> None:
        """Write the content, the final dot and the next mail's envelope."""
        content = stuffed(parcel.mail.content)
        self._awaited.append((_Step.END, parcel))
        if len(content) <= LARGE:
            self._wire.write(b"".join((content, _FINAL_DOT, self._sent(parcel))))
        else:
            self._held = parcel, _FINAL_DOT
            self._wire.write_slowly(content)

    def _sent(self, parcel: Parcel) -> bytes:
        """Note that a mail's end is being written; gives what follows it."""
        parcel.sent = True
        self._in_doubt += 1
        return self._following()

    def _fill_window(self) -> None:
        """Write whole mails, as many as may be in doubt."""
        written: list[bytes] = []
        while self._in_doubt < WINDOW and (parcel := self._taken()) is not None:
            content = lines_of(parcel.mail.content)
            for step, command in self._envelope(parcel):
                self._awaited.append((step, parcel))
                written.append(command)
            self._awaited.append((_Step.END, parcel))
            written.append(b"BDAT %d LAST\r\n" % len(content))
            if len(content) > LARGE:
                self._held = parcel, _LINE_END
                self._wire.write(b"".join(written))
                self._wire.write_slowly(memoryview(content)[: -len(_LINE_END)])
                return
            written.append(content)
            self._sent(parcel)
        if written:
            self._wire.write(b"".join(written))
