"""Gets generated calls past the door: the first tenant's keys, and values that name something which is there and alive.

A text is replaced by a text alone, and only keys in a call that was made to be wrong, so that it stays wrong.
"""

import itertools
import json
import os
from datetime import datetime, timezone
from decimal import Decimal
from urllib.parse import quote

import schemathesis
from schemathesis.transport.serialization import Binary

import living

# Each has its keys, and its users' pairs by what they are for.
with open(os.environ["TESSERA_IDENTITIES"], encoding="utf-8") as file:
    TENANTS = json.load(file)
FIRST = TENANTS[0]
for tenant in TENANTS:
    tenant["product"] = living.product(tenant)
KEYS = {name: FIRST[name] for name in ("client_id", "client_secret", "client_app_key")}
PAYMENTS = {kind: living.payment_id(FIRST, FIRST[kind]) for kind in ("payment", "cancelled")}

# A code of three letters may be no currency, and one of two no country: neither can a schema say.
NAMES = {
    "skill": "xyz_ro_aisp_sbx_#1.0",
    "account_id": living.account_id(FIRST, FIRST["accounts"]),
    "currency": "RON",
    "country": "ro",
}
# What ends a consent or a payment ends one kept for that: all the rest meets a living one, whatever the order.
ENDS = {
    "POST /v1/consents/delete": "ended",
    "DELETE /v1/consents/{credentials_id}": "ended",
    "POST /v1/payments/cancel": "cancelled",
    "DELETE /v1/payments/{id}": "cancelled",
}
# In minutes.
DAY = 1440
# The bounds of a filter, from the lowest to the highest that it may be.
BOUNDS = ("gt", "gte", "eq", "lte", "lt")
# One Idempotency-Key a call: a repeated one belongs to the call before.
CALLS = itertools.count()
PAIR_HEADERS = {"X-Credentials-Id": "credentials_id", "X-Access-Token": "access_token"}

TAKING_FILES = living.taking_files(FIRST)


def fill(values, known):
    for name, value in known.items():
        if isinstance(values, dict) and isinstance(values.get(name), str):
            values[name] = value


def make_file(body):
    """Makes a form's file one that is taken: as a text, since a form with bytes in it counts as wrong once it is changed."""
    if not isinstance(body, dict) or not isinstance(body.get("file"), str):
        return
    # It is the last part of the form; the properties of a schema have no order.
    file = body.pop("file")
    text = file.data.decode("latin-1") if isinstance(file, Binary) else file
    body["file"] = living.PDF.decode() + text


def shorten(values):
    """How long data may outlive a consent is up to the tenant's own terms, which take a day."""
    minutes = values.get("pcd_data_retention")
    if minutes is not None and int(minutes) > DAY:
        values["pcd_data_retention"] = DAY


def complete(values, pair):
    """Adds the other half of a pair: the document says that they come together, in words that generators do not read."""
    if any(isinstance(values.get(half), str) for half in pair):
        values.update(pair)


def amount(value):
    return Decimal(str(value))


def moment(value):
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def agree(values, noun, read):
    """Sorts bounds, which are refused where they are upside down: that one is above the other no schema can say."""
    names = [noun + bound for bound in BOUNDS if values.get(noun + bound) is not None]
    values.update(zip(names, sorted((values[name] for name in names), key=read)))


def reach(values):
    """Leaves out bounds that are below every amount: these are never negative."""
    for name, least in (("eq", 0), ("lte", 0), ("lt", Decimal("0.0001"))):
        if values.get(name) is not None and amount(values[name]) < least:
            del values[name]


def bound(values):
    """Makes a filter's bounds ones that something can meet."""
    agree(values, "", amount)
    reach(values)
    agree(values, "booking_date_", moment)
    agree(values, "timestamp_", moment)


def kind_of_pair(operation):
    """Which of a tenant's pairs an operation is called with."""
    for path, kind in (("/v1/payments", "payment"), ("/v1/products", "product")):
        if operation.path.startswith(path):
            return ENDS.get(operation.label, kind)
    return ENDS.get(operation.label, "accounts")


def change_pair(headers, kind):
    """Puts another pair of the same tenant in the place of the one that every call is sent with."""
    for tenant in TENANTS:
        for header, name in PAIR_HEADERS.items():
            if headers and headers.get(header) == tenant["accounts"][name]:
                headers[header] = tenant[kind][name]


def session_at(case, points):
    """A session at one of the points: the same one for the same call, since calls are repeated to see whether they do the same."""
    at = len(case.body) + len(case.body.get("tenant_user_id", ""))
    return living.Session(FIRST, *points[at % len(points)])


def submit_step(case):
    session = session_at(case, living.WAITING)
    fill(case.path_parameters, {"session_id": session.session_id})
    case.body.update(session.next_step())


def ask_session(case):
    session = session_at(case, living.ANYWHERE)
    fill(case.path_parameters, {"session_id": session.session_id})
    fill(case.body, {"nonce": session.nonce})


def cancel_session(case):
    session = session_at(case, living.ANYWHERE)
    fill(case.path_parameters, {"session_id": session.session_id})
    # With an app key alone a nonce is needed, too.
    if "client_app_key" in case.body or isinstance(case.body.get("nonce"), str):
        case.body["nonce"] = session.nonce


def send_file(case):
    session = next(TAKING_FILES)
    fill(case.path_parameters, {"session_id": session.session_id, "step_id": session.step_id})
    fill(case.body, {"nonce": session.used, "kind": session.kinds[0]})


def exchange_token(case):
    verifier = case.body.get("code_verifier")
    case.body["temp_token"] = living.temp_token(FIRST, verifier)


def come_back(case):
    fill(case.query, {"state": living.return_state(FIRST)})
    # A bank sends a code or an error, which a schema of single parameters has no words for.
    if "error" not in case.query:
        case.query.setdefault("code", "unknown")


# What is used up by a call, or by some of them, is made for each that is meant to succeed.
FRESH = {
    "GET /v1/redirects/{kind}": come_back,
    "POST /v1/sessions/{session_id}/steps": submit_step,
    "POST /v1/sessions/{session_id}/get": ask_session,
    "POST /v1/sessions/{session_id}/cancel": cancel_session,
    "POST /v1/steps/{step_id}/upload": send_file,
    "POST /v1/sessions/{session_id}/steps/{step_id}/upload": send_file,
    "POST /v1/token": exchange_token,
    "POST /v1/tokens": exchange_token,
}


@schemathesis.hook
def before_call(context, case, kwargs):
    kind = kind_of_pair(case.operation)
    pair = FIRST[kind]
    for headers in (case.headers, kwargs.get("headers")):
        change_pair(headers, kind)
    fill(case.body, KEYS | pair)
    make_file(case.body)
    # Judged anew, as the checks will: a call with keys in it may be right though it was not meant to be.
    if case.meta and not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        complete(case.body, pair)
    fill(case.body, NAMES)
    fill(case.query, NAMES)
    fill(case.body.get("filter") if isinstance(case.body, dict) else None, NAMES)
    in_path = {"skill": quote(NAMES["skill"]), "credentials_id": pair["credentials_id"], "id": PAYMENTS.get(kind)}
    fill(case.path_parameters, in_path)
    for values in (case.body, case.query):
        if isinstance(values, dict):
            # A cursor is what an answer gave, and nothing else.
            values.pop("after", None)
            values.pop("cursor", None)
            shorten(values)
            bound(values)
            bound(values["filter"] if isinstance(values.get("filter"), dict) else {})
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"call-{next(CALLS)}"
    if case.operation.label in FRESH:
        FRESH[case.operation.label](case)
