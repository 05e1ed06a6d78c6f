// The example app as its user meets it, and what must never reach their browser.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { approve, refuse, signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { rows } from "../lib/console.js";
import { startExample } from "../lib/example.js";
import { assertScreen, still } from "../lib/screen.js";
import { startServer } from "../lib/server.js";
import { agree } from "../lib/walk.js";

let server, browser, app;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  app = await startExample(server);
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await server?.stop();
});

const accounts = (page) => page.getByRole("region", { name: "Accounts" }).getByRole("listitem");

/** From the app's front page to the bank's sign-in form. */
async function goToBank(page) {
  await page.goto(app.url);
  await page.getByRole("button", { name: /^Connect (your|another) bank$/ }).click();
  await page.getByLabel("User name").waitFor();
}

async function connect(page, user, count) {
  await goToBank(page);
  await signInAtBank(page, user);
  const read = page.waitForResponse(`${app.url}/api/refresh`);
  await approve(page, count);
  await read;
  await page.getByRole("status").filter({ hasText: "Reading your accounts" }).waitFor({ state: "hidden" });
  await page.getByRole("heading", { name: "Transactions" }).waitFor();
}

/** Every answer the browser gets from now on, as text. */
function heard(page) {
  const answers = [];
  // A redirect has no text; its headers are what it says.
  const whole = async (response) => [response.url(), JSON.stringify(response.headers()), await response.text().catch(() => "")].join("\n");
  page.on("response", (response) => answers.push(whole(response)));
  return answers;
}

test("a user connects their bank and sees accounts and transactions; what opens them never reaches the browser", () =>
  withPage(browser, {}, async (page) => {
    const answers = heard(page);
    const returned = page.waitForRequest((request) => request.url().includes("temp_token=") && request.url().startsWith(app.url));
    await connect(page, "family", 2);

    assert.equal(await accounts(page).count(), 2);
    for (const text of await accounts(page).allInnerTexts()) assert.match(text, /RO\d\d [A-Z]{4}[\s\S]*\d\.\d\d (RON|EUR)/);
    const lines = await rows(page, "Transactions");
    assert.equal(lines.length, 50);
    for (const cells of lines) assert.match(cells.join(" "), /^20\d\d-\d\d-\d\d .*\d\.\d\d (RON|EUR)$/);
    const more = page.getByRole("button", { name: /^Show all \d+$/ });
    await more.click();
    await more.waitFor({ state: "hidden" });
    assert.ok((await rows(page, "Transactions")).length > 50);

    const temp_token = new URL((await returned).url()).searchParams.get("temp_token");
    assert.equal(page.url(), `${app.url}/`, "the token is not left in the address");
    assert.ok(!(await page.content()).includes(temp_token));
    assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ""]);
    assert.doesNotMatch(await page.evaluate(() => JSON.stringify({ ...sessionStorage })), /nonce|verifier|temp_token|used/);

    const { financial_assets } = await app.tables();
    const [{ credentials_id, access_token }] = Object.values(financial_assets);
    const texts = await Promise.all(answers);
    assert.ok(texts.some((text) => text.includes("/sdk/core.js")) && texts.some((text) => text.includes("/api/me")), "answers were heard");
    for (const secret of [app.keys.client_secret, access_token, credentials_id]) {
      assert.ok(!texts.some((text) => text.includes(secret)), "a secret was sent to the browser");
    }
    const elsewhere = texts.filter((text) => text.includes(temp_token)).map((text) => new URL(text.split("\n")[0]).pathname);
    assert.deepEqual(new Set(elsewhere), new Set(["/v1/redirects/aisp", "/return"]), "the token is on its way back only");
  }));

test("the store has users, their assets with the pair, and the assets' transactions, sealed", () =>
  withPage(browser, {}, async (page) => {
    await connect(page, "student", 1);
    const tables = await app.tables();
    const [iban] = (await accounts(page).first().innerText()).match(/RO[\dA-Z ]+/);
    const asset = Object.values(tables.financial_assets).find(({ account }) => account.iban === iban.replaceAll(" ", "").trim());
    assert.ok(tables.users[asset.user_id]);
    assert.match(asset.credentials_id, /^[0-9a-f-]{36}$/);
    assert.ok(asset.access_token.length > 30);
    // The newest 500 are read; which of the oldest day's are among them is by chance.
    const month = new Date(Date.now() - 30 * 86_400_000).toISOString();
    const recent = ({ transactions }) => Object.values(transactions).filter(({ asset_id, booked }) => asset_id === asset.id && booked > month).length;
    const before = recent(tables);
    assert.ok(before > 10, `${before} transactions`);

    // The same account once more is the same asset, and no transaction is there twice.
    await connect(page, "student", 1);
    const after = await app.tables();
    const again = after.financial_assets[asset.id];
    assert.notEqual(again.credentials_id, asset.credentials_id, "the newer pair");
    assert.equal(recent(after), before);
    assert.equal(await accounts(page).count(), 1);
  }));

