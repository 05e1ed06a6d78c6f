// The bank's return ends at the tenant's own link, whatever that is: browsers hold a form's whole chain of redirects to
// `form-action`, so a policy that is right on every page of ours would still block this.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { post, readAccounts, skill, walkToBank } from "../lib/api.js";
import { approve, refuse, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { startServer } from "../lib/server.js";

let server, browser, app, keys, appLink;
const customLink = "myapp://return";

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  app = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>An app</title><link rel=icon href=data:,>Back in the app"));
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  appLink = `http://127.0.0.1:${app.address().port}/back?from=bank`;
  const { servicer_id } = await server.operate("servicer", "create", "--name", "Example Ltd", "--kind", "consumer");
  keys = await server.operate(
    ...["tenant", "create", "--servicer", servicer_id, "--name", "Example app", "--environment", "sandbox"],
    ...["--skill", skill, "--redirect-link", appLink, "--redirect-link", customLink],
  );
});

after(async () => {
  await browser?.close();
  app?.close();
  await server?.stop();
});

test("a consent ends at another origin, with the temp_token beside the link's own query", () =>
  withPage(browser, {}, async (page) => {
    const { session_id, bank } = await walkToBank(server, keys, appLink);
    await page.goto(bank);
    assert.notEqual(new URL(page.url()).origin, new URL(server.url).origin, "the bank is another company");
    await signInAtBank(page, "family");
    await approve(page, 2);
    await page.getByText("Back in the app").waitFor();
    const end = new URL(page.url());
    assert.equal(end.origin + end.pathname, new URL(appLink).origin + "/back");
    assert.equal(end.searchParams.get("from"), "bank");
    assert.equal(end.searchParams.get("session_id"), session_id);
    const accounts = await readAccounts(server, keys, end.searchParams.get("temp_token"));
    assert.equal(accounts.length, 2);
  }));

test("a refusal ends there, too, and says so", () =>
  withPage(browser, {}, async (page) => {
    const { session_id, bank } = await walkToBank(server, keys, appLink);
    await page.goto(bank);
    await signInAtBank(page, "family");
    await refuse(page);
    await page.getByText("Back in the app").waitFor();
    const { searchParams } = new URL(page.url());
    assert.equal(searchParams.get("error"), "access_denied");
    assert.equal(searchParams.get("session_id"), session_id);
    assert.equal(searchParams.get("temp_token"), null);
  }));

test("a consent ends at a custom scheme, and no policy blocks the way", () =>
  withPage(browser, { tolerates: /Failed to launch 'myapp:/ }, async (page, context) => {
    const { session_id, bank } = await walkToBank(server, keys, customLink);
    const issues = [];
    const debug = await context.newCDPSession(page);
    debug.on("Audits.issueAdded", ({ issue }) => issues.push(issue));
    await debug.send("Audits.enable");
    const redirected = page.waitForResponse((response) => response.headers().location?.startsWith(customLink));
    // The scheme has no handler here: that is how the browser says that it went there.
    const left = page.waitForEvent("requestfailed", (request) => request.url().startsWith(customLink));

    await page.goto(bank);
    await signInAtBank(page, "student");
    await approve(page, 1);

    const end = new URL((await redirected).headers().location);
    assert.equal((await redirected).status(), 303);
    assert.equal(end.searchParams.get("session_id"), session_id);
    const why = (await left).failure().errorText;
    assert.doesNotMatch(why, /BLOCKED_BY_CSP/);
    assert.deepEqual(issues.filter(({ code }) => code === "ContentSecurityPolicyIssue"), []);
    const accounts = await readAccounts(server, keys, end.searchParams.get("temp_token"));
    assert.equal(accounts.length, 1);
  }));

test("the accounts come ticked, nothing is shared before the user agrees, and none ticked is said in place", () =>
  withPage(browser, {}, async (page) => {
    const { session_id, bank } = await walkToBank(server, keys, appLink);
    await page.goto(bank);
    await signInAtBank(page, "family", "wrong");
    await page.getByRole("alert").filter({ hasText: "User name or password is not right" }).waitFor();
    await signInAtBank(page, "family");
    const boxes = page.getByRole("checkbox");
    await boxes.first().waitFor();
    assert.equal(await boxes.count(), 4);
    for (const box of await boxes.all()) assert.equal(await box.isChecked(), true);
    await approve(page, 0);
    await page.getByRole("alert").filter({ hasText: "Tick at least one account" }).waitFor();
    const { client_id, client_secret } = keys;
    const { status } = (await post(server, `/sessions/${session_id}/get`, { client_id, client_secret })).body;
    assert.equal(status, "SESSION_IN_PROGRESS");
  }));
