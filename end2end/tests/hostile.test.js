// A page of another origin, in the browser of somebody who is signed in at the portal and at the sandbox bank: it sends every
// form that those have, in every way that a page can, and nothing happens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { post, skill, walkToBank } from "../lib/api.js";
import { approve, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { leaveKeys, register } from "../lib/portal.js";
import { startServer } from "../lib/server.js";

// More pages than the portal has for one tenant.
const mostPages = 150;

let server, browser, hostile, port;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  hostile = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Hostile</title><link rel=icon href=data:,><body>"));
  // All addresses of loopback, so that the page is of the same site under one name and of another under the other.
  hostile.listen(0);
  await once(hostile, "listening");
  ({ port } = hostile.address());
});

after(async () => {
  await browser?.close();
  hostile?.close();
  await server?.stop();
});

/** Every form that changes something on the pages that links lead to from `start`: its address and its fields as they are. */
async function formsFrom(page, start) {
  const { origin } = new URL(start);
  const [waiting, seen, forms] = [[start], new Set(), new Map()];
  while (waiting.length && seen.size < mostPages) {
    const url = waiting.shift();
    if (seen.has(url)) continue;
    seen.add(url);
    const answer = await page.goto(url);
    if (!(answer.headers()["content-type"] ?? "").startsWith("text/html")) continue;
    const found = await page.evaluate(() => ({
      links: [...document.querySelectorAll("a[href]")].map((link) => link.href.split("#")[0]),
      forms: [...document.forms]
        .filter((form) => form.method === "post")
        .flatMap((form) => {
          const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
          const buttons = [...form.querySelectorAll("button")];
          const actions = [form.getAttribute("action") ?? "", ...buttons.map((button) => button.getAttribute("formaction"))];
          const named = buttons.filter((button) => button.name).map((button) => [button.name, button.value]);
          return actions
            .filter((action) => action !== null)
            .map((action) => ({ action: new URL(action, location.href).href, fields: [...fields, ...named.slice(0, 1)] }));
        }),
    }));
    // Documentation is long and has no forms.
    waiting.push(...found.links.filter((link) => new URL(link).origin === origin && !new URL(link).pathname.startsWith("/docs")));
    for (const form of found.forms) forms.set(form.action + JSON.stringify(form.fields.map(([name]) => name)), form);
  }
  return [...forms.values()];
}

/** Sends forms from the page that is open, in each way that a page has to send something elsewhere. */
async function attack(page, forms) {
  await page.evaluate(async (forms) => {
    const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: "sink" }));
    for (const { action, fields } of forms) {
      const body = new URLSearchParams(fields);
      for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
        const form = document.body.appendChild(document.createElement("form"));
        Object.assign(form, { method: "post", action, enctype, target: "sink" });
        for (const [name, value] of fields) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
        const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
        // Not `form.submit`, which a field of that name would hide.
        HTMLFormElement.prototype.submit.call(form);
        await loaded;
        form.remove();
      }
      const outside = { method: "POST", mode: "no-cors", credentials: "include" };
      for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
        await fetch(action, { ...outside, headers: { "content-type": type }, body: body.toString() }).catch(() => {});
      }
      await fetch(action, { ...outside, keepalive: true }).catch(() => {});
      navigator.sendBeacon(action, body);
      const image = new Image();
      const done = new Promise((resolve) => (image.onload = image.onerror = resolve));
      image.src = `${action}${action.includes("?") ? "&" : "?"}${body}`;
      await done;
    }
  }, forms);
}

/** Opens every form's address with its fields in the query, as a link of the hostile page would. */
async function follow(page, forms) {
  for (const { action, fields } of forms) {
    const tab = await page.context().newPage();
    await tab.goto(`http://localhost:${port}/`);
    const to = `${action.split("?")[0]}?${new URLSearchParams(fields)}`;
    // An answer without a page (405) is no navigation to Chromium.
    const followed = tab.waitForNavigation().catch(() => {});
    await tab.evaluate((to) => setTimeout(() => location.assign(to)), to);
    await followed;
    await tab.close();
  }
}

