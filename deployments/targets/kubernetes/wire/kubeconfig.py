"""Reads a kubeconfig that a person pasted: inline data only.

A kubeconfig can name programs to run and files to read. Ours arrive over the web, so both would let whoever may
register a cluster run code, or read files, as the server. Hence an allow list of fields, never a block list.
"""

import base64
import binascii
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CLUSTER_FIELDS = frozenset(
    {
        "server",
        "certificate-authority-data",
        "insecure-skip-tls-verify",
        "tls-server-name",
        "proxy-url",
        "disable-compression",
        "extensions",
    }
)
USER_FIELDS = frozenset({"token", "client-certificate-data", "client-key-data", "extensions"})
FILE_FIELDS = frozenset({"certificate-authority", "client-certificate", "client-key", "tokenFile"})
PROGRAM_FIELDS = frozenset({"exec", "auth-provider"})


class InvalidKubeconfig(ValueError):
    """The kubeconfig can't be used. The text says why and what to do, and quotes no credential."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the current context of a kubeconfig says."""

    server: str
    ca_data: str = field(default="", repr=False)
    verify_tls: bool = True
    tls_server_name: str = ""
    proxy_url: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    client_certificate: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)


def inspect_kubeconfig(kubeconfig: Mapping[str, Any]) -> str:
    """The server URL of the current context. Raises InvalidKubeconfig."""
    return read_kubeconfig(kubeconfig).server


def read_kubeconfig(kubeconfig: Mapping[str, Any]) -> Credentials:
    """The credentials of the current context. Raises InvalidKubeconfig."""
    if not isinstance(kubeconfig, Mapping):
        raise InvalidKubeconfig("This is no kubeconfig: it must be a mapping with clusters, contexts and users.")
    context = _current_context(kubeconfig)
    cluster = _named(kubeconfig, "clusters", "cluster", context.get("cluster"))
    user = _named(kubeconfig, "users", "user", context.get("user")) if context.get("user") else {}
    _refuse_unsafe(cluster, CLUSTER_FIELDS, "cluster")
    _refuse_unsafe(user, USER_FIELDS, "user")
    certificate, key = _bytes(user, "client-certificate-data"), _bytes(user, "client-key-data")
    if bool(certificate) != bool(key):
        raise InvalidKubeconfig("client-certificate-data and client-key-data belong together: one of them is missing.")
    return Credentials(
        server=_server(cluster),
        ca_data=_ca_data(cluster),
        verify_tls=cluster.get("insecure-skip-tls-verify") is not True,
        tls_server_name=_text(cluster, "tls-server-name"),
        proxy_url=_url(_text(cluster, "proxy-url"), "proxy-url") if cluster.get("proxy-url") else "",
        token=_token(user),
        client_certificate=certificate,
        client_key=key,
    )


def _current_context(kubeconfig: Mapping[str, Any]) -> Mapping[str, Any]:
    name = kubeconfig.get("current-context")
    if not name:
        raise InvalidKubeconfig("The kubeconfig has no current-context. Set it with `kubectl config use-context`.")
    return _named(kubeconfig, "contexts", "context", name)


def _named(kubeconfig: Mapping[str, Any], section: str, key: str, name: object) -> Mapping[str, Any]:
    entries = kubeconfig.get(section)
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise InvalidKubeconfig(f"The kubeconfig has no list of {section}.")
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("name") == name:
            found = entry.get(key) or {}
            if isinstance(found, Mapping):
                return found
    raise InvalidKubeconfig(f"The current context needs an entry in {section} that the kubeconfig does not have.")


def _refuse_unsafe(entry: Mapping[str, Any], allowed: frozenset[str], what: str) -> None:
    for name in sorted(str(name) for name in entry):
        if name in PROGRAM_FIELDS:
            raise InvalidKubeconfig(
                f"The kubeconfig's {what} runs a program to log in (“{name}”), which is not allowed here. "
                "Use a service account's token or a client certificate instead."
            )
        if name in FILE_FIELDS:
            raise InvalidKubeconfig(
                f"The kubeconfig's {what} points to a file (“{name}”), which does not exist on this server. "
                "Put the data itself in: `kubectl config view --raw --flatten --minify`."
            )
        if name not in allowed:
            raise InvalidKubeconfig(f"The kubeconfig's {what} uses “{name[:60]}”, which is not supported here.")


def _server(cluster: Mapping[str, Any]) -> str:
    return _url(_text(cluster, "server"), "server").rstrip("/")


def _url(text: str, what: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidKubeconfig(f"The kubeconfig's {what} must be an http(s) URL, such as https://10.0.0.1:6443.")
    if what == "server" and (parts.username or parts.password or parts.query or parts.fragment):
        raise InvalidKubeconfig("The kubeconfig's server must be a plain URL, without user name, query or fragment.")
    return text


def _ca_data(cluster: Mapping[str, Any]) -> str:
    pem = _bytes(cluster, "certificate-authority-data").decode("ascii", "replace")
    if pem:
        try:
            ssl.create_default_context(cadata=pem)
        except (ssl.SSLError, ValueError):
            raise InvalidKubeconfig("certificate-authority-data holds no readable PEM certificate.") from None
    return pem


def _token(user: Mapping[str, Any]) -> str:
    token = _text(user, "token").strip()
    if not token.isascii() or any(character.isspace() for character in token):
        raise InvalidKubeconfig("The kubeconfig's token has characters that no token has. Copy it again.")
    return token


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name) or ""
    if not isinstance(value, str):
        raise InvalidKubeconfig(f"The kubeconfig's {name} must be text.")
    return value


def _bytes(entry: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode("".join(_text(entry, name).split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKubeconfig(f"The kubeconfig's {name} is not base64.") from None
