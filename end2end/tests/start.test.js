// From the landing page to a developer's own first call: how many clicks and typed fields it takes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, withPage } from "../lib/browser.js";
import { Hands, assertHeading, fillStart, newEmail, register, shownKeys } from "../lib/portal.js";
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
  test(`a first call takes at most 5 clicks and 3 typed fields${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      const hands = new Hands();
      await page.goto(server.url);
      await hands.click(page.getByRole("main").getByRole("link", { name: "Get sandbox keys" }));
      await fillStart(page, { hands });
      await shownKeys(page);
      await hands.click(page.getByRole("button", { name: "Send first request" }));

      const call = page.getByRole("region", { name: "Call 1" });
      await call.getByText("POST /v1/sessions", { exact: true }).waitFor();
      await call.getByText("200", { exact: true }).waitFor();
      await call.getByText("SESSION_CREATED").waitFor();
      assert.ok(hands.clicks <= 5, `${hands.clicks} clicks`);
      assert.ok(hands.fields <= 3, `${hands.fields} typed fields`);
    }));
}

test("the secret is shown once, and masked after a reload", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_app_key, client_secret } = await register(page, server);
    // Sends the form again, as a browser does when the answer to a form is reloaded.
    await page.reload();
    const masked = page.getByText(`tsr_sbx_cs_${"•".repeat(20)}${client_secret.slice(-4)}`);
    await masked.waitFor();
    assert.ok(!(await page.content()).includes(client_secret));
    await page.getByText(client_id).first().waitFor();
    await page.getByText(client_app_key).first().waitFor();
  }));

test("a start form that needs mending keeps what was typed and says how", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(`${server.url}/start`);
    const email = newEmail();
    await page.getByLabel("Project or company name").fill("Example Ltd");
    await page.getByLabel("Email", { exact: true }).fill(email);
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByRole("button", { name: "Create my keys" }).click();
    await page.getByText("Use at least 12 characters").waitFor();
    assert.equal(await page.getByLabel("Email", { exact: true }).inputValue(), email);
    const field = page.getByLabel("Password", { exact: true });
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await field.inputValue(), "", "a password is never given back");
  }));

test("a second registration with the same address does not tell that it has an account", () =>
  withPage(browser, {}, async (page, context) => {
    const { email, client_id } = await register(page, server);
    await context.clearCookies();
    const second = await register(page, server, { email });
    assert.notEqual(second.client_id, client_id);
    await assertHeading(page, "Your keys are ready");
  }));
