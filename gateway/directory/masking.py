"""Addresses as screens, records and answers show them: enough to recognise one's own, too little to use (R36)."""

from gateway.directory.model import ChannelName, ContactPoint, PostalAddress

_HIDDEN = "•••"


def masked(point: ContactPoint) -> str:
    """Mask an address; a confidential one shows nothing at all."""
    if point.confidential:
        return "confidential"
    if isinstance(point.address, PostalAddress):
        outward = point.address.postcode.split(" ")[0] if " " in point.address.postcode else ""
        return f"{_HIDDEN} {outward or point.address.country}"
    if point.channel is ChannelName.EMAIL:
        name, _, host = point.address.strip().rpartition("@")
        return f"{name[:1]}{_HIDDEN}@{host}"
    digits = point.address.replace(" ", "")
    return f"{_HIDDEN} {digits[-3:]}" if len(digits) > 6 else _HIDDEN
