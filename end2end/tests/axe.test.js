// Every screen, with real things on it: accessible in both themes, and as wide as the window from 375 to 1920 px.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { post, skill } from "../lib/api.js";
import { approve, refuse, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { send } from "../lib/console.js";
import { assertHeading, leaveKeys, newEmail, password, passwordField, register, shownKeys, signIn } from "../lib/portal.js";
import { assertScreen, assertScreens, still } from "../lib/screen.js";
import { startServer } from "../lib/server.js";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page whose screens are looked at, one subtest each. */
function screens(name, look) {
  test(name, (t) => withPage(browser, still, (page) => look(page, t)));
}

screens("before signing in", async (page, t) => {
  await assertScreens(t, page, server, ["/", "/start", "/signup", "/signin", "/forgot", "/reset/none", "/verify/none", "/nothing-here"]);
  await t.test("a refused start form", async () => {
    await page.goto(`${server.url}/start`);
    // Emptied of what a browser would refuse by itself, to see what the server says to all of it.
    await page.getByRole("main").locator("form").evaluate((form) => (form.noValidate = true));
    await page.getByRole("button", { name: "Create my keys" }).click();
    await page.locator("[aria-invalid=true]").first().waitFor();
    await assertScreen(page);
  });
  await t.test("a refused sign-in", async () => {
    await signIn(page, server, newEmail());
    await page.getByText(/is incorrect/).waitFor();
    await assertScreen(page);
  });
  await t.test("a sent password link, and its page", async () => {
    const email = await withPage(browser, {}, async (other) => (await register(other, server)).email);
    await page.goto(`${server.url}/forgot`);
    await page.getByLabel("Email", { exact: true }).fill(email);
    await page.getByRole("button", { name: "Email me a link" }).click();
    await assertHeading(page, "Check your inbox");
    await assertScreen(page);
    await page.goto((await server.letter(email, /new password/)).match(/https?:\/\/\S+/)[0]);
    await assertHeading(page, "Set a new password");
    await assertScreen(page);
  });
});

screens("a new account, with nothing in it yet", async (page, t) => {
  await t.test("the keys", async () => {
    await register(page, server);
    await page.getByText("A first call, to paste into a terminal").click();
    await assertScreen(page);
  });
  await assertScreens(t, page, server, ["/overview", "/requests", "/verifications", "/console", "/settings", "/tenants?q=nothing", "/signout", "/prove", "/nothing-here"]);
  await t.test("the account menu and the main menu", async () => {
    await page.goto(`${server.url}/overview`);
    await page.getByRole("button", { name: /, account$/ }).click();
    await assertScreen(page);
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 375, height: 900 });
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Settings" }).waitFor();
    await assertScreen(page);
  });
});

screens("a busy account", async (page, t) => {
  const { client_id, client_app_key } = await register(page, server, { name: "Example Company with a Rather Long Name of Its Own SRL" });
  const call = (more) => post(server, "/sessions", { client_id, client_app_key, skill, ...more });
  await call();
  await call({ nonsense: 1 });
  const tenant = `/tenants/${client_id}`;
  const skillPath = `/skills/${encodeURIComponent(skill)}`;

  await t.test("a rotated key", async () => {
    await page.goto(`${server.url}${tenant}/keys/rotate/client_secret`);
    await assertScreen(page);
    await page.getByRole("button", { name: "Rotate client_secret" }).click();
    await page.getByRole("region", { name: "New client_secret" }).waitFor();
    await assertScreen(page);
    await page.getByRole("checkbox", { name: "I have saved client_secret" }).check();
    await page.getByRole("button", { name: "Back to the keys" }).click();
    await page.getByRole("link", { name: /^Stop now…\s*client_secret\s*\(old\)/ }).click();
    await assertHeading(page, /^Stop client_secret/);
    await assertScreen(page);
  });
  await t.test("a second tenant", async () => {
    await page.goto(`${server.url}/tenants/new`);
    await assertScreen(page);
    await page.getByLabel("Name").fill("A tenant whose name is as long as people make them when nobody stops them");
    await page.getByLabel("Redirect links").fill("javascript:alert(1)");
    await page.getByRole("button", { name: "Create tenant" }).click();
    await page.locator("[aria-invalid=true]").first().waitFor();
    await assertScreen(page);
    await page.getByLabel("Redirect links").fill("https://app.example.com/return");
    await page.getByRole("button", { name: "Create tenant" }).click();
    await shownKeys(page);
    await assertScreen(page);
  });
  await assertScreens(t, page, server, [
    ...["/overview", "/tenants", tenant, `${tenant}/keys`, `${tenant}/skills`, `${tenant}${skillPath}`, `${tenant}/settings`],
    ...["/skills", "/skills?q=nothing", skillPath, "/requests", "/requests?status=5xx", "/settings"],
  ]);
  await t.test("one failed request", async () => {
    await page.goto(`${server.url}/requests?status=4xx`);
    await page.getByRole("row", { name: /unknown_fields/ }).getByRole("link").click();
    await page.getByRole("region", { name: "Why it failed" }).waitFor();
    await assertScreen(page);
  });
});

