// The SDK in Node, both halves, against the real server: from the first nonce to the last page of transactions.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { skill } from "../lib/api.js";
import { flaky } from "../lib/flaky.js";
import { Memory, SessionFlow, TesseraBrowser, TesseraError, TesseraServer, pkce } from "../lib/sdk.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";
import { agree, decline } from "../lib/walk.js";

const link = "https://app.example.com/return?from=bank";
let tessera, keys, app, server;

before(async () => {
  tessera = await startServer();
  keys = await newTenant(tessera, { links: [link] });
  app = halves(tessera.url).app;
  server = halves(tessera.url).server;
});

after(() => tessera?.stop());

function halves(url, options) {
  const { client_id, client_app_key, client_secret } = keys;
  return { app: new TesseraBrowser({ url, client_id, client_app_key, ...options }), server: new TesseraServer({ url, client_id, client_secret, ...options }) };
}

/** A session whose end-user stands before the bank. */
async function atBank(fields = {}, client = app) {
  const storage = new Memory();
  const flow = await SessionFlow.open(client, { skill, ...fields });
  const answer = await flow.submit("sca", { psu_redirect_link: link });
  let bank;
  flow.leave(answer, { storage, go: (url) => (bank = url) });
  return { flow, answer, bank, storage };
}

/** A consent of a user with all their accounts. */
async function consented(user, fields) {
  const { bank, storage } = await atBank(fields);
  const { flow, temp_token } = await SessionFlow.resume(app, { url: await agree(bank, { user }), storage });
  const { tenant_user_id } = fields ?? {};
  const pair = await server.exchange({ temp_token, code_verifier: flow.code_verifier ?? undefined, tenant_user_id });
  return server.consent({ ...pair, tenant_user_id });
}

const refusal = (code) => (error) => {
  assert.ok(error instanceof TesseraError, error);
  assert.equal(error.code, code, error.message);
  return true;
};

test("a session goes from its first nonce through the bank to accounts, balances and transactions", async () => {
  const { flow, answer, bank, storage } = await atBank({ tenant_user_id: "user 1 of ours" });
  assert.equal(answer.kind, "redirect");
  assert.equal(flow.status, "SESSION_IN_PROGRESS");

  const end = await agree(bank, { count: 3 });
  const returned = await SessionFlow.resume(app, { url: end, storage });
  assert.equal(returned.kind, "last");
  assert.equal(returned.flow.session_id, flow.session_id);
  const left = storage.getItem(`tessera.session.${flow.session_id}`);
  assert.doesNotMatch(left, /nonce|used|verifier/, "what held nonces is gone");
  const again = await SessionFlow.resume(app, { url: end, storage });
  assert.equal(again.kind, "done", "a deep link that fires twice is no failure");
  assert.equal(again.temp_token, undefined);

  const pair = await server.exchange({ temp_token: returned.temp_token, tenant_user_id: "user 1 of ours" });
  assert.match(pair.consent_exp, /Z$/);
  const consent = server.consent({ ...pair, tenant_user_id: "user 1 of ours" });
  const accounts = await consent.accounts().all();
  assert.equal(accounts.length, 3);
  const { as_of, served_from } = await consent.accounts().first();
  assert.match(as_of, /Z$/);
  assert.match(served_from, /^(cache|bank)$/);

  const [account] = accounts;
  const balances = await consent.balances({ account_id: account.id }).all();
  assert.ok(balances.length > 0);
  assert.ok(balances.every(({ account_id }) => account_id === account.id));

  const ids = new Set();
  let previous = "9999";
  for await (const { id, data } of consent.transactions({ account_id: account.id, status: "booked", limit: 50 })) {
    ids.add(id);
    assert.ok(data.booking_date_time <= previous, "newest first");
    previous = data.booking_date_time;
  }
  const pages = [];
  for await (const page of consent.transactions({ account_id: account.id, status: "booked", limit: 50 }).pages()) pages.push(page.items.length);
  assert.ok(pages.length > 1, "more than one page");
  assert.equal(ids.size, pages.reduce((sum, length) => sum + length), "each once");
});

test("filters are exact and dates may be dates", async () => {
  const consent = await consented("family");
  const all = await consent.transactions({ limit: 500 }).all();
  const amount = all[0].data.amount;
  const equal = await consent.transactions({ eq: amount, limit: 500 }).all();
  assert.deepEqual(equal.map(({ id }) => id), all.filter(({ data }) => data.amount === amount).map(({ id }) => id));
  const since = new Date(Date.now() - 30 * 86_400_000);
  const recent = await consent.transactions({ booking_date_gte: since, limit: 500 }).all();
  assert.deepEqual(recent.length, all.filter(({ data }) => new Date(data.booking_date_time) >= since).length);
});

