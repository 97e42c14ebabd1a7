"""What the address of a callback says: we gave it to the provider, with the delivery in it."""

from yarl import URL


def delivery_named(url: str) -> str | None:
    """Give the id of the delivery in the query of a callback's URL; None when there is none."""
    return URL(url, encoded=True).query.get("delivery") or None
