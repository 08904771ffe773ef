"""Validates access tokens with joserfc, one per line of the input."""

import json
import os
import sys
import time
import urllib.request

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]

# Only asymmetric algorithms that your issuer uses. Never take them from the token.
ALGORITHMS = ["ES256", "EdDSA", "RS256"]

# Required claims. Without this list, a token without exp would never expire.
CLAIMS = jwt.JWTClaimsRegistry(
    leeway=10,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    iat={"essential": True},
    sub={"essential": True},
    jti={"essential": True},
    client_id={"essential": True},
)


class Keys:
    """The issuer's keys: joserfc does not fetch keys itself."""

    MAX_AGE = 300
    COOLDOWN = 30  # limits fetches for unknown keys, in seconds

    def __init__(self) -> None:
        self.fetched, self.keys = -self.MAX_AGE, None

    def get(self, at_most: float) -> KeySet:
        now = time.monotonic()
        if self.keys is None or now - self.fetched > at_most:
            with urllib.request.urlopen(f"{ISSUER}/.well-known/jwks.json", timeout=5) as answer:
                self.keys = KeySet.import_key_set(json.load(answer))
            self.fetched = now
        return self.keys


KEYS = Keys()


def verify(token: str) -> dict:
    """Returns the claims of an access token for this API; raises JoseError or ValueError for any other token."""
    try:
        decoded = jwt.decode(token, KEYS.get(Keys.MAX_AGE), algorithms=ALGORITHMS)
    except InvalidKeyIdError:
        # An unknown key: the issuer may have rotated its keys.
        decoded = jwt.decode(token, KEYS.get(Keys.COOLDOWN), algorithms=ALGORITHMS)
    # RFC 9068: rejects an ID token of the same issuer, which passes all other checks.
    kind = decoded.header.get("typ", "").lower().removeprefix("application/")
    if kind != "at+jwt":
        raise ValueError("typ is not at+jwt")
    CLAIMS.validate(decoded.claims)
    return decoded.claims


for line in sys.stdin:
    try:
        print("accepted", verify(line.strip())["sub"])
    except (JoseError, ValueError) as error:
        # For your log only. Answer the client with "invalid_token" and nothing more.
        print("refused", type(error).__name__, error)
