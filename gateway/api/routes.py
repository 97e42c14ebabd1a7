"""Every call of the API in one table: the server mounts it, the keys are checked by it, the documentation shows it."""

from typing import Annotated

import msgspec

from gateway.access import Scope
from gateway.api import examples
from gateway.api.answers import (
    Accepted,
    Cancelled,
    Chronology,
    Decisions,
    Deliveries,
    DirectoryReport,
    Forecast,
    Progress,
    Status,
    TemplateDetail,
    Templates,
)
from gateway.api.attachments import attachment_routes
from gateway.api.audience import AudienceQuestion, post_audience
from gateway.api.callbacks import post_receipt
from gateway.api.calls import post_call
from gateway.api.consents import ConsentAnswers, StudentAnswers, get_answers, post_answer
from gateway.api.delivery_events import DELIVERY_EVENT_ROUTES
from gateway.api.directory import import_directory, put_directory
from gateway.api.docs import get_asset, get_docs, openapi_handler
from gateway.api.duty import DUTY_ROUTES
from gateway.api.health import NotReady, Ready, get_live, get_metrics, get_ready
from gateway.api.marks import MARK_ROUTES
from gateway.api.notifications import (
    Confirmation,
    cancel_notification,
    get_decisions,
    get_deliveries,
    get_notification,
    post_notification,
    release_notification,
)
from gateway.api.openapi import document
from gateway.api.people import contact_chronology, student_chronology
from gateway.api.policy import SchoolPolicy, get_policy, put_policy
from gateway.api.print_runs import PRINT_ROUTES
from gateway.api.replies import reply_routes
from gateway.api.report_routes import report_routes
from gateway.api.requests import MOST_ITEMS
from gateway.api.restrictions import (
    ObjectionEntry,
    RestrictionDetail,
    Restrictions,
    Views,
    approve_restriction,
    get_objection,
    get_restriction,
    get_restriction_views,
    get_restrictions,
    post_objection,
    post_restriction,
    reject_restriction,
    review_restriction,
    supersede_restriction,
)
from gateway.api.route import Parameter, Route, Upload
from gateway.api.scripts import script_routes
from gateway.api.tasks import task_routes
from gateway.api.templates import approve_template, get_template, get_templates, put_template
from gateway.api.webhooks import webhook_routes
from gateway.directory.model import Directory
from gateway.dispatch.consent_answers import NewAnswer
from gateway.dispatch.library import TemplateDocument
from gateway.dispatch.register import NewRestriction, Objection, Review, Superseding, Verdict
from gateway.dispatch.releasing import Released
from gateway.dispatch.requests import NotificationRequest
from gateway.rules.policy_document import PolicyDocument

_PAGE = (
    Parameter(name="cursor", place="query", detail="Where the page begins, from `links.next` of the one before."),
    Parameter(
        name="limit",
        place="query",
        detail="How many entries a page has at most.",
        type=Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)],
        default=100,
    ),
)
_UPLOAD_OPTIONS = (
    Parameter(name="dry_run", place="query", detail="Report only, change nothing.", type=bool, default=False),
    Parameter(
        name="force",
        place="query",
        detail="Take it over even if it ends more than 20 % of the links between students and contacts.",
        type=bool,
        default=False,
    ),
)
_TOO_MUCH = {409: "It would end more than 20 % of the links: check the file, or repeat with `force=true`."}
_IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    detail="1 to 255 characters. The same key with the same body gets the first answer again; nothing is sent twice.",
    type=Annotated[str, msgspec.Meta(min_length=1, max_length=255)],
)
_NOTHING = {404: "There is no notification with this id."}
_NO_QUESTION = "The notification does not ask for consent."
_NO_DIRECTORY = "There is no directory yet."
_NO_TEMPLATE = {404: "There is no such template or version."}

