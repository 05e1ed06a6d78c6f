// The calls of the SDK: those it repeats and those it never does, when it gives up, and what it refuses to be used for.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, createPublicKey, generateKeyPairSync, verify, constants } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { brotliCompressSync } from "node:zlib";

import { flaky } from "../lib/flaky.js";
import { SessionFlow, TesseraBrowser, TesseraError, TesseraServer, signer } from "../lib/sdk.js";

const sdk = new URL("../../public/sdk/", import.meta.url);
const keys = { client_id: "an id", client_app_key: "tsr_sbx_ak_x", client_secret: "tsr_sbx_cs_x" };
const pair = { credentials_id: "c", access_token: "a" };
const json = (status, body, headers = {}) => ({ status, headers, body: JSON.stringify(body) });
const problem = (status, code, headers) => json(status, { id: "1", type: "t", http: status, code, message: "m", hint: "h", docs: "d", fields: [] }, headers);

/** Gives a server's half whose first answers are these, and all later ones an empty list; fails unless so many requests were made. */
async function against(answers, requests, use, options) {
  const way = await flaky("", ({ number }) => answers[number - 1] ?? json(200, { items: [], next_cursor: null, has_more: false }));
  try {
    const { client_id, client_secret } = keys;
    await use(new TesseraServer({ url: way.url, client_id, client_secret, ...options }), way);
    assert.equal(way.seen.length, requests, "requests made");
  } finally {
    await way.close();
  }
}

const refusal = (code) => (error) => error instanceof TesseraError && error.code === code;
const read = (server, options) => server.consent(pair).accounts({}, options).all();

test("a busy or limited server is asked again, after as long as it says", () =>
  against([problem(503, "service_unavailable"), problem(429, "too_many_requests", { "retry-after": "1" })], 3, async (server) => {
    const began = performance.now();
    assert.deepEqual(await read(server), []);
    assert.ok(performance.now() - began > 1000, "Retry-After was heard");
  }));

test("a refusal is final", () =>
  against([problem(401, "invalid_api_keys")], 1, (server) => assert.rejects(read(server), refusal("invalid_api_keys"))));

test("a fault of the server's is not asked for twice", () =>
  against([problem(500, "internal_server_error")], 1, (server) => assert.rejects(read(server), refusal("internal_server_error"))));

test("after so many tries the last error is told", () =>
  against(Array(3).fill("cut-before"), 3, (server) => assert.rejects(read(server), refusal("connection_failed")), { retries: 2 }));

test("who is to come back much later is told so at once", () =>
  against([problem(429, "too_many_requests", { "retry-after": "3600" })], 1, (server) =>
    assert.rejects(read(server), (error) => refusal("too_many_requests")(error) && error.retryAfter === 3600)));

test("a Retry-After may be a date", () =>
  against([problem(503, "service_unavailable", { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() })], 1, (server) =>
    assert.rejects(read(server), ({ retryAfter }) => retryAfter > 3500 && retryAfter <= 3600)));

test("an exchange is repeated under one key until the first has finished", () =>
  against([problem(409, "idempotency_in_flight", { "retry-after": "0" }), json(200, pair)], 2, async (server, way) => {
    assert.deepEqual(await server.exchange({ temp_token: "t" }), pair);
    const used = way.seen.map(({ headers }) => headers["idempotency-key"]);
    assert.ok(used[0].length > 20);
    assert.equal(used[0], used[1]);
  }));

test("an own Idempotency-Key is used", () =>
  against([json(200, pair)], 1, async (server, way) => {
    await server.exchange({ temp_token: "t" }, { idempotencyKey: "mine" });
    assert.equal(way.seen[0].headers["idempotency-key"], "mine");
  }));

test("no answer in time is a timeout, a given-up call has its signal's reason", async () => {
  await against(["hang"], 1, (server) => assert.rejects(read(server, { timeout: 50 }), refusal("timeout")), { retries: 0 });
  const reason = new Error("the user went away");
  const controller = new AbortController();
  await against(["hang"], 1, async (server) => {
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(read(server, { signal: controller.signal }), reason);
  });
  await against([problem(503, "service_unavailable", { "retry-after": "30" })], 1, async (server) => {
    const soon = AbortSignal.timeout(100);
    await assert.rejects(read(server, { signal: soon }), { name: "TimeoutError" });
  });
});

test("what a proxy says is not taken for the API", async () => {
  const bad = { status: 502, headers: {}, body: "<h1>Bad Gateway</h1>" };
  const refused = (http) => (error) => refusal("invalid_answer")(error) && error.http === http;
  await against([bad], 1, (server) => assert.rejects(read(server), refused(502)), { retries: 0 });
  await against([{ status: 200, headers: {}, body: "<h1>Hello</h1>" }], 1, (server) => assert.rejects(read(server), refused(200)));
});

