"""Reports as CSV files (RFC 4180) that a spreadsheet opens without running anything in them."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Sequence
from enum import Enum

from aiohttp import web

from gateway.dispatch.refusals import unprocessable

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # full width counts, too
"""What makes a spreadsheet take a cell for a formula."""

_CSV = re.compile(r"(?:^|,)\s*text/csv\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)", re.IGNORECASE)


def wants_csv(request: web.Request) -> bool:
    """Tell whether a report is asked for as a file: `format` decides, without it the `Accept` header."""
    wanted = request.query.get("format")
    if wanted not in (None, "json", "csv"):
        raise unprocessable("format", "format is json or csv.")
    return wanted == "csv" if wanted else _CSV.search(request.headers.get("Accept", "")) is not None


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> web.Response:
    """Answer with a file `NAME.csv` in UTF-8 with one header line."""
    return web.Response(
        text=csv_text(columns, rows),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Vary": "Accept"},
    )


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write lines that end in CR LF, quoted where needed."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return lines.getvalue()


def cell(value: object) -> str:
    """Write one value; nothing is empty, a list is joined, and what looks like a formula begins with an apostrophe."""
    text = _plain(value)
    return f"'{text}" if text.startswith(_RISKY) else text


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return "; ".join(_plain(part) for part in value)
    return str(value)
