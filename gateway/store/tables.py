"""The tables. Directory rows keep their document as it was given, beside the keys that queries need."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text
from sqlalchemy.schema import SchemaItem

from gateway.store.columns import SERIAL, document, identifier, instant, word

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    },
)

installation = Table(
    "installation",
    metadata,
    word("name", primary_key=True),
    Column("value", Text, nullable=False),
)
"""What belongs to the installation as a whole, such as the key that signs links."""

# --- the directory -------------------------------------------------------------------------------------------

schools = Table(
    "schools",
    metadata,
    identifier("id", primary_key=True),
    document(),
    Column("version", Integer, nullable=False),
    instant("changed_at"),
)
"""`version` rises with every change that could alter a decision: deliveries planned under an older one are
decided again before they leave (R44)."""


def _person_table(name: str, *columns: SchemaItem) -> Table:
    return Table(
        name,
        metadata,
        identifier("school", primary_key=True),
        identifier("id", primary_key=True),
        document(),
        instant("ended_at", nullable=True),
        *columns,
    )


students = _person_table("students")
contacts = _person_table("contacts")
households = _person_table("households")
contact_points = _person_table(
    "contact_points",
    identifier("contact"),
    word("channel"),
    Column("address_key", Text, nullable=False),
    Index(None, "school", "contact"),
    Index(None, "school", "address_key"),
)
restrictions = _person_table(
    "restrictions",
    identifier("student"),
    identifier("contact"),
    Column("evidence", Text, nullable=True),
    identifier("created_by", nullable=True),
    identifier("approved_by", nullable=True),
    Index(None, "school", "contact"),
    Index(None, "school", "student"),
)

student_groups = Table(
    "student_groups",
    metadata,
    identifier("school", primary_key=True),
    identifier("group", primary_key=True),
    identifier("student", primary_key=True),
)

household_members = Table(
    "household_members",
    metadata,
    identifier("school", primary_key=True),
    identifier("household", primary_key=True),
    identifier("contact", primary_key=True),
    Index(None, "school", "contact", "household"),
)

relationships = Table(
    "relationships",
    metadata,
    identifier("school", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    Column("started", String(10), primary_key=True),
    Column("is_self", Boolean, nullable=False),
    document(),
    instant("ended_at", nullable=True),
    Index(None, "school", "contact", "student"),
)
"""`started` is the row's `valid_from` or empty: one pair may have an ended and a current row."""

