// A client for browsers and Node.js: every path, parameter and answer has its type from the interface's description (src/schema.ts, made by
// `npm run generate`). Writes get an Idempotency-Key that all attempts of one call share; what may pass is tried again.
//
//   const tanhui = connect({ baseUrl: "", csrf: () => token });
//   const { data, error } = await tanhui.GET("/health/ready");
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Problem = components["schemas"]["Problem"];

export interface Options {
  baseUrl: string;
  /** Of a session that is a cookie: sent with every write. */
  csrf?: () => string | undefined;
  /** Of a session that is a token. */
  token?: () => string | undefined;
  attempts?: number;
  fetch?: typeof globalThis.fetch;
  sleep?: (ms: number) => Promise<void>;
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const TRY_AGAIN = new Set([408, 429, 500, 502, 503, 504]);
const WAIT_MS = 500;
const WAIT_MAX_MS = 30_000;

export function connect(options: Options) {
  const client = createClient<paths>({ baseUrl: options.baseUrl, credentials: "same-origin", fetch: retrying(options) });
  client.use(headers(options));
  return client;
}

function headers(options: Options): Middleware {
  return {
    onRequest({ request }) {
      const token = options.token?.();
      if (token) request.headers.set("Authorization", `Bearer ${token}`);
      if (SAFE.has(request.method)) return request;
      if (!request.headers.has("Idempotency-Key")) request.headers.set("Idempotency-Key", crypto.randomUUID());
      const csrf = options.csrf?.();
      if (csrf) request.headers.set("X-CSRF-Token", csrf);
      return request;
    },
  };
}

/** Milliseconds before attempt number `attempt` (from 1): a random part of a wait that doubles, never less than the server asked for. */
export function waitBefore(attempt: number, retryAfter: string | null, random = Math.random): number {
  const asked = retryAfter !== null && /^\d+$/.test(retryAfter) ? 1000 * Number(retryAfter) : 0;
  return Math.min(WAIT_MAX_MS, Math.max(asked, WAIT_MS * 2 ** (attempt - 1) * (0.5 + random() / 2)));
}

function retrying(options: Options) {
  const send = options.fetch ?? globalThis.fetch;
  const sleep = options.sleep ?? ((ms: number) => new Promise<void>((done) => setTimeout(done, ms)));
  const attempts = options.attempts ?? 4;
  return async (request: Request): Promise<Response> => {
    for (let attempt = 1; ; ++attempt) {
      let retryAfter: string | null = null;
      try {
        const response = await send(request.clone());
        if (!TRY_AGAIN.has(response.status) || attempt === attempts) return response;
        retryAfter = response.headers.get("Retry-After");
      } catch (error) {
        if (attempt === attempts) throw error;
      }
      await sleep(waitBefore(attempt, retryAfter));
    }
  };
}
