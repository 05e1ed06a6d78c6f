// The SDK's browser half in Chromium: loaded from the portal's origin, called from an app's own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { readAccounts, skill } from "../lib/api.js";
import { approve, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";

let server, browser, app, stranger, keys;
const card = "xyz_card_sbx_#1.0";
const html = "<!doctype html><title>An app</title><link rel=icon href=data:,>The app";

async function site() {
  const listening = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(html)).listen(0, "127.0.0.1");
  await once(listening, "listening");
  return { url: `http://127.0.0.1:${listening.address().port}`, close: () => listening.close() };
}

before(async () => {
  [server, browser, app, stranger] = await Promise.all([startServer(), launch(), site(), site()]);
  keys = await newTenant(server, { skills: [skill, card], links: [`${app.url}/return?of=bank`], origins: [app.url] });
});

after(async () => {
  await browser?.close();
  app?.close();
  stranger?.close();
  await server?.stop();
});

/** What the code in the page gets: where the SDK is, and the keys that may be in a browser. */
const given = () => ({ sdk: `${server.url}/sdk/browser.js`, url: server.url, client_id: keys.client_id, client_app_key: keys.client_app_key });

for (const [name, type] of [["browser.js", "text/javascript"], ["core.js", "text/javascript"], ["schemes.js", "text/javascript"], ["server.js", "text/javascript"], ["browser.d.ts", "text/plain"], ["package.json", "application/json"]]) {
  test(`/sdk/${name} is served to any origin, and not again when it has not changed`, async () => {
    const answer = await fetch(`${server.url}/sdk/${name}`);
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    const said = (header) => answer.headers.get(header) ?? "";
    assert.equal(said("content-type").split(";")[0], type);
    assert.equal(said("access-control-allow-origin"), "*");
    assert.equal(said("cross-origin-resource-policy"), "cross-origin");
    assert.match(said("cache-control"), /^public, max-age=\d+$/);
    const again = await fetch(`${server.url}/sdk/${name}`, { headers: { "if-none-match": said("etag") }, cache: "no-store" });
    assert.equal(again.status, 304);
  });
}

test("a session runs in a page of another origin, from its first nonce to a clean address", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const leaving = page.waitForURL((url) => ![app.url, server.url].includes(url.origin));
    await page.evaluate(async ({ sdk, skill, ...options }) => {
      const { SessionFlow, TesseraBrowser } = await import(sdk);
      const flow = await SessionFlow.open(new TesseraBrowser(options), { skill, pkce: true });
      flow.leave(await flow.submit(flow.next_step, { psu_redirect_link: `${location.origin}/return?of=bank` }));
    }, { ...given(), skill });
    await leaving;
    await signInAtBank(page, "family");
    await approve(page, 2);
    await page.waitForURL(`${app.url}/**`);

    const returned = await page.evaluate(async ({ sdk, skill, ...options }) => {
      const { SessionFlow, TesseraBrowser } = await import(sdk);
      const { flow, ...rest } = await SessionFlow.resume(new TesseraBrowser(options));
      return { ...rest, session_id: flow.session_id, code_verifier: flow.code_verifier, left: JSON.stringify({ ...sessionStorage }) };
    }, { ...given(), skill });
    assert.equal(returned.kind, "last");
    assert.doesNotMatch(returned.left, /nonce|verifier|temp_token|used/, "what stays in the tab opens nothing");
    assert.equal(page.url(), `${app.url}/return?of=bank`);
    const { temp_token, code_verifier } = returned;
    assert.equal((await readAccounts(server, keys, temp_token, code_verifier)).length, 2);
  }));

test("the catalog is read from another origin, percent-encoded names and all", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const step = await page.evaluate(async ({ sdk, skill, ...options }) => {
      const { TesseraBrowser } = await import(sdk);
      return (await new TesseraBrowser(options).catalog.skill(skill)).step_details[0].step;
    }, { ...given(), skill });
    assert.equal(step, "sca");
  }));

test("a file goes along with a step from another origin, and the page is told how far it is", () =>
  withPage(browser, { refusals: [415, 400] }, async (page) => {
    await page.goto(app.url);
    const sent = await page.evaluate(async ({ sdk, card, ...options }) => {
      const { SessionFlow, TesseraBrowser } = await import(sdk);
      const flow = await SessionFlow.open(new TesseraBrowser(options), { skill: card });
      await flow.submit("card_form", { limit: "5000", currency: "RON" });
      const png = new Uint8Array(3_000_000);
      png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
      const parts = [];
      const onProgress = (part) => parts.push(part);
      const upload = await flow.upload({ kind: "payslip", file: new File([png], "payslip.png") }, { onProgress });
      const error = await flow.upload({ kind: "payslip", file: new Blob(["text"]) }, { onProgress }).catch(({ http, code }) => ({ http, code }));
      const gone = new AbortController();
      gone.abort(new Error("changed their mind"));
      const aborted = await flow.upload({ kind: "payslip", file: new Blob([png]) }, { onProgress, signal: gone.signal }).catch(({ message }) => message);
      return { upload, parts, error, aborted };
    }, { ...given(), card });
    assert.equal(sent.upload.size, 3_000_000);
    assert.match(sent.upload.sha256, /^[0-9a-f]{64}$/);
    assert.ok(sent.parts.length >= 2 && sent.parts.every((part) => part >= 0 && part <= 1), `${sent.parts}`);
    assert.ok(sent.error.http >= 400 && sent.error.code, JSON.stringify(sent.error));
    assert.equal(sent.aborted, "changed their mind");
  }));

test("an origin that is not registered is told so, in an error the page can read", () =>
  withPage(browser, { refusals: [403] }, async (page) => {
    await page.goto(stranger.url);
    const error = await page.evaluate(async ({ sdk, skill, ...options }) => {
      const { SessionFlow, TesseraBrowser } = await import(sdk);
      return SessionFlow.open(new TesseraBrowser(options), { skill }).catch(({ code, http, id }) => ({ code, http, id }));
    }, { ...given(), skill });
    assert.deepEqual([error.code, error.http], ["origin_not_allowed", 403]);
    assert.match(error.id, /^[0-9a-f-]{36}$/);
  }));

test("the server's half refuses to load in a page, and says where it belongs", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const why = await page.evaluate((sdk) => import(sdk).then(() => "loaded", (error) => error.message), `${server.url}/sdk/server.js`);
    assert.match(why, /was loaded in a browser.*Load browser\.js there/);
  }));

test("a browser's half given a secret refuses it before it leaves", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const sent = [];
    page.on("request", (request) => sent.push(request.url()));
    const secret = "tsr_sbx_cs_not-a-real-one";
    const why = await page.evaluate(async ({ sdk, secret, ...options }) => {
      const { TesseraBrowser } = await import(sdk);
      const tries = [{ ...options, client_secret: secret }, { ...options, client_app_key: secret }];
      return tries.map((options) => {
        try {
          return String(new TesseraBrowser(options));
        } catch (error) {
          return error.message;
        }
      });
    }, { ...given(), secret });
    assert.match(why[0], /takes no client_secret/);
    assert.match(why[1], /must never be in a browser/);
    assert.deepEqual(sent.filter((url) => !url.includes("/sdk/")), []);
  }));
