"""Webhooks: a school's own systems are told of events, signed after Standard Webhooks 1.0.0."""
