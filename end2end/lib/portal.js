// The portal as a developer walks it: things are found by their role and name, as a screen reader finds them.
import assert from "node:assert/strict";

export const password = "nine tall lamps in a row";

let addresses = 0;

/** An address nobody has used yet. */
export function newEmail() {
  addresses += 1;
  return `developer${addresses}.${process.pid}@example.com`;
}

/** A page with its clicks and typed fields counted. */
export class Hands {
  clicks = 0;
  fields = 0;

  async click(thing) {
    this.clicks += 1;
    await thing.click();
  }

  async type(thing, text) {
    this.fields += 1;
    await thing.fill(text);
  }
}

/** Fills the one form and sends it; the page shows the keys afterwards. */
export async function fillStart(page, { hands = new Hands(), name = "Example Ltd", email = newEmail() } = {}) {
  await hands.type(page.getByLabel("Project or company name"), name);
  await hands.type(page.getByLabel("Email", { exact: true }), email);
  await hands.type(passwordField(page), password);
  await page.getByLabel("Country").selectOption("RO");
  await hands.click(page.getByRole("button", { name: "Create my keys" }));
  return email;
}

/** From nothing to an account with keys: `{ email, client_id, client_app_key, client_secret }`. */
export async function register(page, server, options) {
  await page.goto(`${server.url}/start`);
  const email = await fillStart(page, options);
  return { email, ...(await shownKeys(page)) };
}

/** The three elements, read off the page that shows them once. */
export async function shownKeys(page) {
  const keys = page.getByRole("region", { name: "Your keys" });
  return {
    client_id: await keys.getByText(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/).innerText(),
    client_app_key: await keys.getByText(/^tsr_sbx_ak_[0-9A-Za-z]{40,}$/).innerText(),
    client_secret: await keys.getByText(/^tsr_sbx_cs_[0-9A-Za-z]{40,}$/).innerText(),
  };
}

/** Leaves the page that shows a secret by one of its buttons, having said that the secret is saved. */
export async function leaveKeys(page, button, hands = new Hands()) {
  await hands.click(page.getByRole("checkbox", { name: "I have saved client_secret" }));
  await hands.click(page.getByRole("button", { name: button }));
}

export async function signIn(page, server, email, secret = password) {
  await page.goto(`${server.url}/signin`);
  await page.getByLabel("Email", { exact: true }).fill(email);
  await passwordField(page).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** By its exact name: the button beside it says "Show password". */
export function passwordField(page, name = "Password") {
  return page.getByLabel(name, { exact: true });
}

export async function assertHeading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

/** Fails unless the page is at `path`, its query aside. */
export function assertAt(page, path) {
  assert.equal(new URL(page.url()).pathname, path);
}
