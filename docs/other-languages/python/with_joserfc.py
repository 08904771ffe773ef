"""Access tokens with joserfc: each line of the input is a token to be judged."""

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

# Asymmetric ones only, and those that your issuer uses. Never what the token says.
ALGORITHMS = ["ES256", "EdDSA", "RS256"]

# What must be there. Without this, a token without exp would be good for ever.
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
    """The issuer's keys: joserfc fetches none by itself."""

    MAX_AGE = 300
    COOLDOWN = 30  # however many unknown keys somebody makes up

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
    """The claims of an access token for this API; raises JoseError or ValueError for anything else."""
    try:
        decoded = jwt.decode(token, KEYS.get(Keys.MAX_AGE), algorithms=ALGORITHMS)
    except InvalidKeyIdError:
        # A key that was not there yet: the issuer has rotated.
        decoded = jwt.decode(token, KEYS.get(Keys.COOLDOWN), algorithms=ALGORITHMS)
    # RFC 9068: an ID token of the same issuer is not an access token, though all else holds.
    kind = decoded.header.get("typ", "").lower().removeprefix("application/")
    if kind != "at+jwt":
        raise ValueError("typ is not at+jwt")
    CLAIMS.validate(decoded.claims)
    return decoded.claims


for line in sys.stdin:
    try:
        print("accepted", verify(line.strip())["sub"])
    except (JoseError, ValueError) as error:
        # For your log. A client is told "invalid_token", and nothing more.
        print("refused", type(error).__name__, error)
