"""The calls that give reports, for the table of all calls."""

from typing import Literal

from gateway.access import Scope
from gateway.api.answers import Instant
from gateway.api.reports import (
    AddedTasks,
    DataQuality,
    Parity,
    UnreachablePage,
    get_contact_map,
    get_data_quality,
    get_notification_parity,
    get_parity,
    get_unreachable,
    post_data_quality_tasks,
)
from gateway.api.route import PAGE, Parameter, Route
from gateway.directory.quality import FindingKind
from gateway.rules.contact_map import ContactMap

_TAG = "Reports"
_NO_DIRECTORY = {409: "There is no directory yet, or the rules refuse it as it stands today."}
_FORMAT = Parameter(
    name="format",
    place="query",
    detail="`csv` gives the whole report as a CSV file, as does the header `Accept: text/csv`.",
    type=Literal["json", "csv"],
    default="json",
)
_EXPLAINED = Parameter(
    name="explained",
    place="query",
    detail="Only what law and the parents' own records explain, or only what they do not.",
    type=bool,
)
_AT = Parameter(name="at", place="query", detail="As of which instant; now unless given.", type=Instant)
_KIND = Parameter(name="kind", place="query", detail="Only findings of this kind.", type=FindingKind)


REPORT_ROUTES = (
    Route(
        method="GET",
        path="/v1/reports/parity",
        serve=get_parity,
        summary="Where parents would be treated differently",
        tag=_TAG,
        scopes=(Scope.READ,),
        parameters=(
            Parameter(name="student", place="query", detail="Only this student's parents."),
            _EXPLAINED,
            _AT,
            *PAGE,
            _FORMAT,
        ),
        answers={200: Parity},
        refusals=_NO_DIRECTORY,
    ),
    Route(
        method="GET",
        path="/v1/notifications/{id}/parity",
        serve=get_notification_parity,
        summary="Where parents fared differently",
        tag=_TAG,
        scopes=(Scope.READ,),
        parameters=(_EXPLAINED, *PAGE, _FORMAT),
        answers={200: Parity},
        refusals={404: "There is no notification with this id.", **_NO_DIRECTORY},
    ),
    Route(
        method="GET",
        path="/v1/students/{id}/contact-map",
        serve=get_contact_map,
        summary="Who is told about a student",
        tag=_TAG,
        scopes=(Scope.READ,),
        parameters=(_AT, _FORMAT),
        answers={200: ContactMap},
        refusals={404: "There is no student with this id.", **_NO_DIRECTORY},
    ),
    Route(
        method="GET",
        path="/v1/reports/unreachable",
        serve=get_unreachable,
        summary="Who is not reached",
        tag=_TAG,
        scopes=(Scope.READ,),
        parameters=(
            Parameter(name="notification", place="query", detail="Whom this notification did not reach in fact."),
            *PAGE,
            _FORMAT,
        ),
        answers={200: UnreachablePage},
        refusals={404: "There is no notification with this id.", **_NO_DIRECTORY},
    ),
    Route(
        method="GET",
        path="/v1/reports/data-quality",
        serve=get_data_quality,
        summary="What the records lack",
        tag=_TAG,
        scopes=(Scope.READ,),
        parameters=(_KIND, *PAGE, _FORMAT),
        answers={200: DataQuality},
        refusals=_NO_DIRECTORY,
    ),
    Route(
        method="POST",
        path="/v1/reports/data-quality/tasks",
        serve=post_data_quality_tasks,
        summary="Put what the records lack on the task list",
        tag=_TAG,
        scopes=(Scope.ADMIN,),
        parameters=(_KIND,),
        answers={200: AddedTasks},
        refusals=_NO_DIRECTORY,
    ),
)
