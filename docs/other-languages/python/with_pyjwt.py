"""Validates access tokens with PyJWT, one per line of the input."""

import os
import sys

import jwt

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]

# Only asymmetric algorithms that your issuer uses. Never take them from the token.
ALGORITHMS = ["ES256", "EdDSA", "RS256"]

# One per process: it caches the keys, and fetches again for an unknown `kid`.
KEYS = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=300, timeout=5)


def verify(token: str) -> dict:
    """Returns the claims of an access token for this API; raises jwt.PyJWTError for any other token."""
    decoded = jwt.decode_complete(
        token,
        KEYS.get_signing_key_from_jwt(token),
        algorithms=ALGORITHMS,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=10,
        # Required claims. Without this list, a token without exp would never expire.
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]},
    )
    # RFC 9068: rejects an ID token of the same issuer, which passes all checks above.
    kind = decoded["header"].get("typ", "").lower().removeprefix("application/")
    if kind != "at+jwt":
        raise jwt.InvalidTokenError("typ is not at+jwt")
    return decoded["payload"]


for line in sys.stdin:
    try:
        print("accepted", verify(line.strip())["sub"])
    except jwt.PyJWTError as error:
        # For your log only. Answer the client with "invalid_token" and nothing more.
        print("refused", type(error).__name__, error)
