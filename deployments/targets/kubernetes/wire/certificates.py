"""The TLS context for clusters that know us by a client certificate."""

import ssl
import tempfile
from pathlib import Path

import urllib3.util

from deployments.targets.kubernetes.wire.kubeconfig import Credentials, InvalidKubeconfig


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """With the client's certificate and key in it. Raises InvalidKubeconfig when they do not fit together."""
    context = urllib3.util.create_urllib3_context()
    if credentials.verify_tls and not credentials.ca_data:
        context.load_default_certs()
    # OpenSSL reads keys from files only: the file lives for this one call, in a directory that only we can read.
    with tempfile.TemporaryDirectory(prefix="releasemgr-") as directory:
        path = Path(directory) / "client.pem"
        path.touch(mode=0o600)
        path.write_bytes(credentials.client_certificate + b"\n" + credentials.client_key)
        try:
            context.load_cert_chain(path)
        except OSError:
            raise InvalidKubeconfig("The kubeconfig's client certificate and key do not fit together.") from None
    return context
