"""The TLS settings of httpx."""

from __future__ import annotations

import os
import ssl
from typing import Tuple, Union

import httpx

Verify = Union[bool, str, "os.PathLike[str]", ssl.SSLContext]
_File = Union[str, "os.PathLike[str]"]
Cert = Union[_File, Tuple[_File, _File], Tuple[_File, _File, str]]


def tls_settings(verify: Verify, cert: Cert | None) -> bool | ssl.SSLContext:
    """httpx's `verify`: a flag, or a context that has the certificates loaded.

    :raises OSError: if a file cannot be read or holds no certificate
    """
    if isinstance(verify, bool):
        if cert is None:
            return verify
        context = httpx.create_ssl_context(verify=verify)
    elif isinstance(verify, ssl.SSLContext):
        context = verify
    elif os.path.isdir(verify):
        context = ssl.create_default_context(capath=verify)
    else:
        context = ssl.create_default_context(cafile=verify)
    if cert is not None:
        if not isinstance(cert, tuple):
            context.load_cert_chain(cert)
        elif len(cert) == 2:
            context.load_cert_chain(cert[0], cert[1])
        else:
            context.load_cert_chain(cert[0], cert[1], cert[2])
    return context
