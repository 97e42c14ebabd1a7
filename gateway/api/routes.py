"""Every call of the API in one table: the server mounts it, the keys are checked by it, the documentation shows it."""

from gateway.api.answers import Status
from gateway.api.attachments import ATTACHMENT_ROUTES
from gateway.api.callbacks import post_receipt
from gateway.api.calls import post_call
from gateway.api.directory import DIRECTORY_ROUTES
from gateway.api.docs import get_asset, get_docs, openapi_handler
from gateway.api.duty import DUTY_ROUTES
from gateway.api.health import NotReady, Ready, get_live, get_metrics, get_ready
from gateway.api.marks import MARK_ROUTES
from gateway.api.notification_routes import NOTIFICATION_ROUTES
from gateway.api.openapi import document
from gateway.api.people import CHRONOLOGY_ROUTES
from gateway.api.policy import POLICY_ROUTES
from gateway.api.print_runs import PRINT_ROUTES
from gateway.api.replies import REPLY_ROUTES
from gateway.api.report_routes import REPORT_ROUTES
from gateway.api.restriction_routes import RESTRICTION_ROUTES
from gateway.api.route import Route
from gateway.api.scripts import SCRIPT_ROUTES
from gateway.api.tasks import TASK_ROUTES
from gateway.api.templates import TEMPLATE_ROUTES
from gateway.api.webhooks import WEBHOOK_ROUTES

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
    *NOTIFICATION_ROUTES,
    *DIRECTORY_ROUTES,
    *TEMPLATE_ROUTES,
    *CHRONOLOGY_ROUTES,
    *RESTRICTION_ROUTES,
    *POLICY_ROUTES,
    *ATTACHMENT_ROUTES,
    *MARK_ROUTES,
    *TASK_ROUTES,
    *REPLY_ROUTES,
    *SCRIPT_ROUTES,
    *DUTY_ROUTES,
    *REPORT_ROUTES,
    *WEBHOOK_ROUTES,
    *PRINT_ROUTES,
    *_OPERATIONS,
)
