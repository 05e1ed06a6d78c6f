// The Postman collection that the server hands out, run against that server: every request of it, in the order of
// integrations, with what a person would type over in Postman given beside it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { skill } from "../lib/api.js";
import { Collection } from "../lib/postman.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";
import { agree } from "../lib/walk.js";

const LINK = "myapp://return";
const [card, payment] = ["xyz_card_sbx_#1.0", "xyz_ro_pisp_sbx_#1.0"];
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const file = (more = "") => new File([PNG, more], "document.png", { type: "image/png" });

let server, collection;
before(async () => {
  server = await startServer();
  const keys = await newTenant(server, { skills: [skill, card, payment], links: [LINK] });
  const response = await fetch(`${server.url}/v1/postman.json`);
  assert.equal(response.headers.get("content-type"), "application/json");
  collection = new Collection(await response.json());
  assert.equal(collection.variables.get("base_url"), server.url);
  for (const name of ["client_id", "client_secret", "client_app_key"]) collection.variables.set(name, keys[name]);
});
after(() => server?.stop());

/** Runs every request whose name matches, in the collection's order. */
async function runAll(names) {
  const matching = [...collection.requests.keys()].filter((name) => names.test(name));
  assert.notEqual(matching.length, 0, `no request is called like ${names}`);
  for (const name of matching) await collection.run(name);
}

/** A session up to the bank; the bank's return is a request of the collection like any other. */
async function toToken(change = {}) {
  await collection.run("POST /v1/sessions", { body: change.session });
  const step = await collection.run("POST /v1/sessions/{session_id}/steps", { body: change.step });
  const back = new URL(await agree(step.body.data.url, { user: "student", stop: /\/v1\/redirects\// }));
  const query = Object.fromEntries(back.searchParams);
  const end = await collection.run("GET /v1/redirects/{kind}", { query });
  assert.equal(end.status, 303);
  collection.variables.set("temp_token", new URL(end.location).searchParams.get("temp_token"));
}

test("what needs no user", async () => {
  await runAll(/(livez|readyz)$|\/catalog/);
  await collection.run("POST /v1/sessions");
  await collection.run("POST /v1/sessions/{session_id}/cancel");
});

test("accounts, by both styles", async () => {
  await toToken();
  const standing = await collection.run("POST /v1/sessions/{session_id}/get");
  assert.equal(standing.body.status, "SESSION_COMPLETED");
  await collection.run("POST /v1/token");
  await runAll(/^(GET|POST) .*\/(accounts|balances|transactions)|^(GET|POST) .*\/consents($|\/(get|list|extend|\{))/);
  await collection.run("POST /v1/consents/delete");
  await toToken();
  await collection.run("POST /v1/tokens");
  await collection.run("DELETE /v1/consents/{credentials_id}");
});

test("payments that are due later, read and cancelled by both styles", async () => {
  const catalog = await fetch(`${server.url}/v1/catalog/skills/${encodeURIComponent(payment)}`);
  const [{ step, example }] = (await catalog.json()).step_details;
  const due = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  const data = { ...example, payment_info: example.payment_info.map((info) => ({ ...info, requested_execution_date: due })) };
  for (const cancel of ["POST /v1/payments/cancel", "DELETE /v1/payments/{id}"]) {
    await toToken({ session: { skill: payment }, step: { skill: payment, step, data } });
    await collection.run("POST /v1/token");
    const { id } = (await collection.run("POST /v1/payments/get")).body;
    collection.variables.set("payment_id", id);
    await collection.run("GET /v1/payments/{id}");
    await collection.run(cancel);
  }
});

test("a card: a step with files by either path, and its products", async () => {
  const person = { first_name: "Ana", last_name: "Example", date_of_birth: "1990-05-17", accept: true };
  await collection.run("POST /v1/sessions", { body: { skill: card } });
  // The file goes with the nonce of its own step, which the answer to the step replaces.
  const own = async (step, data) => {
    const nonce = collection.variables.get("nonce");
    const answer = await collection.run("POST /v1/sessions/{session_id}/steps", { body: { skill: card, step, data } });
    collection.variables.set("nonce", nonce);
    return answer.body;
  };
  const first = await own("card_form", { limit: "5000", currency: "RON" });
  await collection.run("POST /v1/steps/{step_id}/upload", { form: { kind: "payslip", file: file() } });
  collection.variables.set("nonce", first.nonce);
  const last = await own("kyc", person);
  for (const kind of ["id_document", "selfie"]) {
    await collection.run("POST /v1/sessions/{session_id}/steps/{step_id}/upload", { form: { kind, file: file(kind) } });
  }
  collection.variables.set("temp_token", last.temp_token);
  await collection.run("POST /v1/token");
  await runAll(/\/products/);
});

test("no request was left out", () => {
  const never = [...collection.requests.keys()].filter((name) => !collection.ran.has(name));
  assert.deepEqual(never, []);
});
