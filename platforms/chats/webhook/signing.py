"""Signatures as the Standard Webhooks specification has them (standardwebhooks.com, version 1.0). Pure.

What is signed is `ID.TIMESTAMP.BODY`; the signature is `v1,` and the base64 of its HMAC-SHA256. A secret that begins
with `whsec_` is base64, any other is taken as it is.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

PREFIX = "whsec_"

TOLERANCE_S = 300
"""How far a request's time may be from ours."""

ID_FORM = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class BadSignatureError(Exception):
    """A request that nobody signed who knows the secret, or long ago. The message says which, and nothing of ours."""


def sign(secret: str, request_id: str, at: float, body: bytes) -> dict[str, str]:
    """Make the headers of a request.

    >>> headers = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.0,
    ...     b'{"test": 2432232314}')
    >>> headers["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    stamp = str(int(at))
    return {ID: request_id, TIMESTAMP: stamp, SIGNATURE: "v1," + _mac(secret, request_id, stamp, body)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Return the id of a request that is signed; in a time that tells nothing. Raises BadSignatureError."""
    request_id, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if ID_FORM.fullmatch(request_id) is None:
        raise BadSignatureError(f"{ID}: 1 to 64 of the characters A-Z a-z 0-9 . _ : - (a UUID fits)")
    if not stamp.isascii() or not stamp.isdigit() or abs(int(stamp[:20]) - now) > TOLERANCE_S:
        raise BadSignatureError(f"{TIMESTAMP}: seconds since 1970 in UTC, no more than {TOLERANCE_S} s from now")
    if not key_of(secret):
        raise BadSignatureError("our secret holds no key: nothing that is signed with it is anybody's")
    wanted = _mac(secret, request_id, stamp, body).encode()
    given = [each.partition(",") for each in headers.get(SIGNATURE, "").split()]
    fits = [hmac.compare_digest(mac.encode(), wanted) for version, _, mac in given if version == "v1"]
    if not any(fits):
        raise BadSignatureError(f"{SIGNATURE}: is none of {ID}, {TIMESTAMP} and the body with our secret")
    return request_id


def _mac(secret: str, request_id: str, stamp: str, body: bytes) -> str:
    signed = f"{request_id}.{stamp}.".encode() + body
    return base64.b64encode(hmac.new(key_of(secret), signed, sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """Read the key out of a secret; where nothing stands behind the prefix there is none.

    >>> key_of("whsec_c2VzYW1l"), key_of("whsec_"), key_of("open sesame")
    (b'sesame', b'', b'open sesame')
    """
    try:
        if secret.startswith(PREFIX):
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # It is no base64.
        pass
    return secret.encode()