test("a server that starts anew behind its proxy is asked again", () =>
  against([502, 504].map((status) => ({ status, headers: {}, body: "<h1>Bad Gateway</h1>" })), 3, async (server) => {
    assert.deepEqual(await read(server), []);
  }));

test("a Retry-After that is neither seconds nor a date is as good as none", async () => {
  for (const value of ["1.5", "-1", "5, 5", "soon"]) {
    await against([problem(503, "service_unavailable", { "retry-after": value })], 1, (server) =>
      assert.rejects(read(server), ({ retryAfter }) => retryAfter === null), { retries: 0 });
  }
});

test("what is misused is told before anything is sent", async () => {
  const { client_id, client_app_key, client_secret } = keys;
  const url = "https://api.example.com";
  for (const Half of [TesseraBrowser, TesseraServer]) {
    const key = Half === TesseraBrowser ? { client_app_key } : { client_secret };
    assert.throws(() => new Half(), /takes an object$/);
    assert.throws(() => new Half({ client_id, ...key }), /needs url/);
    for (const timeout of [-1, "30", 1.5, NaN, Infinity, 2 ** 31]) assert.throws(() => new Half({ url, client_id, ...key, timeout }), /timeout cannot be/);
    for (const retries of [-1, "3", NaN, Infinity]) assert.throws(() => new Half({ url, client_id, ...key, retries }), /retries cannot be/);
  }
  await against([], 0, async (server) => {
    for (const idempotencyKey of ["", "two words", "é", "x".repeat(256)]) {
      await assert.rejects(server.exchange({ temp_token: "t" }, { idempotencyKey }), /idempotencyKey must be 1 to 255/);
    }
    for (const file of [undefined, null, "text", {}]) {
      await assert.rejects(async () => server.sessions.upload("s", { nonce: "n", kind: "k", file }), /needs file, a Blob/);
    }
  });
});

test("a flow's saved copy that was damaged is none, and what is no redirect is not followed", async () => {
  const client = new TesseraBrowser({ url: "https://api.example.com", client_id: "i", client_app_key: "tsr_sbx_ak_x" });
  for (const kept of ["", "{", "5", "null", '"x"']) {
    const storage = { getItem: () => kept, setItem: () => assert.fail("nothing is kept") };
    const url = "https://app.example.com/return?session_id=s&temp_token=t&state=x";
    await assert.rejects(SessionFlow.resume(client, { url, storage }), refusal("unknown_return"));
  }
  const flow = new SessionFlow(client, { session_id: "s", skill: "k", state: "x", status: "SESSION_IN_PROGRESS", expires_at: "2026-03-01T10:00:00Z" });
  for (const answer of [undefined, { kind: "next", data: {} }, { kind: "last", data: null }]) {
    assert.throws(() => flow.leave(answer, { storage: null, go: assert.fail }), /takes a redirect/);
  }
  assert.throws(() => flow.proceed({ next_step: "sca" }), /proceed\(\) needs nonce/);
});

test("nothing secret is in an error or in what is printed", async () => {
  const { inspect } = await import("node:util");
  await against([problem(401, "invalid_access_token")], 1, async (server) => {
    const consent = server.consent({ credentials_id: "c", access_token: "a-token-of-a-user" });
    const error = await consent.info().catch((error) => error);
    for (const shown of [inspect(error, { depth: 9 }), inspect(server, { depth: 9, showHidden: true }), inspect(consent, { depth: 9 }), JSON.stringify({ server, consent })]) {
      assert.ok(!shown.includes(keys.client_secret) && !shown.includes("a-token-of-a-user"), shown);
    }
  });
});

test("there is no place for a secret in the browser's half", () => {
  const { client_id, client_app_key, client_secret } = keys;
  const url = "https://api.example.com";
  assert.throws(() => new TesseraBrowser({ url, client_id, client_app_key, client_secret }), /takes no client_secret/);
  assert.throws(() => new TesseraBrowser({ url, client_id, client_app_key: client_secret }), /This is a client_secret/);
  assert.throws(() => new TesseraBrowser({ url, client_id }), /needs client_app_key/);
  assert.throws(() => new TesseraServer({ url, client_id }), /needs client_secret/);
});