_DIRECTORY = (
    Route(
        method="PUT",
        path="/v1/directory",
        serve=put_directory,
        summary="Replace the directory",
        tag="Directory",
        scopes=(Scope.DIRECTORY,),
        body=Directory,
        parameters=_UPLOAD_OPTIONS,
        answers={200: DirectoryReport},
        refusals=_TOO_MUCH,
    ),
    Route(
        method="POST",
        path="/v1/directory/imports",
        serve=import_directory,
        summary="Import OneRoster, School Data Sync, Ed-Fi or Wonde; several files are joined",
        tag="Directory",
        scopes=(Scope.DIRECTORY,),
        body=Upload(part="file", media="application/zip"),
        parameters=_UPLOAD_OPTIONS,
        answers={200: DirectoryReport},
        refusals=_TOO_MUCH,
    ),
)

_NOTIFICATIONS = (
    Route(
        method="POST",
        path="/v1/notifications",
        serve=post_notification,
        summary="Post a notification",
        tag="Notifications",
        scopes=(Scope.SEND, Scope.ALERTS),
        body=NotificationRequest,
        parameters=(_IDEMPOTENCY_KEY,),
        answers={202: Accepted},
        answer_headers={"Idempotency-Replay": "`true` when the answer is that to an earlier request with this key."},
        refusals={409: f"{_NO_DIRECTORY[:-1]}, or the key is in use at this moment."},
        examples=examples.NOTIFICATIONS,
    ),
    Route(
        method="GET",
        path="/v1/notifications/{id}",
        serve=get_notification,
        summary="How far a notification has come",
        tag="Notifications",
        scopes=(Scope.READ,),
        answers={200: Progress},
        refusals=_NOTHING,
    ),
    Route(
        method="GET",
        path="/v1/notifications/{id}/decisions",
        serve=get_decisions,
        summary="Who gets it, and why",
        tag="Notifications",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: Decisions},
        refusals=_NOTHING,
    ),
    Route(
        method="GET",
        path="/v1/notifications/{id}/deliveries",
        serve=get_deliveries,
        summary="What left by which route",
        tag="Notifications",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: Deliveries},
        refusals=_NOTHING,
    ),
    *DELIVERY_EVENT_ROUTES,
    Route(
        method="POST",
        path="/v1/notifications/{id}/cancel",
        serve=cancel_notification,
        summary="Stop what has not left",
        tag="Notifications",
        scopes=(Scope.SEND, Scope.ALERTS),
        answers={200: Cancelled},
        refusals=_NOTHING,
    ),
    Route(
        method="POST",
        path="/v1/notifications/{id}/release",
        serve=release_notification,
        summary="Let go what the text check kept back",
        tag="Notifications",
        scopes=(Scope.SEND, Scope.ALERTS),
        body=Confirmation,
        answers={200: Released},
        refusals={
            **_NOTHING,
            409: "Nothing is held because of its text, or nothing of it may go.",
            503: "The restrictions cannot be read, so nothing may go.",
        },
    ),
    Route(
        method="GET",
        path="/v1/notifications/{id}/answers",
        serve=get_answers,
        summary="What the answers to a question of consent come to",
        tag="Notifications",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: ConsentAnswers},
        refusals={**_NOTHING, 409: _NO_QUESTION},
    ),
    Route(
        method="POST",
        path="/v1/notifications/{id}/answers",
        serve=post_answer,
        summary="Take down an answer that came by another way",
        tag="Notifications",
        scopes=(Scope.SEND,),
        body=NewAnswer,
        answers={201: StudentAnswers},
        refusals={**_NOTHING, 409: f"{_NO_QUESTION[:-1]}, or was cancelled."},
        examples=examples.CONSENT_ANSWERS,
    ),
    Route(
        method="POST",
        path="/v1/audience",
        serve=post_audience,
        summary="Who would get it",
        tag="Notifications",
        scopes=(Scope.SEND, Scope.ALERTS, Scope.READ),
        body=AudienceQuestion,
        answers={200: Forecast},
        refusals={409: _NO_DIRECTORY},
        examples=examples.AUDIENCES,
    ),
)

