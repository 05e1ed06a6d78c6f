// Signing in and out, forgotten passwords, joining by claim token, and what operators do with servicers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { post, skill } from "../lib/api.js";
import { launch, withPage } from "../lib/browser.js";
import { assertAt, assertHeading, newEmail, password, passwordField, register, signIn } from "../lib/portal.js";
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

const registered = () => withPage(browser, {}, (page) => register(page, server));

async function signOut(page) {
  await page.getByRole("button", { name: /, account$/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await assertHeading(page, "Sign in");
}

test("signing out ends the session, signing in begins one, and leads where one wanted to go", async () => {
  const { email } = await registered();
  await withPage(browser, {}, async (page) => {
    await signIn(page, server, email);
    await assertHeading(page, "Overview");
    await signOut(page);

    await page.goto(`${server.url}/tenants`);
    assertAt(page, "/signin");
    await page.getByLabel("Email", { exact: true }).fill(email);
    await passwordField(page).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await assertHeading(page, "Tenants");
  });
});

test("a wrong password and an unknown address get the same answer", async () => {
  const { email } = await registered();
  const words = [];
  for (const address of [email, newEmail()]) {
    await withPage(browser, {}, async (page) => {
      await signIn(page, server, address, "not the password at all");
      await assertHeading(page, "Sign in");
      assert.equal(await passwordField(page).getAttribute("aria-invalid"), "true");
      words.push(await page.getByText(/is incorrect/).innerText());
    });
  }
  assert.equal(words[0], words[1]);
});

test("a forgotten password is replaced by the mailed link, once, and old sessions end", async () => {
  const { email } = await registered();
  const fresh = "seven green doors ajar";
  await withPage(browser, {}, async (old) => {
    await signIn(old, server, email);
    await withPage(browser, {}, async (page) => {
      await page.goto(`${server.url}/signin`);
      await page.getByRole("link", { name: "Forgot your password?" }).click();
      await page.getByLabel("Email", { exact: true }).fill(email);
      await page.getByRole("button", { name: "Email me a link" }).click();
      await assertHeading(page, "Check your inbox");

      const link = linkIn(await server.letter(email, /new password/));
      await page.goto(link);
      await passwordField(page, "New password").fill(fresh);
      await page.getByRole("button", { name: "Set password and sign in" }).click();
      await assertHeading(page, "Overview");

      await page.goto(link);
      await assertHeading(page, "This link has ended");
    });
    await old.goto(`${server.url}/overview`);
    assertAt(old, "/signin");
    await signIn(old, server, email);
    await assertHeading(old, "Sign in");
    await signIn(old, server, email, fresh);
    await assertHeading(old, "Overview");
  });
});

test("an unknown address gets no letter and the same page", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(`${server.url}/forgot`);
    await page.getByLabel("Email", { exact: true }).fill(newEmail());
    await page.getByRole("button", { name: "Email me a link" }).click();
    await assertHeading(page, "Check your inbox");
  }));

test("a stranger's letter confirms nothing for whoever does not have the stranger's password", async () => {
  const { email } = await registered();
  const link = linkIn(await server.letter(email, /Confirm your email address/));
  await withPage(browser, {}, async (page) => {
    await page.goto(link);
    await passwordField(page).fill("not the password at all");
    await page.getByRole("button", { name: "Confirm email" }).click();
    await page.getByText("This is not your password.").first().waitFor();
    await passwordField(page).fill(password);
    await page.getByRole("button", { name: "Confirm email" }).click();
    await page.getByText("Your email address is confirmed.").waitFor();
  });
});

test("an address is confirmed by the mailed link", async () => {
  const { email } = await registered();
  await withPage(browser, {}, async (page) => {
    await signIn(page, server, email);
    await page.getByText("Your email address is not confirmed yet").waitFor();
    await page.goto(linkIn(await server.letter(email, /Confirm your email address/)));
    await page.getByRole("button", { name: "Confirm email" }).click();
    await page.getByText("Your email address is confirmed.").waitFor();
  });
});

