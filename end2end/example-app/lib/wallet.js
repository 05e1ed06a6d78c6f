// The app's work for a user: it begins a connection with a bank, finishes it, reads what was shared, ends it.
// Pairs are read from and written to the store here and nowhere else; nothing that is returned contains one.
import { createHash, randomBytes, randomUUID } from "node:crypto";

import { pkce } from "../../../public/sdk/server.js";

/** Connections a user may have begun at once, in several tabs. */
const MOST_ATTEMPTS = 5;
/** Transactions read of one consent; at most 500 a page. */
const MOST_TRANSACTIONS = 500;

export class Wallet {
  #tessera;
  #store;

  constructor(tessera, store) {
    this.#tessera = tessera;
    this.#store = store;
  }

  /** The user whose visit a cookie names. Your app has a sign-in instead. */
  user(cookie) {
    const { visits, users } = this.#store.tables;
    return cookie ? users[visits[digest(cookie)]] : undefined;
  }

  /** A new user with a cookie; only its digest is kept. */
  async welcome() {
    const cookie = randomBytes(32).toString("base64url");
    const user = { id: randomUUID(), attempts: [] };
    this.#store.tables.users[user.id] = user;
    this.#store.tables.visits[digest(cookie)] = user.id;
    await this.#store.save();
    return { user, cookie };
  }

  /**
   * Returns the fields that the front end opens a session with. The verifier stays here, with this user: a token of somebody else's session
   * cannot be finished in their name.
   */
  async begin(user) {
    const { code_verifier, code_challenge } = await pkce();
    const state = randomBytes(16).toString("base64url");
    user.attempts = [...user.attempts, { state, code_verifier }].slice(-MOST_ATTEMPTS);
    await this.#store.save();
    return { state, code_challenge, tenant_user_id: user.id };
  }

  /**
   * Exchanges the token that came with the user's return, and stores the pair before anything else can fail. Tessera
   * cannot see which browser began a session: that this user did is compared here, before the token is touched. Else
   * somebody could begin a session, have another person consent in it, and find their accounts in an account of their own.
   */
  async finish(user, { state, temp_token }) {
    const attempt = user.attempts.find((attempt) => attempt.state === state);
    if (!attempt) return false;
    const { code_verifier } = attempt;
    const pair = await this.#tessera.exchange({ temp_token, code_verifier, tenant_user_id: user.id });
    user.attempts = user.attempts.filter((other) => other !== attempt);
    this.#keep(user, pair, null);
    await this.#store.save();
    return true;
  }

  /** Reads everything the user shared anew. */
  async refresh(user) {
    for (const pair of this.#pairs(user)) await this.#read(user, pair);
    await this.#store.save();
  }

  /** Ends the consent behind an asset, and forgets all that came with it. */
  async disconnect(user, asset_id) {
    const asset = this.#store.tables.financial_assets[asset_id];
    if (asset?.user_id !== user.id) return false;
    await this.#consent(user, asset).delete({ pcd_data_retention: 0 });
    for (const { id } of this.#assets(user, asset.credentials_id)) this.#forget(id);
    await this.#store.save();
    return true;
  }

  /** The part that the user's own browser may see. */
  seen(user) {
    const assets = user ? this.#assets(user) : [];
    const accounts = assets.filter(({ account }) => account).map(({ id, account }) => ({ id, ...account }));
    const transactions = this.#store.rows("transactions", ({ asset_id }) => accounts.some(({ id }) => id === asset_id));
    transactions.sort((a, b) => b.booked.localeCompare(a.booked) || b.utx_id.localeCompare(a.utx_id));
    return { accounts, transactions, unread: assets.length > accounts.length };
  }

  #consent(user, { credentials_id, access_token }) {
    return this.#tessera.consent({ credentials_id, access_token, tenant_user_id: user.id });
  }

  #assets(user, credentials_id) {
    return this.#store.rows("financial_assets", (asset) => asset.user_id === user.id && (!credentials_id || asset.credentials_id === credentials_id));
  }

  #pairs(user) {
    return new Map(this.#assets(user).map((asset) => [asset.credentials_id, asset])).values();
  }

  /** Stores a pair with the account it opens; `null` while that is not known yet. */
  #keep(user, { credentials_id, access_token }, account) {
    // An account that is shared once more is the same asset, opened by the newer pair.
    const known = account && this.#assets(user).find((asset) => asset.account?.iban === account.iban && asset.account.currency === account.currency);
    const id = known ? known.id : randomUUID();
    this.#store.tables.financial_assets[id] = { id, user_id: user.id, credentials_id, access_token, account };
    return id;
  }

  #forget(id) {
    for (const [key, row] of Object.entries(this.#store.tables.transactions)) {
      if (row.asset_id === id) delete this.#store.tables.transactions[key];
    }
    delete this.#store.tables.financial_assets[id];
  }

  async #read(user, pair) {
    const consent = this.#consent(user, pair);
    const assets = new Map();
    for (const { id, servicer_name, data } of await consent.accounts().all()) {
      const iban = data.account_schemes.find(({ scheme_name }) => scheme_name === "IBAN")?.identification ?? id;
      const [{ balance_amount, credit_debit_indicator } = {}] = data.balances;
      const account = { bank: servicer_name, name: data.name || data.account_type, iban, currency: data.currency, amount: balance_amount, sign: credit_debit_indicator };
      assets.set(id, this.#keep(user, pair, account));
    }
    for (const { id } of this.#assets(user, pair.credentials_id).filter(({ account }) => !account)) this.#forget(id);
    const { items } = await consent.transactions({ limit: MOST_TRANSACTIONS }).first();
    for (const row of items.reverse()) this.#upsert(assets.get(row.account_id), row);
  }

  /** By `utx_id`: a transaction received again is the same row, and a booked one takes its pending one's place. */
  #upsert(asset_id, { utx_id, replaces, data }) {
    const { transactions } = this.#store.tables;
    if (replaces) delete transactions[`${asset_id}/${replaces}`];
    const { amount, currency, credit_debit_indicator: sign, status, booking_date_time: booked, info } = data;
    transactions[`${asset_id}/${utx_id}`] = { asset_id, utx_id, booked, amount, currency, sign, status, info };
  }
}

function digest(cookie) {
  return createHash("sha256").update(cookie).digest("hex");
}
