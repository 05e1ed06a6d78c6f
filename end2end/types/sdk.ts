// Code that a caller in TypeScript may and may not write. Compiled, never run: `tests/sdk-types.test.js`.
import { SessionFlow, TesseraBrowser, TesseraError, type FlowAnswer, type SkillSummary } from "../../public/sdk/browser.js";
import { TesseraServer, signer, type Account, type Changes, type Pair, type Transaction } from "../../public/sdk/server.js";

const url = "https://api.example.com";
const keys = { client_id: "id", client_app_key: "key" };
const browser = new TesseraBrowser({ url, ...keys, timeout: 1000 });
// @ts-expect-error There is no place for a secret in a browser.
new TesseraBrowser({ url, ...keys, client_secret: "secret" });
// @ts-expect-error The app key is needed.
new TesseraBrowser({ url, client_id: "id" });

async function onboarding(file: File): Promise<string | null> {
  const flow = await SessionFlow.open(browser, { skill: "xyz_ro_aisp_sbx_#1.0", tenant_user_id: "u", pkce: true });
  // @ts-expect-error A session is of a skill.
  await SessionFlow.open(browser, { tenant_user_id: "u" });
  const answer: FlowAnswer = await flow.submit(flow.next_step ?? "sca", { psu_redirect_link: "myapp://return" });
  const upload = await flow.upload({ kind: "selfie", file }, { onProgress: (part) => part.toFixed(2) });
  const size: number = upload.size;
  switch (answer.kind) {
    case "redirect":
      flow.leave(answer, { storage: localStorage });
      break;
    case "pending":
      await flow.wait({ signal: AbortSignal.timeout(size) });
      break;
    case "last":
      return answer.temp_token ?? null;
    // @ts-expect-error No answer is of this kind.
    case "finished":
  }
  // @ts-expect-error The browser's half exchanges nothing.
  browser.exchange({ temp_token: "t" });
  // @ts-expect-error What is saved is read-only from outside.
  flow.status = "SESSION_COMPLETED";

  const returned = await SessionFlow.resume(browser);
  if (returned === null) return null;
  if (returned.kind === "last") return returned.temp_token ?? null;
  if (returned.kind === "refused") return returned.error;
  const first: SkillSummary = (await browser.catalog.skills({ type: "marketplace" }).first()).items[0]!;
  // @ts-expect-error Types of skills are a closed set.
  browser.catalog.skills({ type: "banking" });
  return first.servicer.code;
}

const server = new TesseraServer({ url, client_id: "id", client_secret: "secret", signing: { issuer: "i", key: "pem", alg: "ES256" } });
// @ts-expect-error A secret is needed.
new TesseraServer({ url, client_id: "id" });
// @ts-expect-error A signer needs the algorithm it signs with.
signer({ issuer: "i", sign: (bytes) => bytes });
// @ts-expect-error Either a key or a signer.
signer({ issuer: "i", key: "pem", alg: "RS256", sign: (bytes: Uint8Array) => bytes });
signer({ issuer: "i", key: { kty: "EC", crv: "P-256" }, kid: "k" });

async function reading(pair: Pair): Promise<string> {
  const token = await server.exchange({ temp_token: "t", code_verifier: "v" }, { idempotencyKey: "mine" });
  const consent = server.consent({ ...token, tenant_user_id: "u" });
  // @ts-expect-error A pair has two halves.
  server.consent({ credentials_id: "c" });
  server.consent(pair);
  const accounts: Account[] = await consent.accounts().all();
  let last: Transaction | undefined;
  for await (const row of consent.transactions({ account_id: accounts[0]?.id, lt: "20.00", booking_date_gte: new Date(), limit: 500 })) last = row;
  // @ts-expect-error Filters are the documented ones.
  consent.transactions({ colour: "red" });
  for await (const page of consent.balances({ type: "Expected" }).pages()) page.items[0]?.data.native_date?.length;
  const changes: Changes = await consent.sync({ cursor: "c", count: 100 });
  for await (const { added, next_cursor } of consent.changes({ cursor: changes.next_cursor })) added[0]?.utx_id === next_cursor;
  // @ts-expect-error Amounts are texts: arithmetic on them would be wrong.
  const sum: number = last?.data.amount;
  const { result } = await consent.info();
  await consent.delete({ pcd_data_retention: 0 });
  return `${result.status} ${sum}`;
}

async function failing(): Promise<number | null> {
  try {
    return (await reading({ credentials_id: "c", access_token: "a" })).length;
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    // @ts-expect-error What happened does not change.
    error.code = "other";
    return error.fields.length ? error.http : error.retryAfter;
  }
}

export { failing, onboarding };