test("a refusal is shown in the app's own words, and trying again works", () =>
  withPage(browser, {}, async (page) => {
    await goToBank(page);
    await signInAtBank(page, "family");
    await refuse(page);
    await page.getByRole("alert").filter({ hasText: "You chose not to share anything" }).waitFor();
    assert.equal(page.url(), `${app.url}/`);
    await page.getByRole("button", { name: "Connect your bank" }).click();
    await signInAtBank(page, "family");
    await approve(page, 1);
    await page.getByRole("heading", { name: "Transactions" }).waitFor();
    assert.equal(await page.getByRole("alert").isVisible(), false);
    assert.equal(await accounts(page).count(), 1);
  }));

test("disconnecting ends the consent and forgets what came with it", () =>
  withPage(browser, {}, async (page) => {
    await connect(page, "family", 4);
    const pairs = Object.keys((await app.tables()).financial_assets).length;
    await page.getByRole("button", { name: /^Disconnect/ }).first().click();
    await page.getByRole("button", { name: "Connect your bank" }).waitFor();
    assert.equal(await accounts(page).count(), 0);
    assert.equal(Object.keys((await app.tables()).financial_assets).length, pairs - 4);
  }));

test("another user's return cannot be finished in mine, nor from another site", () =>
  withPage(browser, {}, async (page, context) => {
    // The user's browser stays where it is, and someone else goes to the bank in its place.
    const elsewhere = ({ origin }) => ![app.url, server.url].includes(origin);
    const bank = new Promise((resolve) => {
      // No content: the page stays as it is, where a broken connection would put the browser's own page in its place.
      page.route(elsewhere, (route) => route.fulfill({ status: 204 }).then(() => resolve(route.request().url())));
    });
    await page.goto(app.url);
    await page.getByRole("button", { name: "Connect your bank" }).click();
    const link = await agree(await bank);

    await withPage(browser, {}, async (other) => {
      await other.goto(link);
      await other.getByRole("alert").filter({ hasText: "was not begun here" }).waitFor();
      assert.equal(other.url(), `${app.url}/`);
    });
    // Nor does whoever began it get the token by asking: the consent was another person's.
    await page.unroute(elsewhere);
    const { searchParams } = new URL(link);
    const asked = await page.evaluate(async ({ sdk, url, client_id, client_app_key }) => {
      const { SessionFlow, TesseraBrowser } = await import(sdk);
      const saved = Object.entries({ ...sessionStorage }).find(([name]) => name.startsWith("tessera.session."))[1];
      return new SessionFlow(new TesseraBrowser({ url, client_id, client_app_key }), JSON.parse(saved)).refresh();
    }, { sdk: `${server.url}/sdk/browser.js`, url: server.url, client_id: app.keys.client_id, client_app_key: app.keys.client_app_key });
    assert.deepEqual([asked.kind, asked.temp_token, asked.nonce, asked.data], ["done", undefined, undefined, undefined]);
    const body = JSON.stringify(Object.fromEntries(searchParams));
    const cookie = (await context.cookies(app.url)).map(({ name, value }) => `${name}=${value}`).join("; ");
    const post = (headers) => fetch(`${app.url}/api/connections/finish`, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
    for (const headers of [{ cookie, origin: "https://evil.example.com" }, { cookie }, { cookie, origin: app.url, "sec-fetch-site": "same-site" }]) {
      assert.equal((await post(headers)).status, 403);
    }
    assert.equal((await post({ origin: app.url })).status, 409, "without the cookie it is nobody's");
    assert.equal((await post({ cookie, origin: app.url })).status, 200, "the token was good all the while");
  }));

test("the app fits small windows and both themes, and axe finds nothing", () =>
  withPage(browser, still, async (page) => {
    await page.goto(app.url);
    await page.getByRole("button", { name: "Connect your bank" }).waitFor();
    await assertScreen(page);
    await goToBank(page);
    await signInAtBank(page, "family");
    await refuse(page);
    await page.getByRole("alert").waitFor();
    await assertScreen(page);
    await connect(page, "family", 4);
    await assertScreen(page);
  }));

test("the app's own files hold no key, and its log no token", async () => {
  for (const name of ["server.js", "lib/settings.js", "lib/site.js", "lib/store.js", "lib/wallet.js", "web/app.js", "web/index.html"]) {
    assert.doesNotMatch(await readFile(new URL(`../example-app/${name}`, import.meta.url), "utf8"), /tsr_(sbx|live)_/, name);
  }
  const { financial_assets } = await app.tables();
  for (const { access_token } of Object.values(financial_assets)) assert.ok(!app.output().includes(access_token));
});
