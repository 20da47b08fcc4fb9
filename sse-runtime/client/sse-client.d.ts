/**
 * The events of a stream: a union of payloads that carry their event's name as `type`, or a map from names to payloads.
 *
 * ```ts
 * type JobEvent = { type: "progress"; percent: number } | { type: "done"; url: string };
 * type Ticks = { tick: number; log: string; message: string }; // `message`: events without a name
 * ```
 *
 * Payloads of a union and others beside it: `ByName<JobEvent> & { log: string }`.
 */
export type ByName<E> = [E] extends [{ type: string }] ? { [N in E["type"]]: Extract<E, { type: N }> } : E;

/** An event as handlers and loops get it: `name` tells what `data` is. */
export type Received<E, M = ByName<E>> = {
  [N in keyof M & string]: {
    readonly name: N;
    readonly data: M[N];
    /** The last id in force: what the stream goes on from if it is lost now. Empty if there is none. */
    readonly id: string;
  };
}[keyof M & string];

type Name<E> = keyof ByName<E> & string;
type TextName<E, M = ByName<E>> = { [N in keyof M & string]: M[N] extends string ? N : never }[keyof M & string];

/** `waiting`: for the next attempt. `closed`: for good. */
export type State = "connecting" | "open" | "waiting" | "closed";

/** The first event of every connection to a route that follows topics, or that has runs. */
export interface Open {
  /** The run's id, if it is one. */
  run?: string;
  /** Where the stream begins. */
  position: string;
  /** Whether it goes on where the last one ended. If not, what is shown is not what the following builds on. */
  resumed: boolean;
  /** After so many milliseconds of silence comes a comment; `null` if never. */
  heartbeat: number | null;
}

/** The stream cannot go on from the id that was named. `Open` comes next. */
export interface Reset {
  reason: "malformed" | "epoch" | "ahead" | "evicted" | "too_far";
  asked: string | null;
  oldest: string;
  now: string;
}

/** Events were left out, because they were not read in time. */
export interface Gap {
  missed: number;
  after: string;
  until: string;
}

/** The server ends this connection, and the stream comes back when it was told to; or a run, and `onEnd` follows. */
export interface Bye {
  reason:
    | "SlowClient" | "ServerShutdown" | "MaxAge" | "AuthExpired" | "Kicked" | "Full"
    | "Cancelled" | "Abandoned" | "RunFull";
  /** Why, if the server says so: with `Kicked`. */
  message?: string;
}

/** The handler has failed. */
export interface Failure {
  reason: "HandlerError" | "HandlerPanic";
  message?: string;
}

/** What went wrong: an answer that is no stream, or a connection that was lost. */
export declare class StreamError extends Error {
  /** The response's status; 0 if there was none, or if it was cut off. */
  readonly status: number;
  /** The response's body, if it was no stream; of a long one the first 65536 characters. */
  readonly body: string;
  /** Milliseconds to the next attempt; 0 if the stream goes on; `null` if it was the last word. */
  readonly retryIn: number | null;
}

export interface Options<E> {
  /** By an event's name, what to do with it. */
  on?: { [N in Name<E>]?: (data: ByName<E>[N], event: Extract<Received<E>, { name: N }>) => void };
  /** What to do with every event, also of names that the type does not know. */
  onEvent?: (event: Received<E>) => void;

  onOpen?: (open: Open) => void;
  onReset?: (reset: Reset) => void;
  onGap?: (gap: Gap) => void;
  onBye?: (bye: Bye) => void;
  onFailure?: (failure: Failure) => void;
  /** The stream has ended as it should: by a terminal event, or by the status 204. */
  onEnd?: () => void;
  /** Whatever goes wrong; `retryIn` says whether it is the end. */
  onError?: (error: StreamError) => void;
  onState?: (state: State) => void;

  /** Names of events after which there is nothing more to come. The runtime's own end needs no mention. */
  terminal?: readonly Name<E>[];
  /** Names of events whose data is text; `true`: of all. The data of all others is JSON. */
  text?: true | readonly TextName<E>[];

  /**
   * One connection for all tabs with the same address and options: both have to tell users apart, cookies do not.
   * `"live"`: late tabs begin in the middle, with what comes next. Default: `false`.
   */
  share?: boolean | "live";
  /** Default: `GET`. */
  method?: string;
  /** Of a kind that can be sent twice. */
  body?: string | Blob | FormData | URLSearchParams | ArrayBuffer | ArrayBufferView<ArrayBuffer> | null;
  /** A function is called before each attempt, for tokens that expire. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** Default: `same-origin`. */
  credentials?: RequestCredentials;
  /** Where the page stands already, if the server has rendered it. */
  lastEventId?: string;
  /** Milliseconds before the stream comes back, until the server says how long. Default: 1000. */
  retry?: number;
  /** Milliseconds after which something must have come. Default: what the server announces. `null`: no watchdog. */
  heartbeat?: number | null;
  /** Default: `fetch`, where it can stream. */
  transport?: "fetch" | "eventsource";
  /** With `eventsource`: names of events that are not in `on`, `terminal` or `text`. */
  names?: readonly Name<E>[];
  /** Closes the stream. */
  signal?: AbortSignal;
}

/** An open stream. A loop over it gets the events; leaving the loop closes it; an error without retry is thrown. */
export interface Stream<E> extends AsyncIterable<Received<E>> {
  readonly state: State;
  readonly lastEventId: string;
  close(): void;
  /**
   * Answers into the stream, on a route that takes replies, as JSON: the promise has what the server's handler responds,
   * or `undefined` if it says nothing. Waits for the stream to be open, and while too many answers wait at the server. What
   * the network loses is sent once more, and the server takes it once. Rejects with a `StreamError` otherwise.
   */
  send<A = any>(answer: unknown): Promise<A | undefined>;
  [Symbol.asyncIterator](): AsyncIterator<Received<E>, undefined>;
}

/** Opens a stream, and keeps it open until it ends or is closed. */
export declare function connect<E = Record<string, any>>(url: string | URL, options?: Options<E>): Stream<E>;
