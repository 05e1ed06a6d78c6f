// Changing keys under a running app: both work, then one of them, and nobody needs a mouse for it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { post, skill } from "../lib/api.js";
import { launch, withPage } from "../lib/browser.js";
import { tabTo } from "../lib/keyboard.js";
import { assertHeading, leaveKeys, newEmail, password, passwordField, register, shownKeys } from "../lib/portal.js";
import { startServer } from "../lib/server.js";
import { until } from "../lib/until.js";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What opening a session answers to a secret: the call of a tenant without a front end. */
async function answerTo(client_id, client_secret) {
  return (await post(server, "/sessions", { client_id, client_secret, skill })).status;
}

function keysPage(page, client_id) {
  return page.goto(`${server.url}/tenants/${client_id}/keys`);
}

/** The key a rotation shows, once. */
function newKey(page, kind) {
  const prefix = kind === "client_secret" ? "tsr_sbx_cs_" : "tsr_sbx_ak_";
  return page.getByRole("region", { name: `New ${kind}` }).getByText(new RegExp(`^${prefix}[0-9A-Za-z]{40,}$`)).innerText();
}

test("a rotated secret works beside the old one until that is stopped", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_secret: old } = await register(page, server);
    await keysPage(page, client_id);
    await page.getByRole("link", { name: /^Rotate…\s*client_secret/ }).click();
    assert.ok(await page.getByRole("radio", { name: "24 hours" }).isChecked(), "a day of overlap is preselected");
    await page.getByRole("button", { name: "Rotate client_secret" }).click();
    const fresh = await newKey(page, "client_secret");
    assert.notEqual(fresh, old);
    assert.equal(await answerTo(client_id, old), 200);
    assert.equal(await answerTo(client_id, fresh), 200);

    await leaveKeys(page, "Back to the keys");
    await until("the page to know that the old secret was used", 5000, async () => {
      if (await page.getByText("Not safe to end yet").isVisible()) return true;
      await page.reload();
    });
    await page.getByRole("link", { name: /^Stop now…\s*client_secret\s*\(old\)/ }).click();
    await page.getByRole("button", { name: "Stop client_secret now" }).click();
    await page.getByText("That key is refused from now on.").waitFor();
    await until("the old secret to be refused", 1000, async () => (await answerTo(client_id, old)) === 401);
    assert.equal(await answerTo(client_id, fresh), 200);
    assert.ok(!(await page.content()).includes(fresh), "a secret is shown once");
  }));

test("reloading the answer to a rotation does not rotate again", () =>
  withPage(browser, {}, async (page) => {
    const { client_id } = await register(page, server);
    await page.goto(`${server.url}/tenants/${client_id}/keys/rotate/client_secret`);
    await page.getByRole("radio", { name: "Revoke immediately" }).check();
    await page.getByRole("button", { name: "Rotate client_secret" }).click();
    const fresh = await newKey(page, "client_secret");
    await page.reload();
    assert.ok(!(await page.content()).includes(fresh));
    assert.equal(await answerTo(client_id, fresh), 200);
  }));

test("an app key is rotated, and may be read again at any time", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_app_key: old } = await register(page, server);
    await keysPage(page, client_id);
    await page.getByRole("link", { name: /^Rotate…\s*client_app_key/ }).click();
    await page.getByRole("button", { name: "Rotate client_app_key" }).click();
    const fresh = await newKey(page, "client_app_key");
    await keysPage(page, client_id);
    await page.getByText(fresh).waitFor();
    await page.getByText(old).waitFor();
    for (const client_app_key of [old, fresh]) {
      assert.equal((await post(server, "/sessions", { client_id, client_app_key, skill })).status, 200);
    }
  }));

test("start and rotation are done with the keyboard alone, and the focus is always seen", () =>
  withPage(browser, {}, async (page) => {
    const write = async (field, text) => {
      await tabTo(page, field);
      await page.keyboard.type(text);
    };
    const follow = async (thing, key = "Enter") => {
      await tabTo(page, thing);
      await page.keyboard.press(key);
    };
    await page.goto(server.url);
    await follow(page.getByRole("main").getByRole("link", { name: "Get sandbox keys" }));
    await page.getByLabel("Email", { exact: true }).waitFor();
    await write(page.getByLabel("Project or company name"), "Example Ltd");
    await write(page.getByLabel("Email", { exact: true }), newEmail());
    await write(passwordField(page), password);
    await write(page.getByLabel("Country"), "Romania");
    await follow(page.getByRole("button", { name: "Create my keys" }));
    const { client_id, client_secret } = await shownKeys(page);

    await keysPage(page, client_id);
    await follow(page.getByRole("link", { name: /^Rotate…\s*client_secret/ }));
    await page.getByRole("radio", { name: "24 hours" }).waitFor();
    await tabTo(page, page.getByRole("radio", { name: "24 hours" }));
    await page.keyboard.press("ArrowDown");
    assert.ok(await page.getByRole("radio", { name: "1 hour" }).isChecked());
    await follow(page.getByRole("button", { name: "Rotate client_secret" }));
    const fresh = await newKey(page, "client_secret");
    assert.equal(await answerTo(client_id, client_secret), 200);
    assert.equal(await answerTo(client_id, fresh), 200);
    await assertHeading(page, "client_secret rotated");
  }));

test("a copied key is the key", () =>
  withPage(browser, { permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
    const { client_secret } = await register(page, server);
    await page.getByRole("button", { name: "Copy client_secret" }).click();
    await page.getByText("Copied").first().waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), client_secret);
  }));

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without JavaScript";
  test(`new keys are saved as a file${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      const keys = await register(page, server);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download .env" }).click(),
      ]);
      assert.equal(download.suggestedFilename(), "tessera.env");
      const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
      assert.deepEqual(lines.slice(1), [
        `TESSERA_URL=${server.url}`,
        `TESSERA_CLIENT_ID=${keys.client_id}`,
        `TESSERA_CLIENT_APP_KEY=${keys.client_app_key}`,
        `TESSERA_CLIENT_SECRET=${keys.client_secret}`,
      ]);
      await page.getByText(keys.client_secret, { exact: true }).waitFor();
    }));
}

test("the keys page shows which key still calls, and leads to its calls", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_secret: old } = await register(page, server);
    await page.goto(`${server.url}/tenants/${client_id}/keys/rotate/client_secret`);
    await page.getByRole("button", { name: "Rotate client_secret" }).click();
    await newKey(page, "client_secret");
    assert.equal(await answerTo(client_id, old), 200);
    await keysPage(page, client_id);
    const calls = page.getByRole("region", { name: "Recent calls with these keys" });
    const log = page.getByRole("link", { name: "1 call in 24 h" });
    await until("the call to be listed with its key, and counted", 5000, async () => {
      const listed = await calls.getByText(`client_secret …${old.slice(-4)} (old)`).isVisible();
      if (listed && (await log.isVisible())) return true;
      await page.reload();
    });
    await log.click();
    await page.getByText("Only calls with the key").waitFor();
    assert.equal(await page.getByRole("region", { name: "Requests" }).locator("tbody tr").count(), 1);
  }));
