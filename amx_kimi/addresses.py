"""Which hosts a key may travel to in plain text: this machine and its private network."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = ["is_private_host", "public_address"]


def is_private_host(host: str) -> bool:
    """Whether a URL's host is a loopback or private address, `localhost`, or a bare name of the
    local network, such as a container's; what that means is for `public_address` to say."""
    if "." not in host.removesuffix(".localhost") and ":" not in host:
        # A bare number is an address in disguise: 134744072 is 8.8.8.8.
        return not host[0].isdigit()
    try:
        return _is_private(ip_address(host))
    except ValueError:
        return False


def public_address(host: str) -> str | None:
    """The public address that a bare name means here, if it means one; looks it up."""
    if "." in host or ":" in host or host == "localhost":
        return None
    with suppress(OSError, UnicodeError):
        for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            text = str(address[0]).partition("%")[0]
            if not _is_private(ip_address(text)):
                return text
    return None


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    # Python before 3.13 calls ::ffff:8.8.8.8 private.
    plain = getattr(address, "ipv4_mapped", None) or address
    return bool(plain.is_private or plain.is_loopback)
