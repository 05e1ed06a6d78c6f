"""Gets generated calls past the door: the first tenant's keys, and values that name something which is there.

A text is replaced by a text alone, and only keys in a call that was made to be wrong, so that it stays wrong.
"""

import itertools
import json
import os

import schemathesis
from schemathesis.specs.openapi import checks

with open(os.environ["TESSERA_IDENTITIES"], encoding="utf-8") as file:
    FIRST = json.load(file)[0]
SPARE = FIRST.pop("spare")

NAMES = {"skill": "xyz_ro_aisp_sbx_#1.0", "step": "sca"}
STEP = {"psu_redirect_link": "myapp://return"}
# What ends a consent ends the spare one: all the rest meets a living one, whatever the order.
ENDS = {"POST /v1/consents/delete", "DELETE /v1/consents/{credentials_id}"}
# One Idempotency-Key a call: a repeated one belongs to the call before.
CALLS = itertools.count()
PAIR_HEADERS = {"X-Credentials-Id": "credentials_id", "X-Access-Token": "access_token"}


def refuses(response, _):
    """Whether a call without keys, or with wrong ones, was refused as the API's contract says: missing keys are missing fields."""
    missing = response.status_code == 400 and response.json()["code"] == "missing_fields"
    return missing or response.status_code in (401, 403)


# What the check `ignored_auth` asks of an answer, which would take nothing but 401 and 403.
checks._enforces_auth = refuses


def fill(values, known):
    for name, value in known.items():
        if isinstance(values, dict) and isinstance(values.get(name), str):
            values[name] = value


def spare(headers):
    for header, name in PAIR_HEADERS.items():
        if headers and headers.get(header) == FIRST[name]:
            headers[header] = SPARE[name]


@schemathesis.hook
def before_call(context, case, kwargs):
    right = case.meta is None or case.meta.generation.mode.is_positive
    known = FIRST
    if case.operation.label in ENDS:
        known = FIRST | SPARE
        spare(case.headers)
        spare(kwargs.get("headers"))
    fill(case.body, known)
    if not right:
        return
    fill(case.body, NAMES)
    fill(case.query, {"skill": NAMES["skill"]})
    fill(case.path_parameters, {"credentials_id": known["credentials_id"], "skill": NAMES["skill"]})
    # A cursor is what an answer gave, and nothing else.
    for values in (case.body, case.query):
        if isinstance(values, dict):
            values.pop("after", None)
            values.pop("cursor", None)
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"call-{next(CALLS)}"
    if isinstance(case.body, dict) and "step" in case.body:
        case.body["data"] = STEP
    # A form's file is its last part; the properties of a schema have no order.
    if isinstance(case.body, dict) and "file" in case.body:
        case.body["file"] = case.body.pop("file")