test("a consent tells about itself, and ends for good", async () => {
  const consent = await consented("student");
  const { result } = await consent.info();
  assert.equal(result.status, "ACTIVE");
  assert.equal(result.credentials_id, consent.credentials_id);
  for (let time = 0; time < 2; time += 1) assert.equal((await consent.delete({ pcd_data_retention: 0 })).op_type, "delete");
  await assert.rejects(consent.accounts().all(), refusal("inactive_credentials"));
});

test("a refusal at the bank comes back as one, and the same session may try again", async () => {
  const { bank, storage } = await atBank();
  const { flow, ...returned } = await SessionFlow.resume(app, { url: await decline(bank), storage });
  assert.deepEqual(returned.kind, "refused");
  assert.equal(returned.error, "access_denied");

  const next = await flow.refresh();
  assert.equal(next.kind, "next");
  assert.equal(flow.next_step, "sca");
  const again = await flow.submit("sca", { psu_redirect_link: link });
  assert.equal(again.kind, "redirect");
  flow.leave(again, { storage, go: () => {} });
  const second = await SessionFlow.resume(app, { url: await agree(again.data.url), storage });
  assert.equal(second.kind, "last");
});

test("a second decision after the first one counted is done, in the same tab and in another", async () => {
  const { bank, storage } = await atBank();
  const end = await agree(bank);
  const { temp_token } = await SessionFlow.resume(app, { url: end, storage });
  await server.exchange({ temp_token });
  const over = new URL(link);
  const { searchParams } = new URL(end);
  for (const name of ["session_id", "state"]) over.searchParams.set(name, searchParams.get(name));
  over.searchParams.set("error_code", "already_completed");
  assert.equal((await SessionFlow.resume(app, { url: over.href, storage })).kind, "done");
  assert.deepEqual(await SessionFlow.resume(app, { url: over.href, storage: new Memory() }), { flow: null, kind: "done" });
});

test("whoever opened a session gets nothing of what somebody else consents to in it", async () => {
  const { flow, bank } = await atBank();
  const end = new URL(await agree(bank));
  const asked = await flow.refresh();
  assert.deepEqual([asked.kind, asked.temp_token, asked.nonce], ["done", undefined, undefined]);
  const { temp_token } = await server.sessions.get(flow.session_id);
  assert.equal(temp_token, end.searchParams.get("temp_token"), "the link has it, and the server");
  assert.equal(end.searchParams.get("state"), flow.state);
});

test("links with parameters of the app's own lead back, and links that lead nowhere are told at once", async () => {
  const { bank, storage } = await atBank();
  const end = new URL(await agree(bank));
  const url = end.href.replace("from=bank", "from=bank&statement=1&state=web");
  assert.equal((await SessionFlow.resume(app, { url, storage })).kind, "last", "the last of a name is the server's");
  const flow = await SessionFlow.open(app, { skill });
  for (const bad of ["javascript:alert(1)", "ms-msdt:/id", "itms-services://?action=x", "mailto:a@example.com"]) {
    await assert.rejects(flow.submit("sca", { psu_redirect_link: bad }), TypeError);
  }
});

test("a return that was not begun here is refused, whoever's token it carries", async () => {
  const { bank } = await atBank();
  const end = await agree(bank);
  await assert.rejects(SessionFlow.resume(app, { url: end, storage: new Memory() }), refusal("unknown_return"));

  const mine = await atBank();
  const foreign = new URL(end);
  foreign.searchParams.set("session_id", mine.flow.session_id);
  await assert.rejects(SessionFlow.resume(app, { url: foreign.href, storage: mine.storage }), refusal("unknown_return"));
  assert.equal(await SessionFlow.resume(app, { url: link, storage: new Memory() }), null, "a page that is no return");
});

test("with PKCE the exchange needs the verifier, the flow's own or the server's", async () => {
  const { bank, storage } = await atBank({ pkce: true });
  const { flow, temp_token } = await SessionFlow.resume(app, { url: await agree(bank), storage });
  await assert.rejects(server.exchange({ temp_token }), refusal("missing_fields"));
  await assert.rejects(server.exchange({ temp_token, code_verifier: (await pkce()).code_verifier }), refusal("invalid_code_verifier"));
  assert.ok((await server.exchange({ temp_token, code_verifier: flow.code_verifier })).access_token);

  const { code_verifier, code_challenge } = await pkce();
  const other = await atBank({ code_challenge });
  const end = await SessionFlow.resume(app, { url: await agree(other.bank), storage: other.storage });
  assert.ok((await server.exchange({ temp_token: end.temp_token, code_verifier })).access_token);
});

