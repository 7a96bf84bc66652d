"""Requests that others have a browser, or the node itself, send to a node that is open: in dev mode on loopback.

Such a node takes keys that everybody knows, so that whoever can send it a request is its operator. Programs of this
machine are; what must not be are pages of other sites in its user's browser, and whoever has the node send requests:

| who sends it | how it is known |
| --- | --- |
| another site's page, by a script or a form | `Origin`, which browsers send with all but plain GETs |
| another site's page, by an image or a link | `Sec-Fetch-Site`, which they send to localhost |
| ... under a name of its own for this machine (DNS rebinding) | `Host` |
| ... by another address of this machine, where `Sec-Fetch-Site` is not sent | `Host`, and no header with a signature |
| a page that a function made, at its URL below `localhost` | `Origin` |
| a topic of this node, to its subscriber | `x-amz-sns-message-type` |
| the node, where a registry on this machine redirects it to | `User-Agent` |

What else the node asks for from a URL that a caller chose (issuers of tokens) has no query, which is where a signature
would have to be, and follows no redirect.

https://developer.mozilla.org/en-US/docs/Glossary/Fetch_metadata_request_header
"""

import ipaddress
from urllib.parse import urlsplit

from cloudlet.compute.images.registry_client import OWN_AGENT
from cloudlet.config import Config
from cloudlet.wire.http import HttpRequest

TOPIC_HEADER = "x-amz-sns-message-type"
_OTHERS_CANNOT_HAVE = (".amazonaws.com", ".amazonaws.com.cn", ".internal", ".local", ".test", ".localstack.cloud")
"""Names that whoever owns just any domain cannot point here. The last is one that tools of this ecosystem use for
loopback; like the others, it is good only for what no page can send."""


def obstacle(request: HttpRequest, config: Config) -> str:
    """Why an open node does not take `request`, in a sentence; empty when it does."""
    if has_foreign_origin(request, config) or is_embedded(request):
        return "A page of another site cannot call this node while it is in dev mode."
    if TOPIC_HEADER in request.headers:
        return "A topic's message cannot be a call of this node while it is in dev mode."
    is_signed_url = "X-Amz-Credential" in request.query_string
    if is_signed_url and request.headers.get("user-agent", "").startswith(OWN_AGENT):
        return "The node does not call itself."
    name = host_name(request.host)
    if is_own_host(name, config):
        return ""
    if not _is_private_name(name):
        return (
            f"The Host header names {name or 'nothing'}, which is not known to be this machine: use localhost, or put "
            "the name into the setting names (CLOUDLET_NAMES)."
        )
    if is_signed_url and "authorization" not in request.headers:
        return f"While the node is in dev mode, a URL with a signature in it has to name localhost, not {name}."
    return ""


def has_foreign_origin(request: HttpRequest, config: Config) -> bool:
    """True when a page of another site sent this: `Origin` is there and is not this machine's."""
    origin = request.headers.get("origin")
    if origin is None:
        return False
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        return True
    # Names below localhost are those of function URLs, whose pages are their functions' own.
    return name is None or name.endswith(".localhost") or not is_own_host(name, config)


def is_embedded(request: HttpRequest) -> bool:
    """True for what a browser fetches for a page of another site: an image, a frame, a link that was followed.

    Pages at function URLs are of the same site as all other names below `<region>.localhost`.
    """
    site = request.headers.get("sec-fetch-site")
    return site == "cross-site" or (site == "same-site" and host_name(request.host).endswith(".localhost"))


def is_own_host(name: str, config: Config) -> bool:
    """True for names that only this machine answers to: localhost, addresses, and the names that the node is given."""
    if name in ("localhost", config.host) or name.endswith(".localhost") or name in config.own_names:
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or not config.is_loopback)


def host_name(host: str) -> str:
    """The name in a Host header, in lower case and without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().removesuffix(".")


def _is_private_name(name: str) -> bool:
    """True for addresses, and for names that the domain name system has no owner for, or one whom we trust."""
    return _address(name) is not None or (name != "" and "." not in name) or name.endswith(_OTHERS_CANNOT_HAVE)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