/** The text of the list of tenants, without ages. */
async function list(page) {
  await page.goto(`${server.url}/tenants`);
  const text = await page.getByRole("main").innerText();
  return text.replaceAll(/\d+ \S+ ago|just now/g, "");
}

/** Lines that the portal wrote since `from`: method, screen and status of each visit. */
function visits(from) {
  const text = server.output().slice(from).replaceAll(/\u001b\[\d*m/g, "");
  return [...text.matchAll(/method=(\S+) screen="?([^" ]+)"? status=(\d+)/g)].map(([, method, screen, status]) => ({ method, screen, status: Number(status) }));
}

test("a hostile page changes nothing at the portal", () =>
  withPage(browser, { tolerates: /./, refusals: [400, 403, 404, 405, 408, 413, 415, 429] }, async (page, context) => {
    await register(page, server);
    await leaveKeys(page, "Send first request");
    const forms = await formsFrom(page, `${server.url}/tenants`);
    assert.ok(forms.length >= 15, `only ${forms.length} forms were found: ${forms.map((form) => form.action)}`);
    const own = forms.filter(({ action }) => new URL(action).origin === new URL(server.url).origin);
    assert.equal(own.length, forms.length);
    const [cookies, tenants] = [await context.cookies(server.url), await list(page)];
    const from = server.output().length;
    // The same address with another port is another origin of the same site: cookies are sent along. `localhost` is another site.
    for (const host of ["127.0.0.1", "localhost"]) {
      await page.goto(`http://${host}:${port}/`);
      await attack(page, forms);
    }
    await follow(page, forms);
    const posts = visits(from).filter(({ method }) => method === "POST");
    assert.ok(posts.length >= forms.length * 10, `${posts.length} posts arrived of ${forms.length} forms`);
    const effects = posts.filter(({ status }) => status !== 403 && status !== 429);
    assert.deepEqual(effects, []);
    // A stranger's budget of forms is no reason for an empty result.
    assert.ok(posts.filter(({ status }) => status === 403).length >= forms.length * 4);
    assert.deepEqual(await context.cookies(server.url), cookies, "still signed in, in the same session and theme");
    assert.equal(await list(page), tenants);
  }));

test("a hostile page ends no consent and gives none at the bank", () =>
  withPage(browser, { tolerates: /./, refusals: [400, 403, 404, 405, 408, 413, 415, 429] }, async (page) => {
    const { servicer_id } = await server.operate("servicer", "create", "--name", "Example Ltd", "--kind", "consumer");
    const link = `http://127.0.0.1:${port}/back`;
    const keys = await server.operate(
      ...["tenant", "create", "--servicer", servicer_id, "--name", "Example app", "--environment", "sandbox"],
      ...["--skill", skill, "--redirect-link", link],
    );
    const first = await walkToBank(server, keys, link);
    await page.goto(first.bank);
    await signInAtBank(page, "family");
    await approve(page, 2);
    await page.waitForURL(/temp_token/);
    // One consent is given, another one waits for a decision.
    const second = await walkToBank(server, keys, link);
    const bank = new URL(second.bank).origin;
    const waiting = await formsFrom(page, second.bank);
    const listed = await formsFrom(page, `${bank}/consents`);
    const forms = [...waiting, ...listed];
    assert.ok(listed.some(({ action }) => action.endsWith("/end")), `${listed.map((form) => form.action)}`);
    for (const host of ["127.0.0.1", "localhost"]) {
      await page.goto(`http://${host}:${port}/`);
      await attack(page, forms);
    }
    await follow(page, forms);
    await page.goto(`${bank}/consents`);
    assert.equal(await page.getByRole("button", { name: "End now" }).count(), 1, "the consent is there, and no second one");
    const proof = { client_id: keys.client_id, client_secret: keys.client_secret };
    const { body } = await post(server, `/sessions/${second.session_id}/get`, proof);
    assert.equal(body.status, "SESSION_IN_PROGRESS", JSON.stringify(body));
  }));
