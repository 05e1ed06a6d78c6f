// The SDK with every kind of skill: steps with uploads, verifications that take their time, products, payments.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { skill as accountSkill } from "../lib/api.js";
import { Memory, SessionFlow, TesseraBrowser, TesseraError, TesseraServer } from "../lib/sdk.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";
import { agree } from "../lib/walk.js";

const link = "myapp://return";
const [deposit, card, payment] = ["xyz_sbx_#3.0", "xyz_card_sbx_#1.0", "xyz_ro_pisp_sbx_#1.0"];
const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const person = { first_name: "Ana", last_name: "Example", date_of_birth: "1990-05-17" };
let tessera, app, server;

before(async () => {
  tessera = await startServer({ env: { TESSERA_SANDBOX__VERIFICATION_SECONDS: "1" } });
  const { client_secret, client_app_key, client_id } = await newTenant(tessera, { skills: [accountSkill, deposit, card, payment], links: [link] });
  app = new TesseraBrowser({ url: tessera.url, client_id, client_app_key });
  server = new TesseraServer({ url: tessera.url, client_id, client_secret });
});

after(() => tessera?.stop());

const refusal = (code) => (error) => error instanceof TesseraError && error.code === code;
const file = (more = "") => new File([png, more], "document.png", { type: "image/png" });

/** The pair of a skill whose only step leads to the bank. */
async function authorised(skill, step, data) {
  const storage = new Memory();
  const flow = await SessionFlow.open(app, { skill });
  flow.leave(await flow.submit(step, { psu_redirect_link: link, ...data }), { storage, go: (url) => (data = url) });
  const { temp_token } = await SessionFlow.resume(app, { url: await agree(data), storage });
  return server.consent(await server.exchange({ temp_token }));
}

test("a deposit is taken out: a form, documents, a decision that takes its time, a contract", async () => {
  const flow = await SessionFlow.open(app, { skill: deposit });
  assert.equal((await flow.submit("product_form", { value: "100000", currency: "EUR", period: "12" })).kind, "next");
  assert.equal(flow.next_step, "kyc");
  const pending = await flow.submit("kyc", person);
  assert.equal(pending.kind, "pending");
  const told = [];
  const sent = await flow.upload({ kind: "id_document", file: file() }, { onProgress: (part) => told.push(part) });
  assert.equal(sent.size, png.length);
  assert.equal(sent.sha256, createHash("sha256").update(png).digest("hex"));
  assert.deepEqual(told.at(-1), 1);
  assert.equal((await flow.upload({ kind: "id_document", file: file() })).upload_id, sent.upload_id, "the same file is the same upload");
  await flow.upload({ kind: "selfie", file: file("me") });

  const decided = await flow.wait({ signal: AbortSignal.timeout(30_000) });
  assert.equal(decided.kind, "next");
  assert.equal(flow.next_step, "contract");
  const { kind, temp_token } = await flow.submit("contract", { accept: true });
  assert.equal(kind, "last");

  const consent = server.consent(await server.exchange({ temp_token }));
  const [product, ...more] = await consent.products().all();
  assert.deepEqual(more, []);
  assert.deepEqual([product.data.kind, product.data.terms.currency], ["deposit", "EUR"]);
  await assert.rejects(consent.accounts().all(), refusal("wrong_kind_of_consent"));
});

test("a card's uploads go along with each of two steps, and the token waits for the last of them", async () => {
  const flow = await SessionFlow.open(app, { skill: card });
  await flow.submit("card_form", { limit: "5000", currency: "RON" });
  await flow.upload({ kind: "payslip", file: file() });
  const last = await flow.submit("kyc", { ...person, accept: true });
  assert.equal(last.kind, "last");
  assert.notEqual(flow.status, "SESSION_COMPLETED");
  await assert.rejects(server.exchange({ temp_token: last.temp_token }), refusal("uploads_missing"));
  await flow.upload({ kind: "id_document", file: file() });
  await flow.upload({ kind: "selfie", file: file("me") });
  assert.equal(flow.status, "SESSION_COMPLETED");
  const consent = server.consent(await server.exchange({ temp_token: last.temp_token }));
  assert.equal((await consent.products().all())[0].data.kind, "credit_card");
});

test("a file that is none of the kinds taken is refused, and another one may be sent", async () => {
  const flow = await SessionFlow.open(app, { skill: card });
  await assert.rejects(async () => flow.upload({ kind: "payslip", file: file() }), TypeError, "before any step");
  await flow.submit("card_form", { limit: "5000", currency: "RON" });
  await assert.rejects(flow.upload({ kind: "payslip", file: new Blob(["#!/bin/sh"]) }), (error) => error instanceof TesseraError && error.http >= 400 && error.http < 500);
  await assert.rejects(flow.upload({ kind: "passport", file: file() }), TesseraError);
  assert.ok((await flow.upload({ kind: "payslip", file: file() })).upload_id);
});

test("a payment is ordered, authorised and followed to its end", async () => {
  const transfer = {
    payment_id: { end_to_end_id: "invoice-77" },
    amount: { instructed_amount: { amount: "12.50", currency: "RON" } },
    creditor: { name: "Corner Shop" },
    creditor_account: { iban: "RO49AAAA1B31007593840000" },
  };
  const consent = await authorised(payment, "payment_intent", { payment_info: [{ credit_transfer_transaction_information: [transfer] }] });
  let paid = await consent.payment();
  assert.deepEqual([paid.kind, paid.amount, paid.currency, paid.items[0].end_to_end_id], ["single", "12.50", "RON", "invoice-77"]);
  for (let time = 0; !paid.final && time < 20; time += 1) {
    await pause(500);
    paid = await consent.payment();
  }
  assert.ok(["ACSC", "ACCC"].includes(paid.status), paid.status);
  await assert.rejects(consent.cancelPayment(), refusal("payment_not_cancellable"));
});

test("a payment of a later day is called off, once and again", async () => {
  const day = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  const transfer = { amount: { instructed_amount: { amount: "1.00", currency: "RON" } }, creditor: { name: "Corner Shop" }, creditor_account: { iban: "RO49AAAA1B31007593840000" } };
  const consent = await authorised(payment, "payment_intent", { payment_info: [{ requested_execution_date: day, credit_transfer_transaction_information: [transfer] }] });
  for (let time = 0; time < 2; time += 1) assert.deepEqual((({ status, final }) => [status, final])(await consent.cancelPayment()), ["CANC", true]);
});
