"""Logs in, again after each test case that ended the session; puts the right password, token or code
into every other case that needs one; and adds hostile headers."""

import atexit
import base64
import collections
import hashlib
import hmac
import itertools
import json
import os
import struct
import time

import requests
import schemathesis

ISSUER = os.environ["ISSUER"]
PASSWORD = os.environ["PASSWORD"]
CLIENT = f"fuzz:{os.environ['CLIENT_SECRET']}"

# Headers that must not change a verdict.
HOSTILE = [
    {},
    # One address for all, whose attempts are soon limited. Where there is none, each has its own.
    {"X-Forwarded-For": "192.0.2.1"},
    # Unusable: the address of the connection counts.
    {"User-Agent": "a" * 3000, "X-Forwarded-For": ", ,, 999.1.1.1"},
    {"Accept": "x/y;q=-1", "X-Real-IP": "::ffff:0:0%eth0, " * 400},
    {"User-Agent": "\xff\xfe", "Traceparent": "00-" + "f" * 200, "Tracestate": "=,=,="},
    {"If-None-Match": '"', "Range": "bytes=9-1", "Expect": "nothing"},
    {"Cookie": "; =; a; __Secure-portcullis-refresh; __Host-portcullis-access=; \t=1"},
    {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;proto=gopher"},
]

RIGHT_FORMS = {
    "/oauth/token": lambda: {"grant_type": "client_credentials", "scope": "orders:read"},
    "/oauth/introspect": lambda: {"token": session["access_token"]},
    "/oauth/revoke": lambda: {"token": session["refresh_token"]},
}

seen = set()
session = {}
second_factor = {}
# Each operation gets all of them in turn.
headers = collections.defaultdict(lambda: itertools.cycle(HOSTILE))
turns = collections.defaultdict(lambda: itertools.cycle([True, False]))


numbers = itertools.count()


def address():
    """A client of its own, as the proxy in front of the issuer writes it after what a client sent."""
    number = next(numbers)
    return f"unknown, [2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1]:4711"


def login():
    # For the issuer alone: second factors and the audit log reject other tokens.
    alice = {"username": "alice", "password": PASSWORD, "resource": [ISSUER]}
    headers = {"X-Forwarded-For": address()}
    answer = requests.post(f"{ISSUER}/v1/auth/login", json=alice, headers=headers, timeout=20)
    answer.raise_for_status()
    session.update(answer.json())
    claims = session["access_token"].split(".")[1]
    session["sub"] = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]


def code():
    """RFC 6238. No code is good twice, so the one before and the one after are used too."""
    step = max(int(time.time()) // 30 - 1, second_factor.get("step", 0) + 1)
    second_factor["step"] = step
    mac = hmac.digest(second_factor["key"], struct.pack(">Q", step), hashlib.sha1)
    (number,) = struct.unpack_from(">I", mac, mac[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def is_answer(passkey):
    """Whether a passkey is absent or one by the schema: one that is not must stay in its case."""
    if not isinstance(passkey, dict):
        return passkey is None
    ceremony, credential = passkey.get("ceremony"), passkey.get("credential")
    return isinstance(ceremony, str) and isinstance(credential, dict)


@schemathesis.auth(refresh_interval=None)
class Session:
    def get(self, case, context):
        if not session:
            login()
        return session["access_token"]

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    for name, value in next(headers[case.path]).items():
        case.headers.setdefault(name, value)
    right = next(turns[case.path])
    # Wrong logins are of one address, so that there are too many of them.
    if case.path == "/v1/auth/login" and not right:
        case.headers["X-Forwarded-For"] = "192.0.2.1"
    case.headers.setdefault("X-Forwarded-For", address())
    # An administrator who removes or disables herself ends the run.
    if case.path.startswith("/v1/admin/") and case.path_parameters.get("id") == session.get("sub"):
        case.path_parameters["id"] = "0" * 32
    body = case.body
    # Others are refused before the password is looked at.
    if case.path == "/v1/auth/login" and isinstance(body, dict) and body.get("resource"):
        if isinstance(body["resource"], list):
            body["resource"] = [ISSUER]
    if not isinstance(body, dict) or not right:
        return
    # An answer of a passkey needs an authenticator. Beside one, a code is refused.
    if is_answer(body.get("passkey")):
        body.pop("passkey", None)
    if case.path == "/v1/auth/step-up" and not body:
        body["code"] = ""
    if case.path == "/v1/auth/register":
        # Of those that schemathesis makes up, nearly all are among the common ones.
        if isinstance(body.get("password"), str):
            body["password"] = PASSWORD
        return
    if "resource" in body:
        body["resource"] = [ISSUER]
    if isinstance(body.get("password"), str):
        body["password"] = PASSWORD
        if isinstance(body.get("username"), str):
            body["username"] = "alice"
    if case.path == "/v1/auth/refresh" and isinstance(body.get("refresh_token", ""), str):
        login()
        body["refresh_token"] = session["refresh_token"]
    # A case without a caller tests exactly that, and stays as it is.
    if case.path in RIGHT_FORMS and "Authorization" in case.headers:
        basic = base64.b64encode(CLIENT.encode()).decode()
        case.headers["Authorization"] = f"Basic {basic}"
        login()
        body.clear()
        body.update(RIGHT_FORMS[case.path]())
    if isinstance(body.get("code"), str) and "key" in second_factor:
        body["code"] = code()


@schemathesis.hook
def after_call(context, case, response):
    seen.add(f"{case.method} {case.path} {response.status_code}")
    if response.status_code == 201 and case.path == "/v1/auth/totp":
        second_factor["key"] = base64.b32decode(response.json()["secret"])
    if response.status_code == 200 and case.path == "/v1/auth/step-up":
        session["access_token"] = response.json()["access_token"]
    # The request may have ended the session, or removed the second factor.
    elif response.status_code in (204, 401):
        session.clear()


@atexit.register
def tell():
    """Prints the responses that were seen, to show what the run covered."""
    for answer in sorted(seen):
        print("answered", answer)
