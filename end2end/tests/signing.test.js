// Signed requests: a key is registered in the portal, an independent library signs with it, and the debugger says what
// is wrong with what was refused.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from "jose";

import { launch, withPage } from "../lib/browser.js";
import { assertHeading, register } from "../lib/portal.js";
import { assertScreen, still } from "../lib/screen.js";
import { TesseraServer } from "../lib/sdk.js";
import { startServer } from "../lib/server.js";

const issuer = "signer@app.example.com";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Adds a key on the Signing page. */
async function addKey(page, material) {
  await page.goto(`${server.url}/signing`);
  await page.getByRole("link", { name: "Add key" }).first().click();
  await page.getByLabel("Issuer").fill(issuer);
  await page.getByLabel("Public key, or URL of a key set").fill(material);
  await page.getByRole("button", { name: "Add key" }).click();
}

/** A signature by `jose` over a body. */
function sign(key, alg, body, header = {}) {
  const digest = createHash("sha256").update(body).digest("base64");
  return new SignJWT({ email: issuer, digest, jti: randomUUID() })
    .setProtectedHeader({ alg, typ: "JWT", ...header })
    .setIssuer(issuer)
    .setSubject(issuer)
    .setAudience("api.finqware.com")
    .setIssuedAt()
    .setExpirationTime("60s")
    .sign(key);
}

async function post(path, body, jws) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${jws}` };
  const answer = await fetch(`${server.url}${path}`, { method: "POST", headers, body });
  return { status: answer.status, body: await answer.json() };
}

test("whatever jose signs with a registered key is accepted, in each algorithm, as PEM and as JWK", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_secret } = await register(page, server);
    const body = JSON.stringify({ client_id, client_secret });
    for (const alg of ["RS256", "ES256", "PS256", "EdDSA"]) {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      const kid = `${alg}-${randomUUID()}`;
      const asJwk = JSON.stringify({ ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
      await addKey(page, alg === "RS256" ? await exportSPKI(publicKey) : asJwk);
      await page.getByText("Added. Signatures made with it are accepted").waitFor();
      const header = alg === "RS256" ? {} : { kid };
      const good = await post("/v1s/consents/list", body, await sign(privateKey, alg, body, header));
      assert.equal(good.status, 200, `${alg}: ${JSON.stringify(good.body)}`);
      const { privateKey: other } = await generateKeyPair(alg);
      const forged = await post("/v1s/consents/list", body, await sign(other, alg, body, header));
      assert.equal(forged.body.code, "invalid_signature");
      assert.match(forged.body.message, /`signature`/);
    }
  }));

test("the SDK signs what its server half asks", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_secret } = await register(page, server);
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await addKey(page, publicKey.export({ type: "spki", format: "pem" }));
    await page.getByText("Added. Signatures made with it are accepted").waitFor();
    const signing = { issuer, key: privateKey.export({ type: "pkcs8", format: "pem" }) };
    const client = new TesseraServer({ url: server.url, client_id, client_secret, signing });
    assert.deepEqual(await client.consents().all(), []);
    assert.ok((await client.catalog.skills({ limit: 2 }).all()).length > 3, "calls without a body, page by page");
    // From now on nothing else is served.
    await page.goto(`${server.url}/tenants/${client_id}/settings`);
    await page.getByLabel("Signed only").check();
    await page.getByRole("button", { name: "Save signing" }).click();
    await page.getByText("Saved. Applies from the next call.").waitFor();
    const unsigned = new TesseraServer({ url: server.url, client_id, client_secret, retries: 0 });
    await assert.rejects(unsigned.consents().all(), { code: "signature_required" });
    assert.deepEqual(await client.consents().all(), []);
  }));

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without JavaScript";
  test(`the debugger shows which byte differs, and a stopped key is refused${how}`, () =>
    withPage(browser, { javaScriptEnabled, ...still }, async (page) => {
      // Screens look the same without JavaScript: once is enough.
      const look = () => javaScriptEnabled && assertScreen(page);
      const { client_id, client_secret } = await register(page, server);
      await page.goto(`${server.url}/signing`);
      await page.getByText("No key yet").waitFor();
      await look();
      const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
      await addKey(page, "-----BEGIN PRIVATE KEY-----");
      await page.getByText("This is a private key.").first().waitFor();
      assert.equal(await page.getByLabel("Issuer").inputValue(), issuer, "what was typed is kept");
      await page.getByLabel("Public key, or URL of a key set").fill(await exportSPKI(publicKey));
      await page.getByRole("button", { name: "Add key" }).click();
      await page.getByText("Added. Signatures made with it are accepted").waitFor();
      await look();

      // A body that was changed after it was digested.
      const sent = JSON.stringify({ client_id, client_secret });
      const jws = await sign(privateKey, "ES256", sent.replace(client_id, client_id.toUpperCase()));
      const refused = await post("/v1s/consents/list", sent, jws);
      assert.match(refused.body.message, /`digest`/);
      await page.goto(refused.body.hint.match(/https?:\/\/\S+/)[0]);
      await assertHeading(page, "Signature debugger");
      await page.getByText("The check “Digest of the body” fails").waitFor();
      await look();

      // The same is found when it is typed in, and the usual cause is named.
      const spaced = await sign(privateKey, "ES256", sent.replaceAll('":"', '": "').replaceAll('","', '", "'));
      const pretty = await sign(privateKey, "ES256", JSON.stringify(JSON.parse(sent), null, 2) + "\n");
      await page.goto(`${server.url}/signing/debugger`);
      await page.getByRole("link", { name: /now|ago/ }).first().waitFor();
      await fillIn(page, spaced, sent);
      await page.getByText("You digested the JSON with spaces after commas and colons").first().waitFor();
      await page.getByText("a space (0x20)").first().waitFor();
      await look();
      await fillIn(page, pretty, sent);
      await page.getByText("The check “Digest of the body” fails").waitFor();
      await fillIn(page, `Authorization: Bearer ${await sign(privateKey, "ES256", sent)}`, sent);
      await page.getByText("This signature would be accepted").waitFor();

      await page.goto(`${server.url}/signing`);
      await page.getByRole("link", { name: `Stop the key of ${issuer}` }).click();
      await page.getByText("This issuer has no other key").waitFor();
      await look();
      await page.getByRole("button", { name: "Stop key now" }).click();
      await page.getByText("Stopped. Signatures made with it are refused.").waitFor();
      const stopped = await post("/v1s/consents/list", sent, await sign(privateKey, "ES256", sent));
      assert.match(stopped.body.message, /`issuer`/);
    }));
}

async function fillIn(page, jws, body) {
  await page.getByLabel("Signature", { exact: true }).fill(jws);
  await page.getByLabel("URL or path").fill("/v1s/consents/list");
  await page.getByLabel(/^Body/).fill(body);
  await page.getByRole("button", { name: "Check" }).click();
}
