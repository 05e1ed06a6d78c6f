// Tenants: one form makes one, and what it lays down for a skill holds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { skill } from "../lib/api.js";
import { launch, withPage } from "../lib/browser.js";
import { assertAt, register, shownKeys } from "../lib/portal.js";
import { startServer } from "../lib/server.js";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("reloading the answer to Create tenant makes no second one", () =>
  withPage(browser, {}, async (page) => {
    await register(page, server);
    await page.goto(`${server.url}/tenants/new`);
    await page.getByLabel("Name").fill("Second tenant");
    await page.getByRole("button", { name: "Create tenant" }).click();
    const { client_id, client_secret } = await shownKeys(page);
    await page.reload();
    assertAt(page, `/tenants/${client_id}/keys`);
    await page.getByText(`tsr_sbx_cs_${"•".repeat(20)}${client_secret.slice(-4)}`).waitFor();
    await page.goto(`${server.url}/tenants`);
    assert.equal(await page.getByRole("rowheader").count(), 2, "the first tenant and the second");
  }));

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without JavaScript";
  test(`consents and data last as long as the tenant says, skill by skill${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      const { client_id } = await register(page, server);
      await page.goto(`${server.url}/tenants/${client_id}/skills`);
      const row = page.getByRole("row").filter({ hasText: skill });
      await row.getByText("90 days").waitFor();
      await row.getByRole("link", { name: `Change the terms of ${skill}` }).click();
      await page.getByLabel("Consent lifetime (days)").fill("181");
      await page.getByLabel("Data retention (days)").fill("30");
      await page.getByRole("button", { name: "Save terms" }).click();
      await page.getByText("Enter 1 to 180 days.").waitFor();
      assert.equal(await page.getByLabel("Data retention (days)").inputValue(), "30", "what was typed is kept");
      await page.getByLabel("Consent lifetime (days)").fill("2");
      await page.getByRole("button", { name: "Save terms" }).click();
      await page.getByText("The terms hold for consents given from now on.").waitFor();
      await row.getByText("2 days", { exact: true }).waitFor();
      await row.getByText("30 days", { exact: true }).waitFor();
      assert.ok((await page.getByText("90 days").count()) > 0, "the other skills keep their own");
    }));
}