_TEMPLATES = (
    Route(
        method="GET",
        path="/v1/templates",
        serve=get_templates,
        summary="What templates there are",
        tag="Templates",
        scopes=(Scope.READ, Scope.SEND, Scope.ALERTS),
        answers={200: Templates},
    ),
    Route(
        method="GET",
        path="/v1/templates/{name}",
        serve=get_template,
        summary="One template with its text",
        tag="Templates",
        scopes=(Scope.READ, Scope.SEND, Scope.ALERTS),
        parameters=(Parameter(name="version", place="query", detail="Which of the school's own versions.", type=int),),
        answers={200: TemplateDetail},
        refusals=_NO_TEMPLATE,
    ),
    Route(
        method="PUT",
        path="/v1/templates/{name}",
        serve=put_template,
        summary="Write a new version",
        tag="Templates",
        scopes=(Scope.ADMIN,),
        body=TemplateDocument,
        parameters=(
            Parameter(
                name="confirmed",
                place="query",
                detail="That whoever the text seems to name is not the contact of that name.",
                type=bool,
                default=False,
            ),
        ),
        answers={201: TemplateDetail, 200: TemplateDetail},
        refusals={409: f"{_NO_DIRECTORY[:-1]}, or somebody else changed the template at this moment."},
        examples=examples.TEMPLATES,
    ),
    Route(
        method="POST",
        path="/v1/templates/{name}/versions/{version}/approve",
        serve=approve_template,
        summary="Approve a version",
        tag="Templates",
        scopes=(Scope.ADMIN,),
        answers={200: TemplateDetail},
        refusals={**_NO_TEMPLATE, 409: "Whoever wrote the version cannot approve it."},
    ),
)

_PEOPLE = (
    Route(
        method="GET",
        path="/v1/contacts/{id}/chronology",
        serve=contact_chronology,
        summary="What happened about a contact",
        tag="People",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: Chronology},
        refusals={404: "There is no contact with this id."},
    ),
    Route(
        method="GET",
        path="/v1/students/{id}/chronology",
        serve=student_chronology,
        summary="What happened about a student",
        tag="People",
        scopes=(Scope.READ,),
        parameters=_PAGE,
        answers={200: Chronology},
        refusals={404: "There is no student with this id."},
    ),
)

_NO_RESTRICTION = {404: "There is no restriction with this id."}
_STEP = {
    **_NO_RESTRICTION,
    409: "Something else awaits a second person, or the restriction is a draft or superseded.",
}
_DECISION = {**_NO_RESTRICTION, 409: "It is one's own wish, another change waits by now, or nothing does."}

_RESTRICTIONS = (
    Route(
        method="POST",
        path="/v1/restrictions",
        serve=post_restriction,
        summary="Begin a restriction",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=NewRestriction,
        answers={201: RestrictionDetail},
        refusals={409: _NO_DIRECTORY},
        answer_headers={"Location": "Where the restriction is."},
        examples=examples.RESTRICTIONS,
    ),
    Route(
        method="GET",
        path="/v1/restrictions",
        serve=get_restrictions,
        summary="Who is barred, or ordered to be told",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        parameters=(
            Parameter(name="student", place="query", detail="Only those about this student."),
            Parameter(name="contact", place="query", detail="Only those about this contact."),
            *_PAGE,
        ),
        answers={200: Restrictions},
    ),
    Route(
        method="GET",
        path="/v1/restrictions/{id}",
        serve=get_restriction,
        summary="One restriction with its history",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        answers={200: RestrictionDetail},
        refusals=_NO_RESTRICTION,
    ),
    Route(
        method="GET",
        path="/v1/restrictions/{id}/views",
        serve=get_restriction_views,
        summary="Who saw a restriction",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        parameters=_PAGE,
        answers={200: Views},
        refusals=_NO_RESTRICTION,
    ),
    Route(
        method="POST",
        path="/v1/restrictions/{id}/review",
        serve=review_restriction,
        summary="Review a restriction",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=Review,
        answers={200: RestrictionDetail},
        refusals=_STEP,
    ),
    Route(
        method="POST",
        path="/v1/restrictions/{id}/supersede",
        serve=supersede_restriction,
        summary="Ask that a restriction act no more",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=Superseding,
        answers={200: RestrictionDetail},
        refusals=_STEP,
    ),
    Route(
        method="POST",
        path="/v1/restrictions/{id}/approve",
        serve=approve_restriction,
        summary="Agree as the second person",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=Verdict,
        answers={200: RestrictionDetail},
        refusals=_DECISION,
    ),
    Route(
        method="POST",
        path="/v1/restrictions/{id}/reject",
        serve=reject_restriction,
        summary="Disagree as the second person",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=Verdict,
        answers={200: RestrictionDetail},
        refusals=_DECISION,
    ),
    Route(
        method="POST",
        path="/v1/objections",
        serve=post_objection,
        summary="Note that somebody objects",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        body=Objection,
        answers={201: ObjectionEntry},
        refusals={409: _NO_DIRECTORY},
        examples=examples.OBJECTIONS,
    ),
    Route(
        method="GET",
        path="/v1/objections/{id}",
        serve=get_objection,
        summary="One objection",
        tag="Restrictions",
        scopes=(Scope.ADMIN,),
        answers={200: ObjectionEntry},
        refusals={404: "There is no objection with this id."},
    ),
)

