"""What readers are called: in a greeting (R26), and in the window of an envelope."""

from babel import Locale

from gateway.content.values import joined_names
from gateway.directory.model import Contact, PostalAddress
from gateway.dispatch.readers import Reader


def greeted(reader: Reader, locale: Locale, stranger: str) -> str:
    """Name those who read, joined as the text's `locale` joins names; as `stranger` where no name may be told."""
    if reader.apart:
        return stranger
    if not reader.companions:
        return _name(reader.contact)
    return joined_names([_name(contact) for contact in (reader.contact, *reader.companions)], locale)


def window(reader: Reader, address: PostalAddress) -> tuple[str, ...]:
    """Write what shows in the envelope's window: who, where, and abroad the country's English name."""
    names = " & ".join(_full_name(contact) for contact in (reader.contact, *reader.companions))
    lines = [names, *address.lines]
    if address.postcode:
        lines.append(address.postcode)
    if address.country.upper() not in {"GB", "UK", ""}:
        lines.append(Locale("en").territories.get(address.country.upper(), address.country))
    return tuple(line for line in lines if line.strip())


def _name(contact: Contact) -> str:
    """Address a person the way schools do: title and family name, else the whole name."""
    if contact.title and contact.family_name:
        return f"{contact.title} {contact.family_name}"
    return " ".join(part for part in (contact.given_name, contact.family_name) if part) or contact.title


def _full_name(contact: Contact) -> str:
    return " ".join(part for part in (contact.title, contact.given_name, contact.family_name) if part)
