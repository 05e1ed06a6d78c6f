// Types of the half for servers.
import type { CallOptions, Catalog, Connection, KeyedOptions, ListPage, Pages, SessionOpened, Sessions } from "./core.js";

export { TesseraError, pkce } from "./core.js";
export type * from "./core.js";

/** A tenant's server: what its `client_secret` can do. Throws when loaded in a browser. */
export class TesseraServer {
  constructor(options: ServerOptions);
  /** For tenants that are all server. */
  readonly sessions: Sessions<{ nonce?: string }>;
  /** Says of each skill whether the tenant may use it. */
  readonly catalog: Catalog;
  /** Exchanges a `temp_token`, once. */
  exchange(fields: { temp_token: string; code_verifier?: string; tenant_user_id?: string }, options?: KeyedOptions): Promise<Token>;
  /** The tenant's consents, without their tokens. */
  consents(query?: { status?: ConsentInfo["status"]; skill?: string; limit?: number }, options?: CallOptions): Pages<ConsentInfo>;
  /** The data that a stored pair gives access to. */
  consent(pair: Pair): Consent;
}

export interface ServerOptions extends Connection {
  client_secret: string;
  /** Calls `/v1s`, with every request signed. */
  signing?: Signing;
}

/** The pair that opens an end-user's data: store it with your user. */
export interface Pair {
  credentials_id: string;
  access_token: string;
  /** Needed if the session was opened with one. */
  tenant_user_id?: string;
}

export interface Token {
  credentials_id: string;
  access_token: string;
  consent_exp: string;
  max_data_retention: string;
}

/** One end-user's consent: every call on it carries the pair. */
export class Consent {
  private constructor();
  readonly credentials_id: string;
  accounts(query?: { limit?: number }, options?: CallOptions): Pages<Account, DataPage<Account>>;
  balances(query?: BalanceQuery, options?: CallOptions): Pages<Balance, DataPage<Balance>>;
  /** Newest first. All that the query says must hold. */
  transactions(query?: TransactionQuery, options?: CallOptions): Pages<Transaction, DataPage<Transaction>>;
  /** The changes since a cursor; everything without one. Store each `next_cursor` with what came with it. */
  sync(from?: SyncFrom, options?: CallOptions): Promise<Changes>;
  /** All changes since a cursor, answer by answer. */
  changes(from?: SyncFrom, options?: CallOptions): AsyncGenerator<Changes, void, undefined>;
  info(options?: CallOptions): Promise<ConsentAnswer<ConsentInfo>>;
  /** `pcd_data_retention`: minutes for which the cached data outlives the consent; 0: gone as soon as possible. */
  delete(fields?: { pcd_data_retention?: number }, options?: CallOptions): Promise<ConsentAnswer<{ client_id: string; credentials_id: string }>>;
  /** Opens a session that renews the consent. */
  extend(fields?: { code_challenge?: string; state?: string }, options?: KeyedOptions): Promise<SessionOpened>;
  /** The product that the end-user bought, for a pair of a marketplace skill. */
  products(query?: { limit?: number }, options?: CallOptions): Pages<Product, DataPage<Product>>;
  /** The payment the end-user authorised, for a pair of a payment skill. */
  payment(options?: CallOptions): Promise<Payment>;
  /** Calls the payment off, as long as the bank allows. */
  cancelPayment(options?: KeyedOptions): Promise<Payment>;
}

/** The age of data, and the number of calls that the bank still allows. */
export interface Freshness {
  as_of: string;
  served_from: "cache" | "bank";
  bank_budget?: { limit: number; left: number; resets_at: string | null };
  /** `suspect` while what the bank took away waits to be confirmed. */
  freshness?: "current" | "suspect";
  /** Of transactions: entries of the bank's that could not be read. */
  unreadable?: { account_id: string; field: string; count: number }[];
}

export interface DataPage<Item> extends ListPage<Item>, Freshness {}

export type Sign = "credit" | "debit";

export interface Account {
  id: string;
  servicer_id: string;
  servicer_name: string;
  timestamp: string;
  data: {
    account_schemes: { scheme_name: "IBAN" | "BICFI" | (string & {}); identification: string }[];
    account_type: string;
    account_sub_type: string;
    currency: string;
    /** May be empty. */
    name: string;
    /** May be empty. */
    nickname: string;
    balances: AccountBalance[];
  };
}

export interface AccountBalance {
  /** A decimal without sign, exact: not for binary floating point. */
  balance_amount: string;
  balance_currency: string;
  balance_type: string;
  credit_limit_included: boolean;
  credit_debit_indicator: Sign;
}

export interface Balance {
  id: string;
  account_id: string;
  timestamp: string;
  data: {
    type: string;
    amount: string;
    currency: string;
    credit_debit_indicator: Sign;
    credit_limit_included: boolean;
    credit_line: unknown;
    native_date: string | null;
    native_timestamp: string | null;
  };
}

