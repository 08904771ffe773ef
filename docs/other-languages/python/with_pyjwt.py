"""Access tokens with PyJWT: each line of the input is a token to be judged."""

import os
import sys

import jwt

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]

# Asymmetric ones only, and those that your issuer uses. Never what the token says.
ALGORITHMS = ["ES256", "EdDSA", "RS256"]

# Once for the whole process: it caches the keys, and asks again when it meets an unknown one.
KEYS = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=300, timeout=5)


def verify(token: str) -> dict:
    """The claims of an access token for this API; raises jwt.PyJWTError for anything else."""
    decoded = jwt.decode_complete(
        token,
        KEYS.get_signing_key_from_jwt(token),
        algorithms=ALGORITHMS,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=10,
        # What must be there. Without this, a token without exp would be good for ever.
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]},
    )
    # RFC 9068: an ID token of the same issuer is not an access token, though all of the above holds.
    kind = decoded["header"].get("typ", "").lower().removeprefix("application/")
    if kind != "at+jwt":
        raise jwt.InvalidTokenError("typ is not at+jwt")
    return decoded["payload"]


for line in sys.stdin:
    try:
        print("accepted", verify(line.strip())["sub"])
    except jwt.PyJWTError as error:
        # For your log. A client is told "invalid_token", and nothing more.
        print("refused", type(error).__name__, error)
