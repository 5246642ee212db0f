"""Which hosts a key may travel to in plain text: this machine and its private network."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote

__all__ = ["is_private_host", "is_this_machine", "public_address"]

# RFC 1918, loopback, link-local, unique local: `is_private` has documentation and Teredo in it too.
_PRIVATE = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("100.64.0.0/10", "0.0.0.0/32", "::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


_LOOPBACK, _V6 = 127, 6
_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


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


def is_this_machine(host: str) -> bool:
    """Whether a URL's host is loopback, in whatever spelling: `localhost`, `app.localhost`,
    127.0.0.2, 127.1, `::ffff:127.0.0.1`."""
    name = unquote(host).strip("[]").rstrip(".").lower()
    if name in _NAMES or name.endswith(".localhost") or name == socket.gethostname().lower():
        return True
    with suppress(ValueError):
        address = ip_address(name.partition("%")[0])
        if address.version == _V6 and not int.from_bytes(address.packed[:10], "big"):
            address = ip_address(address.packed[-4:]) if int(address) > 1 else address
        return bool(address.is_loopback or address.is_unspecified)
    with suppress(OSError):
        return socket.inet_aton(name)[0] in (0, _LOOPBACK)
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
    return any(plain in network for network in _PRIVATE if network.version == plain.version)
