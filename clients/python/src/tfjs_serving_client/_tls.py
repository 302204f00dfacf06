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


# What OpenSSL says, in any of its spellings, and what to do about it.
_ADVICE = (
    ("CERTIFICATE_VERIFY_FAILED", "pass the file of the authority that signed the server's certificate as verify"),
    ("CERTIFICATE_REQUIRED", "the server asks for a certificate of ours: pass its file and its key as cert"),
    ("UNKNOWN_CA", "the server does not know the authority of our certificate: pass another one as cert"),
    ("WRONG_VERSION_NUMBER", "the server speaks no TLS here: write http:// in the address"),
    ("RECORD_LAYER_FAILURE", "the server speaks no TLS here: write http:// in the address"),
)


def tls_advice(said: str) -> str:
    """What to do about an error of TLS, after a semicolon; empty for any other error."""
    said = said.upper().replace(" ", "_")
    return next((f"; {advice}" for part, advice in _ADVICE if part in said), "")
