"""Which hosts a model may make greenroom talk to: those of the world, not those of the house it runs in. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

EMBEDDING = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))
"""Addresses that hold an older one, to which a gateway may lead."""


def read_address(text: str) -> Address:
    """Read an address; one that is an older one in a newer dress is that older one. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def is_public(address: Address) -> bool:
    """Whether it is one of the world: no loopback, no private network, no link, no metadata service of a cloud.

    >>> [is_public(read_address(each)) for each in ("93.184.215.14", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False]
    """
    if address.version == IPv6Address("::").version and any(address in network for network in EMBEDDING):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