test("keys leave this machine encrypted only", () => {
  const { client_id, client_secret } = keys;
  for (const url of ["http://api.example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "http://10.0.0.1:3000"]) {
    assert.throws(() => new TesseraServer({ url, client_id, client_secret }), /must begin with https:/, url);
  }
  for (const url of ["https://u:p@api.example.com", "https://api.example.com/?q", "not a url"]) assert.throws(() => new TesseraServer({ url, client_id, client_secret }), TypeError, url);
  for (const url of ["https://api.example.com/v1", "http://localhost:3000", "http://[::1]:3000/"]) assert.ok(new TesseraServer({ url, client_id, client_secret }));
});

test("an id cannot lead elsewhere", async () => {
  await against([], 0, (server) => {
    for (const id of ["..", ".", "", undefined, {}]) assert.throws(() => server.sessions.get(id), TypeError);
    assert.throws(() => server.consent({ ...pair, tenant_user_id: "a\r\nb" }).accounts().first(), TypeError);
  });
  await against([json(200, {})], 1, async (server, way) => {
    await server.sessions.get("../token?x#y");
    assert.equal(way.seen[0].url, "/v1/sessions/..%2Ftoken%3Fx%23y/get");
  });
});

test("the server's half does not load where there is a document", async () => {
  const code = `globalThis.document = {}; import(${JSON.stringify(new URL("server.js", sdk).href)}).catch((error) => console.log(error.message))`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", code]);
  assert.match(stdout, /loaded in a browser.*browser\.js/s);
});

const pairs = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

for (const [alg, { privateKey, publicKey }] of Object.entries(pairs)) {
  test(`a request is signed with ${alg}, whatever form the key has`, async () => {
    const forms = [privateKey, privateKey.export({ type: "pkcs8", format: "pem" }), { ...privateKey.export({ format: "jwk" }), kid: "k" }];
    for (const key of forms) {
      const sign = signer({ issuer: "app@example.com", key, kid: "k", alg, audience: "api.example.com" });
      const body = '{"a":"ă"}';
      const { Authorization } = await sign({ method: "POST", url: "https://api.example.com/v1s/token", body });
      const [head, claims, signature] = Authorization.replace("Bearer ", "").split(".");
      assert.deepEqual(parsed(head), { alg, typ: "JWT", kid: "k" });
      const { iat, exp, iss, sub, email, aud, digest, htm } = parsed(claims);
      assert.deepEqual([iss, sub, email, aud, exp - iat, htm], ["app@example.com", "app@example.com", "app@example.com", "api.example.com", 60, "POST"]);
      assert.equal(digest, createHash("sha256").update(body).digest("base64"));
      assert.ok(checks(alg, publicKey, Buffer.from(`${head}.${claims}`), Buffer.from(signature, "base64url")));
    }
  });
}

function parsed(part) {
  return JSON.parse(Buffer.from(part, "base64url"));
}

function checks(alg, key, data, signature) {
  const how = { PS256: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, ES256: { key, dsaEncoding: "ieee-p1363" } };
  return verify(alg === "EdDSA" ? null : "sha256", data, how[alg] ?? key, signature);
}

test("a key that cannot sign the algorithm is refused, as is a signature for ever", async () => {
  const { privateKey } = pairs.ES256;
  const request = { method: "GET", url: "https://api.example.com" };
  await assert.rejects(signer({ issuer: "i", key: privateKey, alg: "RS256" })(request), /ec key cannot sign RS256/);
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  await assert.rejects(signer({ issuer: "i", key: p384 })(request), TypeError);
  assert.throws(() => signer({ issuer: "i", key: privateKey, lifetime: 3601 }), /1 to 3600/);
  assert.throws(() => signer({ issuer: "i", key: privateKey, secret: 1 }), /takes no secret/);
  assert.throws(() => signer({ issuer: "i" }), /either key, or sign/);
});

test("a key may stay in its vault", async () => {
  const { privateKey, publicKey } = pairs.EdDSA;
  const { sign: raw } = await import("node:crypto");
  const sign = signer({ issuer: "i", alg: "EdDSA", sign: async (bytes) => raw(null, bytes, privateKey), audience: "a" });
  const [head, claims, signature] = (await sign({ method: "GET", url: "https://a/" })).Authorization.replace("Bearer ", "").split(".");
  assert.ok(checks("EdDSA", createPublicKey(publicKey.export({ type: "spki", format: "pem" })), Buffer.from(`${head}.${claims}`), Buffer.from(signature, "base64url")));
});

test("every attempt of a signed call has a signature of its own", async () => {
  const signing = { issuer: "i", key: pairs.ES256.privateKey };
  await against([problem(503, "service_unavailable", { "retry-after": "0" })], 2, async (server, way) => {
    await read(server);
    const [first, second] = way.seen;
    assert.match(first.url, /^\/v1s\/accounts/);
    assert.equal(parsed(first.headers.authorization.split(".")[1]).aud, new URL(way.url).host);
    assert.notEqual(first.headers.authorization, second.headers.authorization);
  }, { signing });
});

test("both halves are small", async () => {
  const [core, browser, server] = await Promise.all(["core.js", "browser.js", "server.js"].map((name) => readFile(new URL(name, sdk))));
  const sent = (...files) => files.reduce((sum, file) => sum + brotliCompressSync(file).length, 0);
  assert.ok(sent(core, browser) < 7_400, `${sent(core, browser)} bytes reach a browser`);
  assert.ok(sent(core, server) < 7_500, `${sent(core, server)} bytes for a server`);
});
