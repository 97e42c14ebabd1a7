"""Where contact points lead: told from the address, whatever ids the directory gives its points."""

import hashlib

from gateway.directory.addresses import address_key, country_of
from gateway.directory.model import ChannelName, ContactPoint, School


def key_of(school: School, point: ContactPoint) -> str:
    """Give the point's normalised address, by which people who share it are found."""
    return address_key(point.channel, point.address, country_of(school.jurisdiction))


def place_of(school: School, point: ContactPoint) -> str:
    """Give a fingerprint of channel and address, to tell later whether a point still leads to the same place."""
    return place_at(point.channel, key_of(school, point))


def place_at(channel: ChannelName, key: str) -> str:
    """Give the fingerprint of a channel and a normalised address."""
    return hashlib.sha256(f"{channel} {key}".encode()).hexdigest()
