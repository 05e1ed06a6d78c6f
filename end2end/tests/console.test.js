// The main job, by hand: from new keys through the bank's consent to rows of accounts and transactions.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { post, skill } from "../lib/api.js";
import { approve, refuse, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { goToBank, logged, rows, send } from "../lib/console.js";
import { assertHeading, leaveKeys, register } from "../lib/portal.js";
import { startServer } from "../lib/server.js";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without JavaScript";

  test(`a developer gets from new keys to accounts and transactions${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      const { client_id, client_secret } = await register(page, server);
      const returned = page.waitForResponse((response) => response.url().includes("temp_token="), { timeout: 30_000 });
      await goToBank(page);
      await signInAtBank(page, "family");
      await approve(page, 3);
      const token = new URL((await returned).url()).searchParams.get("temp_token");

      await page.getByRole("heading", { name: "Next: Exchange token" }).waitFor();
      assert.equal((await returned).status(), 303);
      assert.equal(new URL(page.url()).search, "", "the token is not left in the address");
      await assertNowhere(page, token);

      await send(page, "exchange");
      await page.getByRole("heading", { name: "Next: Read accounts" }).waitFor();
      await assertNowhere(page, token);
      await send(page, "accounts");
      const accounts = await rows(page, "Accounts");
      assert.equal(accounts.length, 3);
      for (const cells of accounts) assert.match(cells.join(" "), /RO\d\d [A-Z]{4}.*\d\.\d\d (RON|EUR)/);
      await send(page, "transactions");
      const transactions = await rows(page, /^Transactions/);
      assert.equal(transactions.length, 50);
      for (const cells of transactions) assert.match(cells.join(" "), /^20\d\d-\d\d-\d\d .*\d\.\d\d (RON|EUR)$/);
      await page.getByRole("heading", { name: "Done: your first data" }).waitFor();
      await page.getByRole("button", { name: "Read balances" }).click();
      const balances = await rows(page, "Balances");
      for (const cells of balances) assert.match(cells.join(" "), /\w+ \w+ .*\d\.\d\d (RON|EUR)$/);
      assert.ok(balances.length >= 3, "each account has one");
      await assertNowhere(page, token);
      await assertNowhere(page, client_secret);

      const log = await logged(page, server, ["POST /v1/transactions/get", "200"], 1000);
      for (const call of ["POST /v1/sessions ", "/steps", "POST /v1/token", "POST /v1/accounts/get"]) {
        assert.ok(log.some((line) => `${line} `.replace(/\s+/g, " ").includes(call)), `${call} is not in the log`);
      }
      await page.goto(`${server.url}/overview`);
      await page.getByText("The last 24 hours of all your tenants.").waitFor();
      await page.getByRole("link", { name: /Sessions completed\s*1\b/ }).waitFor();
      assert.ok(client_id);
    }));

  test(`a refusal at the bank is explained, and trying again works${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      await register(page, server);
      await goToBank(page);
      await signInAtBank(page, "student");
      await refuse(page);
      await page.getByText("The end-user refused at the bank").waitFor();
      await page.getByText(/A refusal ends the attempt, not the session/).waitFor();

      await send(page, "ask");
      await send(page, "step");
      await page.getByRole("link", { name: "Open the bank’s page" }).click();
      await signInAtBank(page, "student");
      await approve(page, 1);
      await send(page, "exchange");
      await send(page, "accounts");
      assert.equal((await rows(page, "Accounts")).length, 1);
    }));
}

test("a call made by a tenant's own code is in the log within a second, with its cause and fix", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_app_key, client_secret } = await register(page, server);
    const made = await post(server, "/sessions", { client_id, client_app_key, skill, nonsense: 1 });
    assert.equal(made.status, 400);
    const called = performance.now();
    await logged(page, server, ["POST /v1/sessions", "400", "unknown_fields"], 1000);
    assert.ok(performance.now() - called < 1000, "the page itself came within the second");

    await page.getByRole("row", { name: /unknown_fields/ }).getByRole("link").click();
    await assertHeading(page, "POST /v1/sessions");
    const why = page.getByRole("region", { name: "Why it failed" });
    await why.getByText("Cause", { exact: true }).waitFor();
    await why.getByText("Fix", { exact: true }).waitFor();
    for (const secret of [client_app_key, client_secret]) await assertNowhere(page, secret);
  }));

test("the open log shows a new call by itself", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_app_key } = await register(page, server);
    await post(server, "/sessions", { client_id, client_app_key, skill });
    await logged(page, server, ["POST /v1/sessions", "200"], 1000);
    await page.getByRole("button", { name: "Live" }).waitFor();
    await post(server, "/sessions", { client_id, client_app_key, skill, nonsense: 1 });
    await page.getByRole("row", { name: /unknown_fields/ }).waitFor();
  }));

test("step data that is no JSON stays as it was typed, with what is wrong", () =>
  withPage(browser, {}, async (page) => {
    await register(page, server);
    await leaveKeys(page, "Send first request");
    await page.getByRole("button", { name: "Show as JSON" }).click();
    const data = page.getByLabel(/^data of step sca/);
    await data.fill("{ \"psu_redirect_link\": ");
    await page.getByRole("button", { name: "Send POST …/steps" }).click();
    await page.locator("[aria-invalid=true]").waitFor();
    assert.equal(await data.inputValue(), "{ \"psu_redirect_link\": ");

    await data.fill(JSON.stringify({ psu_redirect_link: "https://example.com/unregistered" }));
    await page.getByRole("button", { name: "Send POST …/steps" }).click();
    await page.getByRole("link", { name: "Open the tenant’s settings" }).waitFor();
    assert.equal(await page.getByLabel("Return link").inputValue(), "https://example.com/unregistered");
    await page.getByText("is not registered on this tenant", { exact: true }).waitFor();
  }));

async function assertNowhere(page, secret) {
  assert.ok(!(await page.content()).includes(secret), `a secret is in the page ${page.url()}`);
}
