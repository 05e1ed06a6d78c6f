// Types of the half that may run in a browser or app.
import type { CallOptions, Catalog, Connection, NewSession, SessionStanding, SessionStatus, Sessions, StepTaken, Upload, UploadOptions } from "./core.js";

export { TesseraError, pkce } from "./core.js";
export type * from "./core.js";

/** A tenant's app: the keys that everybody may see, and what they can do. There is no place for a secret. */
export class TesseraBrowser {
  constructor(options: BrowserOptions);
  readonly sessions: Sessions<{ nonce?: string }>;
  readonly catalog: Catalog;
}

export interface BrowserOptions extends Connection {
  client_app_key: string;
}

/** The action that an answer asks for. */
export type FlowKind =
  /** A step of the end-user's: `next_step`. */
  | "next"
  /** Send the end-user's browser to `data.url`: `leave()`. */
  | "redirect"
  /** The provider verifies: `wait()`. */
  | "pending"
  /** The session is complete: hand `temp_token` to your server. */
  | "last"
  /** Only your server is told the next step: it calls `sessions.get`, and the flow continues with `proceed()`. */
  | "server"
  /** The session came to its good end, and nothing is left to do here: its token went to your link, or waits for your server. */
  | "done"
  /** Nothing can come any more; `status` says why. */
  | "ended";

export type FlowAnswer = (StepTaken | SessionStanding) & { kind: FlowKind };

/** The outcome with which an end-user came back to your link. */
export type Returned =
  | ({ flow: SessionFlow } & (
      | { kind: "last"; temp_token: string }
      /** The end-user said no: `refresh()` and submit the step again if they change their mind. */
      | { kind: "refused"; error: string; error_code: string | undefined }
      | { kind: "failed"; error: string; error_code: string | undefined }
      | FlowAnswer
    ))
  /** The session came to its good end before: the same return again, or a second decision. `flow` is null in another tab. */
  | { kind: "done"; flow: SessionFlow | null };

/** All of a flow, for taking it up later. Holds nonces. */
export interface SavedFlow {
  session_id: string;
  skill: string;
  state: string;
  status: SessionStatus;
  expires_at: string;
  nonce?: string;
  used?: string;
  step_id?: string;
  next_step?: string;
  code_verifier?: string;
  /** `true` once the session has completed. */
  done?: boolean;
}

/**
 * One session from its first nonce to its `temp_token`.
 *
 * Once the end-user was sent to the bank, what comes next is told on your link, or to your server: whoever opened the
 * session may not be who consented. A flow never asks for a token that it cannot have.
 */
export class SessionFlow {
  constructor(client: TesseraBrowser, saved: SavedFlow);
  /** Opens a session. With `pkce: true` the flow makes a pair and keeps the verifier; better is a challenge from your server. */
  static open(client: TesseraBrowser, fields: NewSession & { pkce?: boolean }, options?: CallOptions): Promise<SessionFlow>;
  /** Takes up a session when the end-user is back; null if this page is no return. Cleans the page's address. */
  static resume(client: TesseraBrowser, options?: { url?: string; storage?: Storage; signal?: AbortSignal }): Promise<Returned | null>;
  readonly session_id: string;
  /** Came back with the end-user, and was the one sent: your server may know it. */
  readonly state: string;
  /** As of the last answer. */
  readonly status: SessionStatus;
  /** Name of the step to submit, if it is the end-user's turn. */
  readonly next_step: string | null;
  readonly expires_at: string;
  /** Goes to your server beside the `temp_token`, if the flow made its own PKCE pair. */
  readonly code_verifier: string | null;
  submit(step: string, data: Record<string, unknown>, options?: CallOptions): Promise<FlowAnswer>;
  /** Sends a file to the step submitted last. */
  upload(fields: { kind: string; file: Blob; name?: string }, options?: UploadOptions): Promise<Upload>;
  /**
   * Asks what comes next: while a verification goes on, or when an answer got lost (after the end-user was sent away:
   * submit again instead). Where only your server may know, the answer is of kind `server`, or `done`.
   */
  refresh(options?: CallOptions): Promise<FlowAnswer>;
  /** Goes on with what your server asked for. */
  proceed(next: { nonce: string; next_step: string }): void;
  /** Waits until a verification is over, however often that takes asking. */
  wait(options?: { signal?: AbortSignal }): Promise<FlowAnswer>;
  /** Calls the session off, for good. */
  cancel(options?: CallOptions): Promise<void>;
  /** Saves the flow and sends the end-user to the bank. */
  leave(answer: FlowAnswer, options?: { storage?: Storage; go?: (url: string) => void }): void;
  /** All of it, for `new SessionFlow(client, saved)` later on. Holds nonces: keep it where only this user's browser reads. */
  toJSON(): SavedFlow;
}
