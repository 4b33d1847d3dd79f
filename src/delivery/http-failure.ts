/**
 * What an HTTP attempt came to, in the words of the error table. Pure.
 *
 * 408, 425, 429 and every 5xx are transient (RFC 9110 §15, RFC 6585 §4, RFC 8470 §5.2); 401 and 407 are our
 * credentials; a redirect means that the destination does not live where the configuration says. Every other status
 * is a refusal for good. Before the request can have reached the other side a failure is plain; afterwards it is ambiguous.
 */
import { type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';
import type { DeliveryOutcome } from './destination.ts';

/** What is needed of an answer to judge it. */
export interface JudgedAnswer {
  readonly status: number;
  header(name: string): string | undefined;
}

export type FailedOutcome = Extract<DeliveryOutcome, { kind: 'failed' }>;

const RETRY_AFTER_MS_MAX = 24 * 60 * 60 * 1000;

/** Nothing of the request can have been understood by the other side when these happen. */
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_PRX_TLS',
]);
const TIMEOUT_CODES: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
/** OpenSSL's and Node's codes for a certificate that does not convince, or for no common protocol. */
const TLS_CODE = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/;

/** The outcome of an answer that is no receipt. */
export function outcomeOfAnswer(answer: JudgedAnswer, nowMs: number): FailedOutcome {
  const retryAfterMs = retryAfter(answer.header('retry-after'), nowMs);
  const detail = `status=${answer.status}`;
  return {
    kind: 'failed',
    code: codeOfStatus(answer.status),
    detail,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

export function codeOfStatus(status: number): ErrorCode {
  if (status === 401 || status === 407) return 'DELIVERY_AUTH_FAILED';
  if (status === 408 || status === 425 || status === 429 || status >= 500) return 'DELIVERY_BUSY';
  if (status >= 300 && status < 400) return 'DELIVERY_UNREACHABLE';
  return 'DELIVERY_REJECTED';
}

/** The outcome of an attempt that threw; what is not ours is INVARIANT and ends in held. */
export function outcomeOfError(error: unknown): FailedOutcome {
  const failure = toLetheError(error);
  const facts = Object.entries(failure.detail).filter(([, value]) => value !== undefined);
  const detail = facts.map(([name, value]) => `${name}=${value}`).join(' ');
  return { kind: 'failed', code: failure.code, ...(detail === '' ? {} : { detail }) };
}

/**
 * Retry-After as milliseconds from now (RFC 9110 §10.2.3): seconds or a date; undefined when absent or senseless, at
 * most a day so that a wrong clock over there does not park an instance for years.
 */
export function retryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  if (Number.isNaN(delayMs)) return undefined;
  return Math.min(Math.max(0, delayMs), RETRY_AFTER_MS_MAX);
}

/** Node's, OpenSSL's and undici's errors as ours; `expired` when our own watch ended the attempt. */
export function failureOf(error: unknown, expired: boolean): LetheError {
  const reason = causeOf(error);
  if (reason instanceof LetheError) return reason;
  const code = codeOf(reason);
  if (expired || TIMEOUT_CODES.has(code)) return new LetheError('DELIVERY_TIMEOUT', { reason: code }, { cause: error });
  if (UNREACHABLE_CODES.has(code) || TLS_CODE.test(code)) {
    return new LetheError('DELIVERY_UNREACHABLE', { reason: code }, { cause: error });
  }
  if (isProgrammingError(reason)) return new LetheError('INVARIANT', { name: errorName(reason) }, { cause: error });
  return new LetheError(
    'DELIVERY_CONNECTION_LOST',
    { reason: code === '' ? errorName(reason) : code },
    { cause: error },
  );
}

export function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

/** undici and Node wrap: the first LetheError of the chain, else the first error that has a code. */
function causeOf(error: unknown): unknown {
  let current: unknown = error;
  let coded: unknown;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if (current instanceof LetheError) return current;
    if (coded === undefined && codeOf(current) !== '') coded = current;
    current = current instanceof AggregateError && current.cause === undefined ? current.errors[0] : current.cause;
  }
  return coded ?? error;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || codeOf(error) === 'UND_ERR_INVALID_ARG';
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
