/**
 * The one error class, over the one table of failures (`error-table.ts`). Importing from here gives both.
 */
import { ERRORS, type ErrorCode, type ErrorRow } from './error-table.ts';

export { type Blame, type Disposition, ERRORS, type ErrorCode, type ErrorRow } from './error-table.ts';

/** Facts that may stand in logs and answers: never an element value. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | undefined>>;

/** The only error class of the product. `detail` holds what a log line may show; `cause` is kept. */
export class LetheError extends Error {
  override readonly name = 'LetheError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail = {}, options?: { cause?: unknown }) {
    super(`${code}: ${ERRORS[code].message}${detailText(detail)}`, options);
    this.code = code;
    this.detail = detail;
  }

  /** The error's row; the retry logic looks at `row.disposition` only. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

function detailText(detail: ErrorDetail): string {
  const parts = Object.entries(detail).filter(([, value]) => value !== undefined);
  return parts.length === 0 ? '' : ` [${parts.map(([name, value]) => `${name}=${value}`).join(' ')}]`;
}

/** Wraps what is not ours as INVARIANT: an unknown exception is a bug until a row exists for it. */
export function toLetheError(error: unknown): LetheError {
  return error instanceof LetheError
    ? error
    : new LetheError('INVARIANT', { name: errorName(error) }, { cause: error });
}

function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? error.name : `${error.name} ${code}`;
}

/** Guards an invariant: false is our own bug, not the peer's. @throws INVARIANT */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new LetheError('INVARIANT', { what });
}
