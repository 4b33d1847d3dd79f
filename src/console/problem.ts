/**
 * Failures as HTTP answers: problem details (RFC 9457) whose words come from the one table of errors. What an exception
 * says itself never reaches an answer, because a parser's message may quote the body it did not like.
 */
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** Which field, which part: never a value. */
  readonly detail?: string;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export function problemOf(error: unknown): Problem {
  const known = error instanceof LetheError ? error : fromFramework(error);
  return problemFor(known.code, detailText(known), known.row.httpStatus, known.row.message);
}

/** For a refusal that came as a code and words of the table. `type` is the code's heading in the error documentation. */
export function problemFor(
  code: string,
  detail: string,
  status = 500,
  title = STATUS_CODES[status] ?? 'Failed',
): Problem {
  const problem = { type: `urn:lethe:error:${code}`, title, status, code };
  return detail === '' ? problem : { ...problem, detail };
}

function detailText(error: LetheError): string {
  const parts = Object.entries(error.detail).filter(([, value]) => value !== undefined);
  return parts.map(([name, value]) => `${name}=${value}`).join(' ');
}

/** The framework's own refusals carry a `statusCode`; a broken connection an `ECONNRESET`. All else is our bug. */
function fromFramework(error: unknown): LetheError {
  const { statusCode, code, validation } = errorFacts(error);
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new LetheError('HTTP_BODY_INCOMPLETE', {}, { cause: error });
  if (validation !== undefined) return new LetheError('HTTP_REQUEST_INVALID', { field: validation });
  const byStatus = statusCode === undefined ? undefined : CODE_OF_STATUS[statusCode];
  return byStatus === undefined ? toLetheError(error) : new LetheError(byStatus, {}, { cause: error });
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'HTTP_REQUEST_INVALID',
  404: 'HTTP_NOT_FOUND',
  413: 'HTTP_BODY_TOO_LARGE',
  414: 'HTTP_REQUEST_INVALID',
  415: 'HTTP_MEDIA_TYPE_UNSUPPORTED',
};

interface ErrorFacts {
  readonly statusCode?: number;
  readonly code?: string;
  readonly validation?: string;
}

function errorFacts(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return {};
  const facts: Error & { statusCode?: unknown; code?: unknown; validation?: unknown; validationContext?: unknown } =
    error;
  const first: unknown = Array.isArray(facts.validation) ? facts.validation[0] : undefined;
  const path = typeof first === 'object' && first !== null && 'instancePath' in first ? String(first.instancePath) : '';
  return {
    ...(typeof facts.statusCode === 'number' && { statusCode: facts.statusCode }),
    ...(typeof facts.code === 'string' && { code: facts.code }),
    ...(first !== undefined && { validation: `${String(facts.validationContext)}${path}` }),
  };
}
