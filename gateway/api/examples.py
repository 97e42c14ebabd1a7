"""Bodies to begin with, shown in the documentation; each one is accepted as it stands by a school that has its ids."""

from typing import Any

FREE_TEXT: dict[str, Any] = {
    "category": "routine",
    "purpose": "information",
    "audience": {"groups": ["year-3"]},
    "content": {
        "language": "en",
        "subject": "Sports day on ((day))",
        "body": "Dear ((contact_name)),\n\n((student_names)) will need a hat and water on ((day)).\n\n((school_name))",
    },
    "values": {"day": "2026-06-15"},
}

BY_TEMPLATE: dict[str, Any] = {
    "category": "attendance",
    "purpose": "attendance",
    "audience": {"students": ["S1", "S2"]},
    "template": "absence",
    "student_values": {"S1": {"absence_date": "2026-06-15"}, "S2": {"absence_date": "2026-06-16"}},
    "reference": "register-2026-06-16",
}

ALERT: dict[str, Any] = {
    "category": "emergency",
    "purpose": "safety",
    "audience": {"everyone": True},
    "content": {
        "language": "en",
        "subject": "The school is closed today",
        "body": "The heating has failed. Please keep your children at home today.",
    },
}

NOTIFICATIONS = {
    "Free text to a group": FREE_TEXT,
    "A template with a value for each student": BY_TEMPLATE,
    "An alert to everyone": ALERT,
}

TEMPLATE: dict[str, Any] = {
    "categories": ["routine"],
    "sources": {
        "en": {
            "language": "en",
            "subject": "A trip to ((place))",
            "body": "Dear ((contact_name)),\n\nwe go to ((place)) on ((day)).\n\n((school_name))",
            "short": "((school_name)): a trip to ((place)) on ((day)).",
        },
        "pl": {
            "language": "pl",
            "subject": "Wycieczka: ((place))",
            "body": "((contact_name)),\n\nWycieczka: ((place)), ((day)).\n\n((school_name))",
        },
    },
}

AUDIENCES = {
    "One group": {"category": "newsletter", "groups": ["year-3"]},
    "What an alert would cost": {
        "category": "emergency",
        "everyone": True,
        "text": "Oak School is closed today. Please collect your children from gate B.",
    },
}

TEMPLATES = {"A trip, in two languages": TEMPLATE}

RESTRICTIONS = {
    "A court order against one parent": {
        "student": "S1",
        "contact": "C1",
        "effect": "deny",
        "basis": "court_order",
        "from": "2026-06-15",
        "until": "2027-06-15",
        "evidence": "Safe 2, order of 12 June 2026, page 3",
    }
}

OBJECTIONS = {
    "A mother telephones": {"student": "S1", "contact": "C1", "by": "C1", "note": "Asks that he is told nothing."}
}

POLICIES = {
    "Earlier quiet hours, and no text messages about meetings": {
        "quiet_hours": ["20:00", "07:30"],
        "categories": {"meeting": {"channels": ["email", "letter"]}, "attendance": {"ladder_minutes": 10}},
    }
}

CONSENT_ANSWERS = {
    "A father telephones": {
        "student": "S1",
        "contact": "C1",
        "answer": "yes",
        "origin": "phone",
        "note": "Line 2, 9:40.",
    }
}
