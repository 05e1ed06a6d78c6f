// The SDK with consents over time: what changed since a cursor, the list of consents, and renewing one before it ends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { skill } from "../lib/api.js";
import { Memory, SessionFlow, TesseraBrowser, TesseraError, TesseraServer, pkce } from "../lib/sdk.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";
import { agree } from "../lib/walk.js";

const link = "myapp://return";
let tessera, app, server;

before(async () => {
  tessera = await startServer();
  const { client_secret, client_app_key, client_id } = await newTenant(tessera, { links: [link] });
  app = new TesseraBrowser({ url: tessera.url, client_id, client_app_key });
  server = new TesseraServer({ url: tessera.url, client_id, client_secret });
});

after(() => tessera?.stop());

/** Takes the end-user of a flow through the bank; resolves to the token they come back with. */
async function through(flow) {
  const storage = new Memory();
  let bank;
  flow.leave(await flow.submit("sca", { psu_redirect_link: link }), { storage, go: (url) => (bank = url) });
  return (await SessionFlow.resume(app, { url: await agree(bank), storage })).temp_token;
}

async function consented() {
  return server.exchange({ temp_token: await through(await SessionFlow.open(app, { skill })) });
}

test("changes begin with everything and go on from the stored cursor", async () => {
  const consent = server.consent(await consented());
  const known = new Map();
  let cursor;
  let answers = 0;
  for await (const { added, modified, removed, next_cursor } of consent.changes({ count: 500 })) {
    for (const row of [...added, ...modified]) known.set(row.id, row);
    for (const { id } of removed) known.delete(id);
    cursor = next_cursor;
    answers += 1;
  }
  assert.ok(answers > 1, `${answers} answers`);
  const all = await consent.transactions({ limit: 500 }).all();
  assert.deepEqual([...known.keys()].sort(), all.map(({ id }) => id).sort());
  const again = await consent.sync({ cursor });
  assert.deepEqual([again.added.length, again.has_more], [0, false]);
  assert.match(again.as_of, /Z$/);
});

test("a tenant's consents are listed page by page", async () => {
  const pairs = [await consented(), await consented()];
  await server.consent(pairs[0]).delete();
  const active = [];
  for await (const { credentials_id, status } of server.consents({ status: "ACTIVE", limit: 1 })) {
    assert.equal(status, "ACTIVE");
    active.push(credentials_id);
  }
  assert.ok(active.includes(pairs[1].credentials_id) && !active.includes(pairs[0].credentials_id));
});

test("a consent is renewed by a session of its own, and keeps its id", async () => {
  const pair = await consented();
  const { code_verifier, code_challenge } = await pkce();
  const opened = await server.consent(pair).extend({ code_challenge, state: "of ours" });
  const flow = new SessionFlow(app, { ...opened, skill, state: "of ours" });
  const renewed = await server.exchange({ temp_token: await through(flow), code_verifier });
  assert.equal(renewed.credentials_id, pair.credentials_id);
  assert.notEqual(renewed.access_token, pair.access_token);
  assert.ok((await server.consent(renewed).accounts().all()).length > 0);
  await assert.rejects(server.consent(pair).accounts().all(), (error) => error instanceof TesseraError && error.code === "invalid_access_token");
});
