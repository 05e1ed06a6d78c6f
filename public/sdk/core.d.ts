// Types of what both halves share. Fields of answers have the names of the API's documents; answers may gain fields.

/** An error, from the API or on the way to it. */
export class TesseraError extends Error {
  constructor(problem: Partial<Problem> & Pick<Problem, "type" | "code" | "message">, options?: ErrorOptions);
  /** Id of this occurrence; quote it when asking for help. Null if the API was not reached. */
  readonly id: string | null;
  readonly type: ProblemType;
  /** HTTP status; 0 if there was no answer. */
  readonly http: number;
  /** From a closed list, explained at `docs`; branch on it. */
  readonly code: string;
  /** A way to fix it. */
  readonly hint: string | null;
  /** The page that explains the code. */
  readonly docs: string | null;
  readonly fields: FieldError[];
  /** Seconds after which the same call may succeed. */
  readonly retryAfter: number | null;
}

export type ProblemType =
  | "invalid_request"
  | "unauthorized"
  | "forbidden"
  | "external_api_error"
  | "rate_limited"
  | "internal_server_error"
  /** Of the SDK: no answer came (`timeout`, `connection_failed`). */
  | "network_error"
  /** Of the SDK: an answer that is not the API's, from a proxy for example. */
  | "invalid_answer"
  /** Of the SDK: a return that belongs to no session of this browser. */
  | "invalid_return"
  | (string & {});

export interface Problem {
  id: string | null;
  type: ProblemType;
  http: number;
  code: string;
  message: string;
  hint: string | null;
  docs: string | null;
  fields: FieldError[];
  retryAfter: number | null;
}

export interface FieldError {
  /** Path of the field, such as `data.psu_redirect_link`. */
  path: string;
  code: string;
  message: string;
}

/** A fresh pair of PKCE (RFC 7636, S256): the challenge opens a session, the verifier goes with the exchange. */
export function pkce(): Promise<{ code_verifier: string; code_challenge: string }>;

export interface Connection {
  /** The server's address, with `/v1` or without. */
  url: string;
  client_id: string;
  /** Milliseconds that one attempt may take; 30,000 unless said. */
  timeout?: number;
  /** Number of retries of a call that may be repeated; 3 by default. */
  retries?: number;
}

export interface CallOptions {
  /** Gives the call up, with the signal's reason. */
  signal?: AbortSignal;
  timeout?: number;
}

export interface KeyedOptions extends CallOptions {
  /** Under the same key the call takes effect once; made for you unless you keep your own. */
  idempotencyKey?: string;
}

export interface UploadOptions extends CallOptions {
  /** Told how much has left, from 0 to 1. */
  onProgress?: (part: number) => void;
}

/** A list that is read page by page, as it is iterated. */
export interface Pages<Item, Page extends ListPage<Item> = ListPage<Item>> extends AsyncIterable<Item> {
  first(): Promise<Page>;
  pages(): AsyncGenerator<Page, void, undefined>;
  /** Everything at once: for lists that are known to be short. */
  all(): Promise<Item[]>;
}

export interface ListPage<Item> {
  items: Item[];
  /** Send it as `after` for the page that follows. */
  next_cursor: string | null;
  has_more: boolean;
}

export type SessionStatus =
  | "SESSION_CREATED"
  | "SESSION_IN_PROGRESS"
  | "SESSION_PENDING"
  | "SESSION_COMPLETED"
  | "SESSION_FAILED"
  | "SESSION_EXPIRED"
  | "SESSION_CANCELLED";

export interface NewSession {
  /** As the catalog names it: `xyz_ro_aisp_sbx_#1.0`. */
  skill: string;
  /** The end-user as you know them: then exchange and data calls must name the same one. */
  tenant_user_id?: string;
  /** PKCE (RFC 7636), S256: then the exchange needs the `code_verifier`. */
  code_challenge?: string;
  /** Your own, handed back on your redirect link. */
  state?: string;
}

