"""Makes what a call is about, by calls of its own: sessions at every point of their way, steps that take files, tokens."""

import base64
import hashlib
import os
from urllib.parse import parse_qs, urlsplit

import requests

URL = os.environ["TESSERA_URL"]
HTTP = requests.Session()
# What makes a file one of those that are taken.
PDF = b"%PDF-1.7\n"
PERSON = {"first_name": "Ana", "last_name": "Example", "date_of_birth": "1990-05-17"}

# Skills, and their steps with the files that go along.
ACCOUNTS = ("xyz_ro_aisp_sbx_#1.0", [("sca", {"psu_redirect_link": "myapp://return"}, [])])
DEPOSIT = (
    "xyz_sbx_#3.0",
    [
        ("product_form", {"value": "100000", "currency": "EUR", "period": "12"}, []),
        ("kyc", PERSON, ["id_document", "selfie"]),
    ],
)
CARD = (
    "xyz_card_sbx_#1.0",
    [
        ("card_form", {"limit": "5000", "currency": "RON"}, ["payslip"]),
        ("kyc", PERSON | {"accept": True}, ["id_document", "selfie"]),
    ],
)
WAYS = [ACCOUNTS, DEPOSIT, CARD]
# How many steps of a way were taken: any number, from just opened to at the bank, being verified, or completed.
ANYWHERE = [(way, taken) for way in WAYS for taken in range(len(way[1]) + 1)]
# All but its end: the next step can be submitted.
WAITING = [(way, taken) for way, taken in ANYWHERE if taken < len(way[1])]
# Files that one step takes.
FILES = 5


def post(path, **content):
    answer = HTTP.post(URL + path, timeout=20, **content)
    if not answer.ok:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
    return answer.json()


class Session:
    """A session that has taken the first steps of its way."""

    def __init__(self, tenant, way, taken=0, **more):
        self.client_id, (self.skill, self.way) = tenant["client_id"], way
        keys = {"client_id": self.client_id, "client_app_key": tenant["client_app_key"]}
        opened = post("/v1/sessions", json={**keys, "skill": self.skill, **more})
        self.session_id, self.nonce = opened["session_id"], opened["nonce"]
        self.taken = 0
        for _ in range(taken):
            self.submit()
            for kind in self.kinds:
                self.upload(kind)

    def next_step(self):
        """The fields of a call that submits the next step."""
        step, data, _ = self.way[self.taken]
        return {"nonce": self.nonce, "skill": self.skill, "step": step, "data": data}

    def submit(self):
        """Submits the next step, but sends none of its files."""
        fields = {"client_id": self.client_id, **self.next_step()}
        answer = post(f"/v1/sessions/{self.session_id}/steps", json=fields)
        self.kinds = self.way[self.taken][2]
        self.taken += 1
        self.step_id, self.used, self.data = answer["step_id"], self.nonce, answer["data"]
        self.nonce = answer.get("nonce", self.nonce)
        self.temp_token = answer.get("temp_token")

    def upload(self, kind):
        fields = {"client_id": self.client_id, "nonce": self.used, "kind": kind}
        post(f"/v1/steps/{self.step_id}/upload", data=fields, files={"file": PDF})


def taking_files(tenant):
    """Sessions whose step takes one more file."""
    while True:
        session = Session(tenant, CARD)
        session.submit()
        for _ in range(FILES):
            yield session


def return_state(tenant):
    """The `state` that a new end-user was sent to the bank with."""
    bank = urlsplit(Session(tenant, ACCOUNTS, taken=1).data["url"])
    return parse_qs(bank.query)["state"][0]


def temp_token(tenant, verifier=None):
    """A new token, that needs the verifier if there is one."""
    if verifier is None:
        return Session(tenant, CARD, taken=2).temp_token
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return Session(tenant, CARD, taken=2, code_challenge=challenge).temp_token


def product(tenant):
    """The pair of a user who took out a card."""
    keys = {name: tenant[name] for name in ("client_id", "client_secret")}
    pair = post("/v1/token", json={**keys, "temp_token": temp_token(tenant)})
    return {name: pair[name] for name in ("credentials_id", "access_token")}


def payment_id(tenant, pair):
    """The id of a pair's payment."""
    keys = {name: tenant[name] for name in ("client_id", "client_secret")}
    return post("/v1/payments/get", json={**keys, **pair})["id"]


def account_id(tenant, pair):
    """The id of one of a pair's accounts."""
    keys = {name: tenant[name] for name in ("client_id", "client_secret")}
    return post("/v1/accounts/get", json={**keys, **pair})[0]["id"]