test("a step whose answer is lost on the way is repeated, and taken once", async () => {
  const way = await flaky(tessera.url, ({ url, number }) => (url.endsWith("/steps") && number === 1 ? "cut" : "pass"));
  try {
    const { flow, answer, bank, storage } = await atBank({}, halves(way.url).app);
    assert.equal(answer.kind, "redirect");
    const [first, second] = way.seen.filter(({ url }) => url.endsWith("/steps"));
    assert.equal(first.headers["idempotency-key"], second.headers["idempotency-key"]);
    assert.deepEqual(first.body, second.body);
    assert.equal(second.replayed, "true", "the server had done it");
    assert.equal((await SessionFlow.resume(app, { url: await agree(bank), storage })).flow.session_id, flow.session_id);
  } finally {
    await way.close();
  }
});

test("an exchange whose answer is lost on the way still gives the one pair there is", async () => {
  const way = await flaky(tessera.url, ({ number }) => (number === 1 ? "cut" : "pass"));
  try {
    const { bank, storage } = await atBank();
    const { temp_token } = await SessionFlow.resume(app, { url: await agree(bank), storage });
    const pair = await halves(way.url).server.exchange({ temp_token });
    assert.equal((await server.consent(pair).accounts().all()).length, 4);
    assert.equal(way.seen.length, 2);
    await assert.rejects(server.exchange({ temp_token }), refusal("temp_token_used"));
  } finally {
    await way.close();
  }
});

test("a flow that lost an answer for good submits the same again", async () => {
  let cut = 2;
  const way = await flaky(tessera.url, ({ url }) => (url.endsWith("/steps") && cut-- > 0 ? "cut" : "pass"));
  try {
    const flow = await SessionFlow.open(halves(way.url, { retries: 1 }).app, { skill });
    await assert.rejects(flow.submit("sca", { psu_redirect_link: link }), refusal("connection_failed"));
    assert.equal((await flow.refresh()).kind, "server", "the page to go to is told to whoever submitted, and to the server");
    const answer = await flow.submit("sca", { psu_redirect_link: link });
    assert.equal(answer.kind, "redirect", "the same submission has the same answer");
    const storage = new Memory();
    flow.leave(answer, { storage, go: () => {} });
    const { kind } = await SessionFlow.resume(app, { url: await agree(answer.data.url), storage });
    assert.equal(kind, "last");
  } finally {
    await way.close();
  }
});

test("a session called off takes no more steps", async () => {
  const flow = await SessionFlow.open(app, { skill });
  await flow.cancel();
  assert.equal(flow.status, "SESSION_CANCELLED");
  assert.equal((await flow.refresh()).kind, "ended");
  await assert.rejects(flow.submit("sca", { psu_redirect_link: link }), TypeError);
});

test("a tenant that is all server takes sessions with its secret", async () => {
  const { session_id, nonce, next_step } = await server.sessions.create({ skill });
  const step = await server.sessions.submit(session_id, { nonce, skill, step: next_step, data: { psu_redirect_link: link } });
  const end = new URL(await agree(step.data.url));
  const standing = await server.sessions.get(session_id);
  assert.equal(standing.status, "SESSION_COMPLETED");
  assert.equal(standing.temp_token, end.searchParams.get("temp_token"));
});

test("the catalog lists skills page by page; a server's tells which are its own", async () => {
  const names = [];
  for await (const found of app.catalog.skills({ limit: 1 })) names.push(found.skill);
  assert.ok(names.includes(skill));
  assert.equal(new Set(names).size, names.length);
  const detail = await app.catalog.skill(skill);
  assert.equal(detail.step_details[0].step, "sca");
  assert.equal(detail.whitelisted, undefined);
  const own = await server.catalog.skills().all();
  assert.deepEqual(own.filter(({ whitelisted }) => whitelisted).map((found) => found.skill), [skill]);
  assert.ok((await app.catalog.servicers()).items.length > 0);
});

test("an error says all that the API said", async () => {
  const flow = await SessionFlow.open(app, { skill });
  await assert.rejects(flow.submit("sca", { psu_redirect_link: link, more: 1 }), (error) => {
    assert.ok(refusal("invalid_input")(error));
    const { id, type, http, docs, hint, fields, retryAfter } = error;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual([type, http, retryAfter], ["invalid_request", 400, null]);
    assert.ok(docs.endsWith("/docs/errors/invalid_input") && hint);
    assert.match(fields[0].path, /^data/);
    return true;
  });
  assert.equal((await flow.submit("sca", { psu_redirect_link: link })).kind, "redirect", "a refusal leaves the nonce good");
});
