/**
 * STOW-RS, PS3.18 §10.5: `multipart/related; type="application/dicom"`, each part one Part 10 file, streamed. The answer is
 * the Store Instances Response Module (PS3.18 Annex I) as DICOM JSON: what was referenced, what failed and why. 200 when
 * all are in custody, 202 when some are, 409 when none is, 503 when the reason is that we have no room.
 */
import { ERRORS, type ErrorCode, LetheError } from '../core/errors.ts';
import type { GatewayAdmin, ReceiveResult } from '../gateway/admin.ts';
import { checkCoding, type IntakeRequest, isRetry, PART_COUNT_MAX, receiveOne } from './intake.ts';
import { parseMediaType } from './media-type.ts';
import { readParts } from './multipart.ts';

export interface StowAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const REFERENCED_SOP_SEQUENCE = '00081199';
const FAILED_SOP_SEQUENCE = '00081198';
const REFERENCED_SOP_INSTANCE_UID = '00081155';
const FAILURE_REASON = '00081197';
const CANNOT_UNDERSTAND = 0xc000; // PS3.18 Table I.2-2

/** @throws HTTP_MEDIA_TYPE_UNSUPPORTED, HTTP_MULTIPART_MALFORMED, HTTP_REQUEST_INVALID */
export async function storeInstances(
  request: IntakeRequest & { readonly study: string | undefined },
  admin: GatewayAdmin,
): Promise<StowAnswer> {
  checkCoding(request.contentEncoding);
  const type = parseMediaType(request.contentType ?? '');
  if (type?.essence !== 'multipart/related')
    throw new LetheError('HTTP_MEDIA_TYPE_UNSUPPORTED', { expected: 'multipart/related' });
  const results: ReceiveResult[] = [];
  for await (const part of readParts(request.body, type.parameters.get('boundary') ?? '', {
    partCountMax: PART_COUNT_MAX,
  })) {
    const result = await receiveOne(request, part.body, admin);
    results.push(result);
    if (isRetry(result)) break;
  }
  if (results.length === 0) throw new LetheError('HTTP_REQUEST_INVALID', { what: 'no part' });
  return answerOf(results);
}

function answerOf(results: readonly ReceiveResult[]): StowAnswer {
  const stored = results.filter((result) => result.status !== 'refused');
  const failed = results.filter((result) => result.status === 'refused');
  const body: Record<string, unknown> = {};
  if (stored.length > 0) {
    body[REFERENCED_SOP_SEQUENCE] = {
      vr: 'SQ',
      Value: stored.map(({ sopInstanceUid }) => ({
        [REFERENCED_SOP_INSTANCE_UID]: { vr: 'UI', Value: [sopInstanceUid] },
      })),
    };
  }
  if (failed.length > 0)
    body[FAILED_SOP_SEQUENCE] = {
      vr: 'SQ',
      Value: failed.map(({ code }) => ({ [FAILURE_REASON]: { vr: 'US', Value: [reasonOf(code)] } })),
    };
  if (failed.length === 0) return { status: 200, body };
  if (failed.some(isRetry)) return { status: 503, body };
  return { status: stored.length > 0 ? 202 : 409, body };
}

function reasonOf(code: string): number {
  const row = code in ERRORS ? ERRORS[code as ErrorCode] : undefined;
  return (row !== undefined && 'dimseStatus' in row ? row.dimseStatus : undefined) ?? CANNOT_UNDERSTAND;
}
