// Every kind of skill, walked by hand in the console: forms made from schemas, files, a decision, a payment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { signInAtBank } from "../lib/bank.js";
import { launch, withPage } from "../lib/browser.js";
import { assertNext, rows, send, sendSample, startRun } from "../lib/console.js";
import { register } from "../lib/portal.js";
import { assertScreen, still } from "../lib/screen.js";
import { startServer } from "../lib/server.js";
import { until } from "../lib/until.js";

const deposit = "xyz_sbx_#3.0";
const card = "xyz_card_sbx_#1.0";
const payment = "xyz_ro_pisp_sbx_#1.0";

let server, browser;

before(async () => {
  // The decision is a person's here: the bank would take an hour.
  const env = { TESSERA_SANDBOX__VERIFICATION_SECONDS: "3600" };
  [server, browser] = await Promise.all([startServer({ env }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Decides in the provider's stead for the only session that waits: in a tab of its own, for the run's page may move on by itself. */
async function decide(context, decision) {
  const page = await context.newPage();
  await page.goto(`${server.url}/verifications`);
  await page.getByRole("button", { name: new RegExp(`^${decision}: session`) }).click();
  await page.getByRole("status").filter({ hasText: "The session" }).waitFor();
  // Not followed here: a second page of the run would ask beside the first.
  const back = await page.getByRole("link", { name: "Back to the console run" }).getAttribute("href");
  assert.match(back, /^\/console\/runs\//);
  await page.close();
}

/** Waits for a card of what comes after a decision: the page asks by itself, or a person has it ask. */
async function asked(page, byItself, name) {
  const card = page.getByRole("heading", { name });
  if (byItself) return card.waitFor({ timeout: 30_000 });
  return until("the decision", 10_000, async () => {
    if (await card.count()) return true;
    await page.getByRole("button", { name: "Check again" }).click();
  });
}

/** The page asks again and again, and meanwhile nothing on it moves: it is the same page, the focus stays, no call is made. */
async function waitsInPlace(page) {
  const calls = page.getByRole("navigation", { name: "Steps of the run" }).getByRole("listitem");
  const before = await calls.allInnerTexts();
  await page.getByRole("link", { name: "Decide in Verifications" }).focus();
  await page.evaluate(() => (window.stillHere = true));
  for (let times = 0; times < 2; times += 1) {
    const answer = await page.waitForResponse((response) => response.url().endsWith("/decided"), { timeout: 10_000 });
    assert.equal(await answer.text(), "pending");
  }
  assert.ok(await page.evaluate(() => window.stillHere), "the page was not loaded again");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Decide in Verifications");
  assert.deepEqual(await calls.allInnerTexts(), before);
}

/** From a new account to the step `kyc` of a deposit. */
async function toKyc(page) {
  await register(page, server);
  await startRun(page, server, deposit);
  await assertNext(page, "Next: Step product_form");
  await send(page, "step");
  await assertNext(page, "Next: Step kyc");
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without JavaScript";

  test(`a deposit is opened: a form, files, a decision, a contract${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page, context) => {
      await toKyc(page);
      assert.equal(await page.getByLabel("First name").inputValue(), "Ana", "the manifest's example");
      await page.getByLabel("Last name").fill("Popescu");
      await send(page, "step");

      await assertNext(page, "Next: Files of step kyc");
      await sendSample(page, "Identity document");
      const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==", "base64");
      await page.getByLabel("Selfie", { exact: true }).setInputFiles({ name: "me.png", mimeType: "image/png", buffer: png });
      await page.getByRole("button", { name: "Send file: Selfie" }).click();

      await assertNext(page, "Next: Wait for the decision");
      const files = await rows(page, "Files that were sent");
      assert.deepEqual(files.map((cells) => cells[0]), ["id_document", "selfie"]);
      assert.match(files[1].join(" "), /[0-9a-f]{8}-[0-9a-f-]{27} [0-9a-f]{64} \d+ B/);
      if (javaScriptEnabled) await waitsInPlace(page);
      await decide(context, "Approve");
      await asked(page, javaScriptEnabled, "Next: Step contract");
      assert.ok(await page.getByLabel("I accept the offer").isChecked());
      await send(page, "step");
      await assertNext(page, "Next: Exchange token");
      await send(page, "exchange");
      assert.equal(await page.getByRole("button", { name: /accounts/ }).count(), 0, "this consent has no accounts");
      await send(page, "products");
      const [product] = await rows(page, "Products");
      assert.match(product.join(" "), /active.*12 months.*100,000(\.00)? EUR/i);
      await assertNext(page, "Done: the product is there");
    }));

  test(`a card: each step has its files, and the token comes with the last${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      await register(page, server);
      await startRun(page, server, card);
      await page.getByLabel("Credit limit").fill("7500");
      await page.getByLabel("Currency").selectOption("EUR");
      await send(page, "step");
      await assertNext(page, "Next: Files of step card_form");
      await sendSample(page, "Last payslip");
      await assertNext(page, "Next: Step kyc");
      await send(page, "step");
      await sendSample(page, "Selfie");
      await sendSample(page, "Identity document");
      await send(page, "exchange");
      await send(page, "products");
      const [product] = await rows(page, "Products");
      assert.match(product.join(" "), /active.*7,500(\.00)? EUR/i);
    }));

  test(`a payment is ordered, read until it is over, and no accounts are offered${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      await register(page, server);
      await startRun(page, server, payment);
      await assertNext(page, "Next: Step payment_intent");
      const transfers = page.getByLabel("Credit transfer transaction information");
      await transfers.fill((await transfers.inputValue()).replace("12.50", "31.40"));
      await pay(page);
      await send(page, "exchange");
      assert.equal(await page.getByRole("button", { name: /accounts/ }).count(), 0);
      await send(page, "payment");
      await until("the payment's end", 10_000, async () => {
        if (await page.getByText("yes: nothing can happen to it any more").count()) return true;
        await page.getByRole("button", { name: "Read the payment again" }).click();
      });
      const [transfer] = await rows(page, "Transfers of the payment");
      assert.match(transfer.join(" "), /Corner Shop.*ACSC executed.*31\.40 RON/);
      assert.equal(await page.getByRole("button", { name: "Cancel the payment" }).count(), 0);
    }));

  test(`a payment that has a day to come is called off${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      await register(page, server);
      await startRun(page, server, payment);
      await page.getByText(/^\d+ more, optional$/).first().click();
      const soon = new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10);
      await page.getByLabel("Requested execution date").fill(soon);
      await pay(page);
      await send(page, "exchange");
      await send(page, "payment");
      await page.getByRole("button", { name: "Cancel the payment" }).click();
      const [transfer] = await rows(page, "Transfers of the payment");
      assert.match(transfer.join(" "), /CANC cancelled/);
      assert.equal(await page.getByRole("button", { name: "Cancel the payment" }).count(), 0);
    }));

  test(`what the API finds wrong is said at its field, and what was typed stays${how}`, () =>
    withPage(browser, { javaScriptEnabled }, async (page) => {
      await register(page, server);
      await startRun(page, server, deposit);
      await page.getByLabel("Amount").fill("a lot");
      await page.getByLabel("Months").fill("6");
      await send(page, "step");
      const amount = page.getByLabel("Amount");
      await page.getByRole("alert").filter({ hasText: "400" }).waitFor();
      assert.equal(await amount.getAttribute("aria-invalid"), "true");
      assert.equal(await amount.inputValue(), "a lot");
      assert.equal(await page.getByLabel("Months").inputValue(), "6");
      await page.getByRole("button", { name: "Show as JSON" }).click();
      const data = page.getByLabel(/^data of step product_form/);
      assert.deepEqual(JSON.parse(await data.inputValue()), { value: "a lot", currency: "EUR", period: "6" });
      await data.fill('{ "value": "500", "currency": "RON", "period": "6" }');
      await page.getByRole("button", { name: "Show as form" }).click();
      assert.equal(await amount.inputValue(), "500");
      await send(page, "step");
      await assertNext(page, "Next: Step kyc");
    }));
}

/** Submits the order, and agrees to it at the bank. */
async function pay(page) {
  await send(page, "step");
  await page.getByRole("link", { name: "Open the bank’s page" }).click();
  await signInAtBank(page, "family");
  await page.getByRole("group", { name: "Pay from" }).getByRole("radio").first().check();
  await page.getByRole("button", { name: "Confirm and pay" }).click();
  await assertNext(page, "Next: Exchange token");
}

test("a file of no use is refused in words, and a rejection ends the run", () =>
  withPage(browser, {}, async (page, context) => {
    await toKyc(page);
    await page.getByLabel("First name").fill("Ioana");
    await send(page, "step");
    await page.getByLabel("Selfie", { exact: true }).setInputFiles({ name: "me.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await page.getByRole("button", { name: "Send file: Selfie" }).click();
    await page.getByRole("alert").filter({ hasText: "PDF, PNG, JPEG" }).waitFor();
    await sendSample(page, "Selfie");
    await sendSample(page, "Identity document");
    await decide(context, "Reject");
    await asked(page, true, "This run cannot go on");
    await page.getByText("The provider decided against it").waitFor();
    await page.getByRole("button", { name: "Start again with the same data" }).click();
    await assertNext(page, "Next: Step product_form");
    await send(page, "step");
    assert.equal(await page.getByLabel("First name").inputValue(), "Ioana");
  }));

test("the screens of these runs", (t) =>
  withPage(browser, still, async (page, context) => {
    const step = (name, act) => t.test(name, async () => {
      await act();
      await assertScreen(page);
    });
    await register(page, server);
    await step("a form", () => startRun(page, server, deposit));
    await step("a form with mistakes", async () => {
      await page.getByLabel("Amount").fill("a lot");
      await send(page, "step");
      await page.locator("[aria-invalid=true]").waitFor();
    });
    await step("files", async () => {
      await page.getByLabel("Amount").fill("500");
      await send(page, "step");
      await send(page, "step");
      await assertNext(page, "Next: Files of step kyc");
    });
    await step("one file sent", () => sendSample(page, "Selfie"));
    await step("an upload as code", async () => {
      await page.getByRole("link", { name: "Code", exact: true }).click();
      await page.getByText("-F \"kind=selfie\"").waitFor();
    });
    // While it is looked at, the page's own asking is answered with nothing new.
    const runs = `${server.url}/console/runs/**`;
    const wait = (route) => (route.request().postData()?.includes("act=advance") ? route.fulfill({ status: 204 }) : route.continue());
    await step("a decision that is awaited", async () => {
      await page.route(runs, wait);
      await sendSample(page, "Identity document");
      await assertNext(page, "Next: Wait for the decision");
    });
    await step("the contract", async () => {
      await page.unroute(runs, wait);
      await decide(context, "Approve");
      await asked(page, false, "Next: Step contract");
    });
    await step("the product", async () => {
      await send(page, "step");
      await send(page, "exchange");
      await send(page, "products");
      await assertNext(page, "Done: the product is there");
    });
    await step("a large order", async () => {
      await startRun(page, server, payment);
      await page.getByText(/^\d+ more, optional$/).first().click();
    });
    await step("a payment that was read", async () => {
      await pay(page);
      await send(page, "exchange");
      await send(page, "payment");
      await assertNext(page, "Done: the payment is ordered");
    });
  }));
