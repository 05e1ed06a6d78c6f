"""Signs requests with jwcrypto, which shares no code with this server: each algorithm, as the API's first documents print it.

Usage: signed.py URL FOLDER COMMAND... where COMMAND is the server's, with the options of the one that runs.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

from jwcrypto import jwk, jwt

URL, FOLDER, SERVER = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
ISSUER = "signer@app.example.com"
KEYS = {
    "RS256": {"kty": "RSA", "size": 2048},
    "PS256": {"kty": "RSA", "size": 3072},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}


def operate(*words):
    done = subprocess.run([*SERVER, *words, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def claims(body, **others):
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    who = {"iss": ISSUER, "sub": ISSUER, "email": ISSUER, "aud": "api.finqware.com"}
    return {"iat": now, "exp": now + 3600, **who, "digest": digest, "jti": str(uuid.uuid4()), **others}


def signed(alg, key, body, **others):
    token = jwt.JWT(header={"alg": alg, "typ": "JWT"}, claims=claims(body, **others))
    token.make_signed_token(key)
    return token.serialize()


def post(path, body, token):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(URL + path, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def expect(what, answer, status, says=""):
    if answer[0] != status or says not in json.dumps(answer[1]):
        sys.exit(f"{what}: expected {status} {says}, got {answer}")


servicer = operate("servicer", "create", "--name", "Signs its requests", "--kind", "consumer")["servicer_id"]
tenant = operate("tenant", "create", "--servicer", servicer, "--name", "Signs", "--environment", "sandbox")
fields = {"client_id": tenant["client_id"], "client_secret": tenant["client_secret"]}
compact = json.dumps(fields, separators=(",", ":"))
for alg, kind in KEYS.items():
    key = jwk.JWK.generate(**kind)
    public = FOLDER / f"{alg}.public"
    # Half of them as PEM, half as JWK.
    public.write_text(key.export_to_pem().decode() if alg in ("RS256", "ES256") else key.export_public())
    added = operate("signing-key", "add", "--servicer", servicer, "--issuer", ISSUER, "--key", str(public))
    public.unlink()
    expect(alg, post("/v1s/consents/list", compact, signed(alg, key, compact)), 200)
    expect(f"{alg}, spaced", post("/v1s/consents/list", json.dumps(fields), signed(alg, key, compact)), 200)
    token = signed(alg, key, compact)
    expect(f"{alg}, first", post("/v1s/consents/list", compact, token), 200)
    expect(f"{alg}, again", post("/v1s/consents/list", compact, token), 401, "`once`")
    expect(f"{alg}, altered", post("/v1s/consents/list", compact[:-1] + ',"limit":1}', signed(alg, key, compact)), 401, "`digest`")
    expect(f"{alg}, elsewhere", post("/v1s/consents/list", compact, signed(alg, key, compact, aud="else.example")), 401, "`audience`")
    stranger = jwk.JWK.generate(**kind)
    expect(f"{alg}, forged", post("/v1s/consents/list", compact, signed(alg, stranger, compact)), 401, "`signature`")
    operate("signing-key", "stop", "--servicer", servicer, added["signing_key_id"])
    expect(f"{alg}, stopped", post("/v1s/consents/list", compact, signed(alg, key, compact)), 401, "`issuer`")
print(f"signed with jwcrypto and accepted: {', '.join(KEYS)}")
