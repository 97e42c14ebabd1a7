"""The calls about notifications, for the table of all calls."""

from typing import Annotated

import msgspec

from gateway.access import Scope
from gateway.api import examples
from gateway.api.answers import Accepted, Cancelled, Decisions, Deliveries, Forecast, Progress
from gateway.api.audience import AudienceQuestion, post_audience
from gateway.api.consents import ConsentAnswers, StudentAnswers, get_answers, post_answer
from gateway.api.delivery_events import DELIVERY_EVENT_ROUTES
from gateway.api.notifications import (
    Confirmation,
    cancel_notification,
    get_decisions,
    get_deliveries,
    get_notification,
    post_notification,
    release_notification,
)
from gateway.api.route import NO_DIRECTORY, PAGE, Parameter, Route
from gateway.dispatch.consent_answers import NewAnswer
from gateway.dispatch.releasing import Released
from gateway.dispatch.requests import NotificationRequest

_IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    detail="1 to 255 characters. The same key with the same body gets the first answer again; nothing is sent twice.",
    type=Annotated[str, msgspec.Meta(min_length=1, max_length=255)],
)
_NOTHING = {404: "There is no notification with this id."}
_NO_QUESTION = "The notification does not ask for consent."

NOTIFICATION_ROUTES = (
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
        refusals={409: f"{NO_DIRECTORY[:-1]}, or the key is in use at this moment."},
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
        parameters=PAGE,
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
        parameters=PAGE,
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
        parameters=PAGE,
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
        refusals={409: NO_DIRECTORY},
        examples=examples.AUDIENCES,
    ),
)