screens("the console and the bank", async (page, t) => {
  await register(page, server);
  const step = (name, act) => t.test(name, async () => {
    await act();
    await assertScreen(page);
  });
  await step("a session opened", () => leaveKeys(page, "Send first request"));
  await step("step data that is no JSON", async () => {
    await page.getByRole("button", { name: "Show as JSON" }).click();
    await page.getByLabel(/^data of step sca/).fill("{");
    await send(page, "step");
    await page.locator("[aria-invalid=true]").waitFor();
  });
  await step("a link that is not registered", async () => {
    await page.getByLabel(/^data of step sca/).fill('{"psu_redirect_link": "https://example.com/elsewhere"}');
    await send(page, "step");
    await page.getByRole("link", { name: "Open the tenant’s settings" }).waitFor();
  });
  await step("on the way to the bank", async () => {
    await page.goto(`${server.url}/console`);
    await page.getByRole("button", { name: "Step by step" }).click();
    await send(page, "step");
    await page.getByRole("link", { name: "Open the bank’s page" }).waitFor();
  });
  const run = page.url().replace(/[?#].*/, "");
  await step("the bank's sign-in", async () => {
    await page.getByRole("link", { name: "Open the bank’s page" }).click();
    await page.getByLabel("User name").waitFor();
  });
  await step("a wrong password at the bank", () => signInAtBank(page, "family", "wrong"));
  await step("the bank's accounts", async () => {
    await signInAtBank(page, "family");
    await page.getByRole("checkbox").first().waitFor();
  });
  await step("none ticked", async () => {
    await approve(page, 0);
    await page.getByRole("alert").waitFor();
  });
  await step("refused", async () => {
    await refuse(page);
    await page.getByText("The end-user refused at the bank").waitFor();
  });
  await step("a user without accounts", async () => {
    await send(page, "ask");
    await send(page, "step");
    await page.getByRole("link", { name: "Open the bank’s page" }).click();
    await signInAtBank(page, "empty");
    await assertHeading(page, "You have no accounts with us");
  });
  await step("a visit that is over", async () => {
    const visit = page.url();
    await page.getByRole("button", { name: "Go back without sharing" }).click();
    await page.getByText("The end-user refused at the bank").waitFor();
    await page.goto(visit);
    await assertHeading(page, "You have refused already");
  });
  await t.test("the bank's other pages", async () => {
    const bank = new URL(page.url()).origin;
    for (const path of ["/", "/nothing-here", "/authorise"]) {
      await page.goto(bank + path);
      await assertScreen(page);
    }
  });
  await step("the exchange", async () => {
    await page.goto(run);
    await send(page, "ask");
    await send(page, "step");
    await page.getByRole("link", { name: "Open the bank’s page" }).click();
    await signInAtBank(page, "family");
    await approve(page, 4);
    await page.getByRole("heading", { name: "Next: Exchange token" }).waitFor();
  });
  await step("before accounts", () => send(page, "exchange"));
  await step("before transactions", () => send(page, "accounts"));
  await step("all done", async () => {
    await send(page, "transactions");
    await page.getByRole("heading", { name: "Done: your first data" }).waitFor();
  });
  await step("a call's request", () => page.getByRole("link", { name: "Request", exact: true }).click());
  await step("a call's code", () => page.getByRole("link", { name: "Code", exact: true }).click());
  await assertScreens(t, page, server, ["/console", "/overview", "/requests"]);
});

screens("operators", async (page, t) => {
  const { servicer_id } = await server.operate("servicer", "create", "--name", "Example Bank", "--kind", "provider");
  const admin = await server.operate("admin", "create", "--email", newEmail());
  await page.goto(JSON.stringify(admin).match(/https?:[^"]*\/reset\/[^"]*/)[0]);
  await passwordField(page, "New password").fill(password);
  await page.getByRole("button", { name: "Set password and sign in" }).click();
  await assertScreens(t, page, server, ["/admin/servicers", "/admin/servicers?q=nothing", "/admin/servicers/new", `/admin/servicers/${servicer_id}/suspend`, "/settings"]);
  await t.test("a new servicer's claim token", async () => {
    await page.goto(`${server.url}/admin/servicers/new`);
    await page.getByLabel("Company name").fill("Example Insurance");
    await page.getByRole("button", { name: "Create servicer" }).click();
    await assertHeading(page, "Example Insurance is registered");
    await assertScreen(page);
  });
});

screens("the docs", async (page, t) => {
  await page.goto(`${server.url}/docs`);
  const links = await page.getByRole("link").evaluateAll((all) => all.map((link) => new URL(link.href)).filter((url) => url.origin === location.origin).map((url) => url.pathname));
  const pages = [...new Set(links)].filter((path) => path.startsWith("/docs/") && !path.endsWith(".md"));
  assert.ok(pages.length >= 4, `the docs have ${pages.length} pages`);
  await assertScreens(t, page, server, ["/docs", ...pages, "/docs/errors/invalid_nonce", "/docs/nothing-here"]);
});

test("a chosen theme stays, and is there in the first paint", () =>
  withPage(browser, { colorScheme: "light" }, async (page) => {
    await page.goto(server.url);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Dark" }).click();
    await page.getByRole("button", { name: "Dark", pressed: true }).waitFor();
    assert.notEqual(await ground(), light);
    await page.goto(`${server.url}/signin`);
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await page.getByRole("button", { name: "Auto" }).click();
    await page.getByRole("button", { name: "Auto", pressed: true }).waitFor();
    assert.equal(await ground(), light);
  }));