_POLICY = (
    Route(
        method="GET",
        path="/v1/policy",
        serve=get_policy,
        summary="What the school has set for itself",
        tag="Policy",
        scopes=(Scope.READ,),
        answers={200: SchoolPolicy},
    ),
    Route(
        method="PUT",
        path="/v1/policy",
        serve=put_policy,
        summary="Set what differs from the defaults",
        tag="Policy",
        scopes=(Scope.ADMIN,),
        body=PolicyDocument,
        answers={200: SchoolPolicy},
        refusals={409: _NO_DIRECTORY},
        examples=examples.POLICIES,
    ),
)

_OPERATIONS = (
    Route(
        method="POST",
        path="/v1/receipts/{provider}",
        serve=post_receipt,
        summary="A provider's callback",
        tag="Operations",
        answers={204: None},
        refusals={
            400: "The callback is not one of this provider's.",
            403: "Its signature is missing or wrong.",
            404: "No provider of this name is in use.",
            413: "It is too large.",
            503: "It could not be stored: send it again.",
        },
    ),
    Route(
        method="POST",
        path="/v1/calls/{provider}",
        serve=post_call,
        summary="A provider's question during a call",
        tag="Operations",
        answers={200: str},
        media="text/xml",
        refusals={
            400: "The question is not one of this provider's.",
            403: "Its signature is missing or wrong.",
            404: "No provider of this name asks about calls.",
            413: "It is too large.",
        },
    ),
    Route(
        method="GET",
        path="/health/live",
        serve=get_live,
        summary="Whether the process answers",
        tag="Operations",
        answers={200: Status},
    ),
    Route(
        method="GET",
        path="/health/ready",
        serve=get_ready,
        summary="Whether it can do its work",
        tag="Operations",
        answers={200: Ready, 503: NotReady},
    ),
    Route(
        method="GET",
        path="/metrics",
        serve=get_metrics,
        summary="Figures for Prometheus",
        tag="Operations",
        answers={200: str},
        media="text/plain",
    ),
    Route(
        method="GET",
        path="/openapi.json",
        serve=openapi_handler(lambda: document(ROUTES)),
        summary="This document",
        tag="Operations",
        answers={200: dict},
    ),
    Route(
        method="GET",
        path="/docs",
        serve=get_docs,
        summary="This document as a page",
        tag="Operations",
        answers={200: str},
        media="text/html",
    ),
    Route(
        method="GET",
        path="/docs/assets/{name}",
        serve=get_asset,
        summary="The page's scripts and style sheets",
        tag="Operations",
        answers={200: None},
        documented=False,
    ),
)

ROUTES: tuple[Route, ...] = (
    *_NOTIFICATIONS,
    *_DIRECTORY,
    *_TEMPLATES,
    *_PEOPLE,
    *_RESTRICTIONS,
    *_POLICY,
    *attachment_routes,
    *MARK_ROUTES,
    *task_routes(_PAGE),
    *reply_routes(_PAGE),
    *script_routes(),
    *DUTY_ROUTES,
    *report_routes(_PAGE),
    *webhook_routes(_PAGE),
    *PRINT_ROUTES,
    *_OPERATIONS,
)