placement_plans = Table(
    "placement_plans",
    metadata,
    identifier("school", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    document(),
    instant("ended_at", nullable=True),
)

point_marks = Table(
    "point_marks",
    metadata,
    identifier("school", primary_key=True),
    word("channel", primary_key=True),
    Column("address_key", Text, primary_key=True),
    word("state"),
    word("reason"),
    instant("at"),
)
"""What providers taught us of an address (R33, R34): kept apart from the directory, so that no import clears it."""

# --- what a school sets for itself ---------------------------------------------------------------------------

policies = Table(
    "policies",
    metadata,
    identifier("school", primary_key=True),
    document(),
    identifier("changed_by"),
    instant("changed_at"),
)
"""What a school has set of the values marked [set] in the recipient rules: only what differs from the defaults."""

# --- access, templates, tasks --------------------------------------------------------------------------------

api_keys = Table(
    "api_keys",
    metadata,
    identifier("id", primary_key=True),
    identifier("school", nullable=True),
    Column("name", String(200), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    instant("created_at"),
    instant("revoked_at", nullable=True),
)

templates = Table(
    "templates",
    metadata,
    identifier("school", primary_key=True),
    identifier("name", primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    document(),
    word("status"),
    identifier("author"),
    identifier("approved_by", nullable=True),
    instant("created_at"),
)

tasks = Table(
    "tasks",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("kind"),
    identifier("notification", nullable=True),
    identifier("student", nullable=True),
    identifier("contact", nullable=True),
    identifier("delivery", nullable=True),
    word("owner"),
    Column("detail", Text, nullable=False),
    instant("created_at"),
    instant("due_at", nullable=True),
    instant("paged_at", nullable=True),
    instant("acknowledged_at", nullable=True),
    identifier("acknowledged_by", nullable=True),
    instant("done_at", nullable=True),
    identifier("done_by", nullable=True),
    Column("note", Text, nullable=True),
    Column("directory_version", Integer, nullable=True),
    Index(None, "school", "done_at", "due_at"),
    Index(None, "notification"),
    Index(
        "ix_tasks_open",
        "kind",
        "due_at",
        postgresql_where=text("done_at IS NULL"),
        sqlite_where=text("done_at IS NULL"),
    ),
)
"""What people have to do: holds, unreachable contacts, unknown outcomes (R24, R45). `done_by` is the key of whoever
settled it by hand; a task that went by itself has none. `directory_version` is what a hold was last decided under."""

hand_reports = Table(
    "hand_reports",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("task"),
    identifier("delivery"),
    word("outcome"),
    instant("at"),
    Column("minutes", Integer, nullable=True),
    Column("spoken_with", String(200), nullable=True),
    Column("identity_checked", Boolean, nullable=True),
    Column("follow_up", Text, nullable=True),
    Column("note", Text, nullable=False),
    identifier("by"),
    instant("recorded_at"),
    Index(None, "task"),
)
"""Append-only: what staff did to bring somebody a message by telephone or by hand, try by try (Q34)."""

# --- who is paged --------------------------------------------------------------------------------------------

duty_contacts = Table(
    "duty_contacts",
    metadata,
    identifier("school", primary_key=True),
    identifier("id", primary_key=True),
    word("role"),
    document(),
    instant("changed_at"),
)
"""Whom a life-safety hold pages (R45): staff, kept apart from the directory of families."""

_PAGE_IN_WORK = "state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"

pages = Table(
    "pages",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("task"),
    identifier("person"),
    word("role"),
    Column("round", Integer, nullable=False),
    word("channel"),
    Column("address", String(320), nullable=False),
    word("language"),
    word("state"),
    instant("due_at", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("created_at"),
    instant("changed_at"),
    Index(None, "notification", "round"),
    Index("ix_pages_due", "due_at", postgresql_where=text(_PAGE_IN_WORK), sqlite_where=text(_PAGE_IN_WORK)),
)
"""One page to one contact point of somebody on duty. It speaks of all holds of its notification; `task` is the one
that has waited longest. `address` is the whole address: a roster that changes must not lose a page on its way."""

# --- notifications -------------------------------------------------------------------------------------------

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    identifier("school", primary_key=True),
    word("endpoint", primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    document("answer"),
    instant("created_at"),
)

notifications = Table(
    "notifications",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("category"),
    word("purpose"),
    word("lane"),
    word("status"),
    document("request"),
    document("sources"),
    Column("traceparent", String(55), nullable=True),
    document("only_points", nullable=True),
    Column("reference", String(1000), nullable=True),
    identifier("created_by"),
    instant("created_at"),
    instant("send_at"),
    instant("expires_at", nullable=True),
    instant("respond_by", nullable=True),
    identifier("cursor"),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    instant("planned_at", nullable=True),
    instant("finished_at", nullable=True),
    Index(None, "school", "created_at"),
    Index(
        "ix_notifications_open",
        "send_at",
        postgresql_where=text("status IN ('accepted', 'planning')"),
        sqlite_where=text("status IN ('accepted', 'planning')"),
    ),
)
"""`sources` pins the template versions in every language, so that a later edit changes nothing already posted.
`traceparent` (W3C Trace Context) lets whatever the clock wakes later continue the trace of the request.
`only_points` names the only contact points, each with its place, that a notice of the gateway's own may go to (R37)."""

attachments = Table(
    "attachments",
    metadata,
    identifier("school", primary_key=True),
    identifier("id", primary_key=True),
    Column("name", String(100), nullable=False),
    Column("content_type", String(40), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("words", Text, nullable=False),
    Column("searchable", Boolean, nullable=False),
    identifier("created_by"),
    instant("created_at"),
)
"""Files that notifications carry, each once. `words` is what the text check reads: name and text inside (R38)."""

notification_students = Table(
    "notification_students",
    metadata,
    identifier("notification", primary_key=True),
    identifier("student", primary_key=True),
)

decisions = Table(
    "decisions",
    metadata,
    identifier("notification", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    identifier("school"),
    word("outcome"),
    word("rule"),
    Column("reason", Text, nullable=False),
    identifier("message", nullable=True),
    instant("at"),
    Index(None, "school", "contact", "at"),
    Index(None, "school", "student", "at"),
)

messages = Table(
    "messages",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("contact"),
    document("students"),
    document("formats"),
    document("routes"),
    word("mode"),
    Column("step", Integer, nullable=True),
    word("language"),
    instant("not_before", nullable=True),
    instant("acknowledged_at", nullable=True),
    Index(None, "notification"),
)

_ACTIVE = "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"

_SILENT = "state = 'sent' AND ask_at IS NOT NULL"

deliveries = Table(
    "deliveries",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("message"),
    identifier("contact"),
    identifier("point"),
    word("channel"),
    word("lane"),
    Column("position", Integer, nullable=False),
    identifier("batch"),
    Column("address", String(200), nullable=False),
    Column("place", String(64), nullable=True),
    word("language"),
    Column("fell_back", Boolean, nullable=False),
    Column("neutral", Boolean, nullable=False),
    Column("bare", Boolean, nullable=False),
    Column("directory_version", Integer, nullable=False),
    word("state"),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("due_at", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    Column("segments", Integer, nullable=True),
    identifier("merged_into", nullable=True),
    instant("expires_at", nullable=True),
    instant("created_at"),
    instant("changed_at"),
    instant("ask_at", nullable=True),
    Index(None, "notification", "state"),
    Index(None, "message"),
    Index(
        "ix_deliveries_provider_id",
        "provider_id",
        postgresql_where=text("provider_id IS NOT NULL"),
        sqlite_where=text("provider_id IS NOT NULL"),
    ),
    Index("ix_deliveries_batch", "batch", postgresql_where=text(_ACTIVE), sqlite_where=text(_ACTIVE)),
    Index("ix_deliveries_due", "school", "lane", "due_at", postgresql_where=text(_ACTIVE), sqlite_where=text(_ACTIVE)),
    Index(
        "ix_deliveries_lease",
        "lease_until",
        postgresql_where=text("state = 'sending'"),
        sqlite_where=text("state = 'sending'"),
    ),
    Index(
        "ix_deliveries_merged",
        "merged_into",
        postgresql_where=text("merged_into IS NOT NULL"),
        sqlite_where=text("merged_into IS NOT NULL"),
    ),
    Index("ix_deliveries_ask", "ask_at", postgresql_where=text(_SILENT), sqlite_where=text(_SILENT)),
)
"""`address` is masked: the address itself is read from the directory at the moment of sending. `neutral` deliveries
name nobody (R29), `bare` ones carry a fixed notice in place of a text that waits for a person (R45). `ask_at` is when
a provider that can be asked is asked next what became of it, while it is `sent`."""

turns = Table(
    "turns",
    metadata,
    identifier("school", primary_key=True),
    word("lane", primary_key=True),
    instant("served_at"),
)
"""When a batch of each school was taken last, by lane: schools take turns."""

attempts = Table(
    "attempts",
    metadata,
    identifier("delivery", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    identifier("owner"),
    instant("started_at"),
    instant("answered_at", nullable=True),
    word("outcome", nullable=True),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("missed_at", nullable=True),
    Index(
        "ix_attempts_missed",
        "provider_id",
        postgresql_where=text("missed_at IS NOT NULL"),
        sqlite_where=text("missed_at IS NOT NULL"),
    ),
)
"""`missed_at` is when the provider reported that the attempt reached nobody, and another one was planned."""

delivery_events = Table(
    "delivery_events",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("delivery"),
    instant("at"),
    word("state"),
    word("news"),
    Column("detail", Text, nullable=True),
    Index(None, "delivery"),
)
"""What happened to a delivery besides its own attempts: receipts, withdrawals, expiry. Append-only."""

_UNAPPLIED = "applied_at IS NULL"

receipts = Table(
    "receipts",
    metadata,
    word("provider", primary_key=True),
    Column("event_id", String(255), primary_key=True),
    identifier("delivery", nullable=True),
    identifier("provider_id", nullable=True),
    word("status"),
    document(),
    instant("at"),
    instant("received_at"),
    instant("applied_at", nullable=True),
    word("refused", nullable=True),
    instant("look_at", server_default=text("'2000-01-01 00:00:00'")),
    Index("ix_receipts_waiting", "look_at", postgresql_where=text(_UNAPPLIED), sqlite_where=text(_UNAPPLIED)),
    Index(None, "delivery"),
)
"""Every provider event once, with its raw payload. One that no delivery claims yet is parked (`applied_at` empty):
whether one does now is looked at `look_at`, less and less often. `delivery` is what the provider said until it is
applied, and the delivery meant from then on. `refused` says why an event changed nothing at all."""

chronology = Table(
    "chronology",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    instant("at"),
    identifier("student", nullable=True),
    identifier("contact", nullable=True),
    word("event"),
    document("detail"),
    Index(None, "school", "contact", "at"),
    Index(None, "school", "student", "at"),
)
"""Append-only: what happened to a person's record. Decisions, attempts and receipts are records themselves."""

provider_use = Table(
    "provider_use",
    metadata,
    word("provider", primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("units", Integer, nullable=False),
)
"""What a provider with a budget has accepted in a calendar month: mails, parts of texts, calls, letters."""

# --- what parents do -----------------------------------------------------------------------------------------

document_openings = Table(
    "document_openings",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("contact"),
    identifier("delivery"),
    instant("at"),
    word("outcome"),
    Index(None, "delivery", "at"),
    Index(None, "school", "contact", "at"),
)
"""Append-only: every time a secure page was opened, and every identity check that failed (R41)."""

wishes = Table(
    "wishes",
    metadata,
    identifier("school", primary_key=True),
    identifier("contact", primary_key=True),
    word("category", primary_key=True),
    Column("opted_out", Boolean, nullable=False),
    instant("at"),
    word("origin"),
)
"""What contacts told us themselves (R21): kept apart from the directory, so that no import takes it back."""

consent_answers = Table(
    "consent_answers",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("student"),
    identifier("contact"),
    word("answer"),
    identifier("delivery", nullable=True),
    word("origin"),
    identifier("taken_by", nullable=True),
    Column("note", Text, nullable=True),
    instant("at"),
    Index(None, "notification", "student"),
)
"""Append-only: every answer to a question of consent (R14). `delivery` is the one whose page was answered, `taken_by`
the key of whoever took the answer by telephone or on paper."""

# --- what people write back ----------------------------------------------------------------------------------

replies = Table(
    "replies",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification", nullable=True),
    identifier("message", nullable=True),
    identifier("contact", nullable=True),
    identifier("delivery", nullable=True),
    word("thread", nullable=True),
    word("channel"),
    Column("writer", String(320), nullable=False),
    Column("genuine_sender", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("cut", Boolean, nullable=False),
    word("provider"),
    Column("event_id", String(255), nullable=False),
    instant("at"),
    instant("received_at"),
    instant("answered_at", nullable=True),
    identifier("handled_by", nullable=True),
    Index(None, "provider", "event_id", unique=True),
    Index(None, "school", "id"),
    Index(None, "notification", "contact"),
    Index(None, "delivery", "received_at"),
)
"""What people write to the school (R40), for staff alone. Without a contact nobody knows who wrote. `genuine_sender`
tells whether it came from an address of the contact's own: a mail that was forwarded may be answered by anybody.
A reply's task has the same id; `answered_at` and `handled_by` say when it was done, and by whose key."""

reply_enclosures = Table(
    "reply_enclosures",
    metadata,
    identifier("reply", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("content_type", String(255), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Files sent along with a reply, as they came: nobody has looked whether they do harm."""

text_wishes = Table(
    "text_wishes",
    metadata,
    word("provider", primary_key=True),
    Column("event_id", String(255), primary_key=True),
    Column("number", String(40), nullable=False),
    word("wish"),
    word("category", nullable=True),
    instant("at"),
    Column("answered", Boolean, nullable=False),
    Index(None, "number", "at"),
)
"""Every text of one word, such as STOP, once (R33, R21): so none counts twice, and machines that answer each other come
to an end. `answered` tells whether the number was to be texted back."""

# --- the restrictions register -------------------------------------------------------------------------------

restriction_steps = Table(
    "restriction_steps",
    metadata,
    identifier("school", primary_key=True),
    identifier("restriction", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    word("step"),
    identifier("by", nullable=True),
    instant("at"),
    document(),
    document("proposed", nullable=True),
    document("otherwise", nullable=True),
    Column("evidence", Text, nullable=True),
    Column("note", Text, nullable=True),
    identifier("successor", nullable=True),
)
"""Append-only: every version of a restriction. `document` acts from this step on; while the step is the last one and
awaits a second person, `proposed` is what acts once it is approved and `otherwise` what acts once it is rejected."""

restriction_views = Table(
    "restriction_views",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("restriction"),
    identifier("viewer"),
    instant("at"),
    Index(None, "school", "restriction", "id"),
)
"""Append-only: whose key saw which restriction, and when."""

objections = Table(
    "objections",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("student"),
    identifier("contact"),
    identifier("said_by"),
    Column("note", Text, nullable=True),
    identifier("taken_by"),
    instant("at"),
)
"""What somebody said against telling a contact: a note and a task, never a restriction (R03)."""

deny_snapshots = Table(
    "deny_snapshots",
    metadata,
    identifier("school", primary_key=True),
    Column("version", Integer, nullable=False),
    instant("made_at"),
    document(),
    Column("signature", String(64), nullable=False),
)
"""Whom a school's denies barred when they could last be read, for the emergency in which they cannot (R46).
`document` lists pairs of student and contact; `signature` covers the whole row."""

# --- what other systems are told -----------------------------------------------------------------------------

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    Column("url", Text, nullable=False),
    document("events"),
    identifier("created_by"),
    instant("created_at"),
    instant("changed_at"),
    instant("disabled_at", nullable=True),
    word("disabled_because", nullable=True),
    Column("failures", Integer, nullable=False),
    instant("failing_since", nullable=True),
    instant("rests_until", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Index(None, "school"),
)
"""Where a school's systems are told of events. `events` lists the types wanted, null for all. `failures` counts the
rounds in a row in which it took nothing, `failing_since` is when they began. One worker at a time posts to it."""

webhook_seeds = Table(
    "webhook_seeds",
    metadata,
    identifier("endpoint", primary_key=True),
    Column("seed", String(64), primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    instant("created_at"),
    instant("signs_until", nullable=True),
)
"""What an endpoint's secrets are derived from, with the installation's key; none of them stands here itself."""

webhook_events = Table(
    "webhook_events",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("type"),
    document(),
    instant("at"),
    Index(None, "school", "at"),
    Index(None, "at"),
)
"""What was told, as it is posted: ids, states and codes. `id` is the `webhook-id` of all its posts."""

webhook_posts = Table(
    "webhook_posts",
    metadata,
    identifier("endpoint", primary_key=True),
    identifier("event", primary_key=True),
    instant("due_at", nullable=True),
    Column("attempts", Integer, nullable=False),
    instant("delivered_at", nullable=True),
    Index(None, "event"),
    Index(
        "ix_webhook_posts_due",
        "endpoint",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
)
"""An event on its way to an endpoint; neither due nor delivered, it was given up after its last attempt."""

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("endpoint"),
    identifier("event"),
    Column("number", Integer, nullable=False),
    instant("at"),
    Column("milliseconds", Integer, nullable=False),
    word("outcome"),
    Column("status", Integer, nullable=True),
    Index(None, "endpoint", "id"),
    Index(None, "event"),
)
"""Append-only: every time an endpoint was posted to, and what it said by its status; its words are not kept."""

_WAITING = "state IN ('held', 'queued', 'retrying')"

Index(
    "ix_deliveries_waiting",
    deliveries.c.school,
    deliveries.c.lane,
    deliveries.c.directory_version,
    postgresql_where=text(_WAITING),
    sqlite_where=text(_WAITING),
)
"""Finds what has not left and was decided under an older directory (R44)."""

# --- print runs ----------------------------------------------------------------------------------------------

print_runs = Table(
    "print_runs",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("status"),
    word("reason"),
    identifier("created_by", nullable=True),
    instant("created_at"),
    instant("closed_at", nullable=True),
    Column("letters", Integer, nullable=False),
    Column("sheets", Integer, nullable=False),
    document("files"),
    identifier("folder", nullable=True),
    Column("posted_on", String(10), nullable=True),
    instant("uploaded_at", nullable=True),
    instant("due_at", nullable=True),
    Column("failures", Integer, nullable=False),
    Column("fault", Text, nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Index(None, "school", "id"),
    Index(
        "ix_print_runs_due",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_print_runs_wanted",
        "school",
        unique=True,
        postgresql_where=text("status = 'wanted'"),
        sqlite_where=text("status = 'wanted'"),
    ),
)
"""Letters that are printed together. `files` lists what its folder holds, with checksums; `due_at` is when there is
something to be done about it, `fault` why that could not be done the last time."""

print_letters = Table(
    "print_letters",
    metadata,
    identifier("delivery", primary_key=True),
    identifier("run"),
    Column("file", String(100), nullable=True),
    Column("first_page", Integer, nullable=True),
    Column("pages", Integer, nullable=True),
    Column("sheets", Integer, nullable=True),
    word("postage", nullable=True),
    Column("sealed", Boolean, nullable=True),
    word("country", nullable=True),
    Index(None, "run"),
)
"""Which run has which letter: the primary key lets a delivery be printed once. Its place is known once it is."""

Index(
    "ix_deliveries_spooled",
    deliveries.c.provider,
    deliveries.c.school,
    deliveries.c.directory_version,
    postgresql_where=text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
    sqlite_where=text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
)
"""Finds letters that can still be taken back: none has its run in `code`."""
