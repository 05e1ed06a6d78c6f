// The sandbox console, one call after the other.
import { leaveKeys } from "./portal.js";
import { until } from "./until.js";

/** The buttons of a run in their order, with what the page calls the step. */
export const sends = {
  step: "Send POST …/steps",
  ask: "Send POST …/get",
  exchange: "Send POST /v1/token",
  accounts: "Send POST /v1/accounts/get",
  transactions: "Send POST /v1/transactions/get",
  payment: "Send POST /v1/payments/get",
  products: "Send POST /v1/products/get",
};

/** Makes the next call and waits for the page that shows its answer. */
export async function send(page, name) {
  await page.getByRole("button", { name: sends[name] }).click();
}

/** Starts a run of a skill on the first tenant; its session is open then. */
export async function startRun(page, server, skill) {
  await page.goto(`${server.url}/console`);
  const options = page.getByLabel("Tenant and skill").getByRole("option");
  const name = await options.filter({ hasText: skill }).innerText();
  await page.getByLabel("Tenant and skill").selectOption({ label: name });
  await page.getByRole("button", { name: "Step by step" }).click();
}

/** Waits for the card of what comes next. */
export function assertNext(page, name) {
  return page.getByRole("heading", { name }).waitFor();
}

/** Has the console send a sample of a file, by the title it has in the skill's manifest. */
export async function sendSample(page, title) {
  await page.getByRole("button", { name: `Use a sample file: ${title}` }).click();
}

/** From the page with new keys to the bank's sign-in form. */
export async function goToBank(page) {
  await leaveKeys(page, "Send first request");
  await send(page, "step");
  await page.getByRole("link", { name: "Open the bank’s page" }).click();
  await page.getByLabel("User name").waitFor();
}

/** The rows of a table with its head left out, each an array of its cells' texts. */
export async function rows(page, name) {
  const table = page.getByRole("table", { name });
  await table.waitFor();
  const lines = await table.getByRole("row").all();
  return Promise.all(lines.slice(1).map((line) => line.locator("th, td").allInnerTexts()));
}

/** The texts of the request log's rows once one of them contains all `words`; waits at most `deadline` milliseconds. */
export function logged(page, server, words, deadline) {
  return until(`a request like ${words} in the log`, deadline, async () => {
    await page.goto(`${server.url}/requests`);
    const lines = await page.getByRole("row").allInnerTexts();
    return lines.some((line) => words.every((word) => line.includes(word))) && lines;
  });
}
