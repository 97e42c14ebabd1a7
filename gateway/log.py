"""Logs: one JSON line an event, constant event names, ids as fields, never a person or a text."""

import datetime as dt
import json
import logging
import sys
import traceback
from typing import Any

_OWN = ("gateway", "channels")


class JsonLines(logging.Formatter):
    """Write a record as one JSON line: time, level, event, and the fields given in `extra`."""

    _STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        """Keep our own events as they are; of other libraries' records keep the logger and level only.

        Their messages may quote addresses, SQL parameters or message texts.
        """
        own = record.name.partition(".")[0] in _OWN
        line: dict[str, Any] = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage() if own else f"library.{record.name}",
        }
        if own:
            line |= {key: value for key, value in record.__dict__.items() if key not in self._STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record.exc_info[2])
        return json.dumps(line, default=str)


def _where(trace: Any) -> list[str]:
    """Name the lines of code of a failure without the values in them."""
    return [
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-6:]
    ]


def set_up(level: str) -> None:
    """Send all logs of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OWN:
        logging.getLogger(name).setLevel(level)
