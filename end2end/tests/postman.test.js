// The Postman collection that the server hands out, run against that server: every request but the bank's return.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { skill } from "../lib/api.js";
import { Collection } from "../lib/postman.js";
import { startServer } from "../lib/server.js";
import { agree } from "../lib/walk.js";

const LINK = "myapp://return";
/** The user's browser is sent there by the bank; files, which a person chooses; and payments and products, which are
 * flows of their own. */
const BY_HAND = /^GET \/v1\/redirects|\/upload$|\/(payments|products)\b/;

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

/** A session up to the temporary token, through the bank. */
async function toToken(collection) {
  await collection.run("POST /v1/sessions");
  const step = await collection.run("POST /v1/sessions/{session_id}/steps");
  const end = await agree(step.body.data.url, { user: "student" });
  collection.variables.set("temp_token", new URL(end).searchParams.get("temp_token"));
}

test("every request of the collection succeeds in the order of an integration", async () => {
  const { servicer_id } = await server.operate("servicer", "create", "--name", "Example Ltd", "--kind", "consumer");
  const made = ["--servicer", servicer_id, "--name", "Budget app", "--environment", "sandbox", "--skill", skill];
  const keys = await server.operate("tenant", "create", ...made, "--redirect-link", LINK);
  const response = await fetch(`${server.url}/v1/postman.json`);
  assert.equal(response.headers.get("content-type"), "application/json");
  const collection = new Collection(await response.json());
  assert.equal(collection.variables.get("base_url"), server.url);
  for (const [name, value] of Object.entries(keys)) collection.variables.set(name, value);

  // What needs nothing but keys, or nothing at all.
  for (const name of collection.requests.keys()) {
    if (/(livez|readyz)$|\/catalog/.test(name)) await collection.run(name);
  }
  await toToken(collection);
  const standing = await collection.run("POST /v1/sessions/{session_id}/get");
  assert.equal(standing.body.status, "SESSION_COMPLETED");
  await collection.run("POST /v1/token");
  for (const name of collection.requests.keys()) {
    if (/\/(accounts|balances|transactions)|\/consents($|\/(get|list|extend|\{))/.test(name) && !name.startsWith("DELETE")) await collection.run(name);
  }
  await collection.run("POST /v1/consents/delete");
  // The same ends, by their other paths.
  await toToken(collection);
  await collection.run("POST /v1/tokens");
  await collection.run("DELETE /v1/consents/{credentials_id}");
  await collection.run("POST /v1/sessions");
  await collection.run("POST /v1/sessions/{session_id}/cancel");

  const never = [...collection.requests.keys()].filter((name) => !collection.ran.has(name) && !BY_HAND.test(name));
  assert.deepEqual(never, []);
});