export interface SessionOpened {
  session_id: string;
  /** Authorises the first step. */
  nonce: string;
  status: SessionStatus;
  next_step: string;
  expires_at: string;
  /** Your own, as you sent it. */
  state?: string;
}

export interface NewStep {
  nonce: string;
  skill: string;
  step: string;
  data: Record<string, unknown>;
  tenant_user_id?: string;
}

/** The answer to a step; the fields that are present say what comes next. */
export interface StepTaken {
  step_id: string;
  status: SessionStatus;
  /** Authorises the next step. */
  nonce?: string;
  next_step?: string;
  /** Exchange it from your server. */
  temp_token?: string;
  data: StepData;
}

export interface StepData {
  /** The page that the end-user has to visit, if any. */
  url?: string;
  method?: string;
  headers?: Record<string, string>;
  /** Seconds until asking again makes sense, while the provider verifies. */
  poll_after?: number;
  [field: string]: unknown;
}

export interface SessionStanding {
  session_id: string;
  status: SessionStatus;
  expires_at: string;
  nonce?: string;
  next_step?: string;
  temp_token?: string;
  /** The step submitted last: its uploads name it. */
  step_id?: string;
  data?: StepData;
  /** Your own, as you sent it when the session was opened. */
  state?: string;
}

export interface NewUpload {
  /** The nonce that submitted the step. */
  nonce: string;
  /** As the skill's step names it. */
  kind: string;
  file: Blob;
  /** File name; the file's own unless given. */
  name?: string;
}

export interface Upload {
  upload_id: string;
  kind: string;
  size: number;
  /** Of the content, in hexadecimal. */
  sha256: string;
  /** Current state of the session. */
  status: SessionStatus;
}

export interface Sessions<Proof> {
  /** Repeated when an answer gets lost: a spare session harms nobody. */
  create(fields: NewSession, options?: CallOptions): Promise<SessionOpened>;
  submit(session_id: string, fields: NewStep, options?: KeyedOptions): Promise<StepTaken>;
  get(session_id: string, proof?: Proof, options?: CallOptions): Promise<SessionStanding>;
  cancel(session_id: string, proof: Proof, options?: CallOptions): Promise<{ session_id: string; status: SessionStatus; state?: string }>;
  upload(step_id: string, fields: NewUpload, options?: UploadOptions): Promise<Upload>;
}

export type SkillType = "account_information" | "payment_initiation" | "marketplace" | "customer_care" | "resource_management";

export interface SkillFilter {
  type?: SkillType;
  /** ISO 3166-1 alpha-2, lower case. */
  country?: string;
  flavour?: "sandbox" | "production";
  servicer?: string;
  /** Text found in name, title or provider. */
  q?: string;
  limit?: number;
}

export interface SkillSummary {
  skill: string;
  title: string;
  type: SkillType;
  country: string | null;
  /** Time zone in which its days begin (IANA), if not UTC. */
  time_zone?: string;
  flavour: "sandbox" | "production";
  servicer: { code: string; name: string };
  steps: string[];
  /** `true` if the tenant may use it; absent without keys. */
  whitelisted?: boolean;
}

export interface SkillDetail extends SkillSummary {
  session_minutes: number;
  data_contract: string;
  step_details: StepDetail[];
}

export interface StepDetail {
  step: string;
  title: string;
  /** JSON Schema (draft 2020-12) of the step's data. */
  schema: Record<string, unknown>;
  example: Record<string, unknown>;
  redirect: boolean;
  /** `true` if the provider may verify the step offline: the session is then pending for a while. */
  pending?: boolean;
  last: boolean;
  uploads: { kind: string; title: string; required: boolean; max_bytes: number }[];
  /** Number of files that the step takes in all. */
  max_uploads?: number;
}

export interface Catalog {
  skills(filter?: SkillFilter, options?: CallOptions): Pages<SkillSummary>;
  skill(name: string, options?: CallOptions): Promise<SkillDetail>;
  servicers(options?: CallOptions): Promise<ListPage<{ code: string; name: string }>>;
}