test("a servicer is joined with its id and claim token, once; the id alone lets nobody in", async () => {
  const made = await server.operate("servicer", "create", "--name", "Example Bank", "--kind", "both");
  const signUp = async (page, claim, email) => {
    await page.goto(`${server.url}/signup`);
    await page.getByLabel("Servicer id").fill(made.servicer_id);
    await page.getByLabel("Claim token").fill(claim);
    await page.getByLabel("Work email").fill(email);
    await passwordField(page).fill(password);
    await page.getByRole("button", { name: "Create account" }).click();
  };
  const refused = (page) => page.getByText(/do not belong together/).first().waitFor();

  await withPage(browser, {}, async (page) => {
    await signUp(page, "no-such-token", newEmail());
    await refused(page);
    await signUp(page, made.claim_token, newEmail());
    await assertHeading(page, "Overview");
    await page.getByText("Create your first tenant").waitFor();
  });
  await withPage(browser, {}, async (page) => {
    await signUp(page, made.claim_token, newEmail());
    await refused(page);
  });
});

test("the sign-up link of the operator's command fills in both", async () => {
  const made = await server.operate("servicer", "create", "--name", "Example Insurance", "--kind", "consumer");
  await withPage(browser, {}, async (page) => {
    const link = JSON.stringify(made).match(/https?:[^"]*\/signup[^"]*/)[0];
    await page.goto(link);
    assert.equal(await page.getByLabel("Servicer id").inputValue(), made.servicer_id);
    assert.equal(await page.getByLabel("Claim token").inputValue(), made.claim_token);
  });
});

test("an operator approves a servicer; a suspended one is refused with 403 until it is resumed", async () => {
  const name = `Example Fintech ${process.pid}`;
  // Nobody approves the servicer of an address that nobody has confirmed.
  const keys = await withPage(browser, {}, async (page) => {
    const made = await register(page, server, { name });
    await page.goto(linkIn(await server.letter(made.email, /Confirm your email address/)));
    await page.getByRole("button", { name: "Confirm email" }).click();
    await page.getByText("Your email address is confirmed.").waitFor();
    return made;
  });
  const open = () => post(server, "/sessions", { client_id: keys.client_id, client_app_key: keys.client_app_key, skill });
  assert.equal((await open()).status, 200);

  const email = newEmail();
  const admin = await server.operate("admin", "create", "--email", email);
  await withPage(browser, {}, async (page) => {
    await page.goto(JSON.stringify(admin).match(/https?:[^"]*\/reset\/[^"]*/)[0]);
    await passwordField(page, "New password").fill(password);
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await page.goto(`${server.url}/admin`);
    await assertHeading(page, "Servicers");

    await page.getByLabel("Name, id or owner").fill(name);
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("button", { name: `Approve ${name}` }).click();
    await page.getByText("Approved.", { exact: false }).first().waitFor();

    await page.getByRole("link", { name: `Suspend ${name}` }).click();
    await page.getByLabel("Reason").fill("The contract has ended.");
    await page.getByRole("button", { name: "Suspend servicer" }).click();
    await assertHeading(page, "Servicers");
    const refused = await until("a refusal", 1000, async () => {
      const answer = await open();
      return answer.status !== 200 && answer;
    });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.code, "servicer_suspended");

    await page.getByRole("button", { name: `Resume ${name}` }).click();
    await assertHeading(page, "Servicers");
    await until("calls to be served again", 1000, async () => (await open()).status === 200);
  });
});

test("the operators' area does not exist for developers", () =>
  withPage(browser, {}, async (page) => {
    await register(page, server);
    const answer = await page.goto(`${server.url}/admin/servicers`);
    assert.equal(answer.status(), 404);
    await assertHeading(page, "There is nothing at this address");
  }));

/** The one link of a letter. */
function linkIn(letter) {
  return letter.match(/https?:\/\/\S+/)[0];
}