export interface Transaction {
  id: string;
  /** Equal in every consent of your tenant: use it as the key of an upsert. */
  utx_id: string;
  account_id: string;
  timestamp: string;
  id_stability: "bank" | "derived" | "positional";
  /** `utx_id` of the pending transaction this one took the place of. */
  replaces: string | null;
  data: {
    /** A decimal without sign, exact: not for binary floating point. */
    amount: string;
    currency: string;
    credit_debit_indicator: Sign;
    status: "booked" | "pending";
    booking_date_time: string;
    /** `2026-01-31`: a day of no time zone. */
    booking_date?: string;
    value_date?: string | null;
    balance: string | null;
    info: string;
    details: { attach: string[]; category: string | null; location: string | null; merchant: string | null; tags: string[] } | null;
    exchange_rate: unknown;
  };
}

export interface BalanceQuery {
  account_id?: string;
  type?: string;
  currency?: string;
  limit?: number;
}

/** An amount: best a string, which is compared exactly. */
export type Decimal = string | number;
export type Time = string | Date;

export interface TransactionQuery {
  account_id?: string;
  currency?: string;
  status?: "booked" | "pending";
  credit_debit_indicator?: Sign;
  category?: string;
  merchant?: string;
  location?: string;
  tag?: string;
  eq?: Decimal;
  gte?: Decimal;
  gt?: Decimal;
  lte?: Decimal;
  lt?: Decimal;
  booking_date_eq?: Time;
  booking_date_gte?: Time;
  booking_date_gt?: Time;
  booking_date_lte?: Time;
  booking_date_lt?: Time;
  timestamp_eq?: Time;
  timestamp_gte?: Time;
  timestamp_gt?: Time;
  timestamp_lte?: Time;
  timestamp_lt?: Time;
  /** 1 to 500 a page; 100 unless said. */
  limit?: number;
}

export interface SyncFrom {
  /** The `next_cursor` stored last. */
  cursor?: string;
  count?: number;
}

/** Put `added` and `modified` over what you have of the same `id`, take out `removed`, and store `next_cursor`, all in one transaction. */
export interface Changes extends Freshness {
  added: Transaction[];
  modified: Transaction[];
  removed: { id: string; utx_id: string; account_id: string }[];
  next_cursor: string;
  has_more: boolean;
}

export interface Product {
  id: string;
  servicer_id: string;
  servicer_name: string;
  timestamp: string;
  data: {
    kind: "deposit" | "credit_card" | (string & {});
    status: "awaiting_documents" | "active" | "closed" | (string & {});
    name: string;
    /** May be empty. */
    reference: string;
    terms: {
      currency: string;
      principal?: string;
      period_months?: number;
      interest_rate?: string;
      starts_on?: string;
      matures_on?: string;
      maturity_amount?: string;
      credit_limit?: string;
    };
  };
}

export interface PaymentItem {
  end_to_end_id: string | null;
  status: string;
  status_text: string;
  final: boolean;
  reason: string | null;
  amount: string;
  currency: string;
  creditor_name: string;
  creditor_account: { iban: string };
}

export interface Payment {
  id: string;
  credentials_id: string | null;
  servicer_id: string;
  servicer_name: string;
  skill: string;
  kind: "single" | "future_dated" | "periodic" | "bulk";
  /** ISO 20022: `RCVD`, `ACSC`, `RJCT` and so on. */
  status: string;
  /** The status in plain words. */
  status_text: string;
  /** `true` if the status is final. */
  final: boolean;
  reason: string | null;
  amount: string;
  currency: string;
  execution_date: string | null;
  debtor_account: { iban: string } | null;
  items: PaymentItem[];
  executions: { done: number; last_date: string | null; next_date: string | null } | null;
  ordered: Record<string, unknown>;
  created_at: string;
  updated_at: string;
  as_of: string | null;
  served_from: "cache" | "bank";
}

export interface ConsentAnswer<Result> {
  op_type: "read" | "delete";
  code: string;
  http: number;
  message: string;
  result: Result;
}

export interface ConsentInfo {
  credentials_id: string;
  status: "ACTIVE" | "DELETED" | "EXPIRED";
  originator: { country: string; servicer: string; skill: string };
  tenant_app_info: { client_id: string; name: string };
  utc_created: string;
  utc_last_update: string;
  consent_exp: string;
  max_data_retention: string;
}

export type Algorithm = "RS256" | "PS256" | "ES256" | "EdDSA";

interface SigningCommon {
  /** As registered with the key in the portal. */
  issuer: string;
  /** Names the key among several. */
  kid?: string;
  /** The API's host unless said. */
  audience?: string;
  /** Seconds that a signature lives, 1 to 3600; 60 unless said. */
  lifetime?: number;
}

/** A private key as JWK (RFC 7517). */
export interface PrivateJwk {
  kty: string;
  kid?: string;
  alg?: string;
  [member: string]: unknown;
}

/** A `KeyObject` of `node:crypto`. */
export interface PrivateKeyObject {
  readonly type: "secret" | "public" | "private";
  readonly asymmetricKeyType?: string;
}

/** A private key of yours; or a way to sign with one that never leaves its vault. */
export type Signing = SigningCommon &
  ( | { key: string | PrivateJwk | PrivateKeyObject; alg?: Algorithm; sign?: never }
    | { sign: (bytes: Uint8Array) => Uint8Array | ArrayBuffer | Promise<Uint8Array | ArrayBuffer>; alg: Algorithm; key?: never });

/** The header that signs one request, for those who send it themselves. */
export function signer(signing: Signing): (request: { method: string; url: string; body?: string }) => Promise<{ Authorization: string }>;
