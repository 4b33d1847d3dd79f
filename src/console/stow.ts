/**
 * STOW-RS, PS3.18 §10.5: `multipart/related; type="application/dicom"`, each part one Part 10 file, streamed. The answer
 * is the Store Instances Response Module (PS3.18 Annex I) as DICOM JSON: what was stored, what failed and why.
 *
 * Status (PS3.18 Table 10.5.3-1): 200 all in custody; 202 some; 400 none, every one for its syntax; 409 none, for other or
 * several reasons. 503 with Retry-After when the reason is that we have no room: the rest of the request was not read, so
 * it names only what came before, and the sender repeats it whole (what is in custody is recognised).
 */
import { ERRORS, LetheError } from '../core/errors.ts';
import type { GatewayAdmin, ReceiveResult } from '../gateway/admin.ts';
import { checkCoding, type IntakeRequest, isRetry, PART_COUNT_MAX, receiveOne } from './intake.ts';
import { parseMediaType } from './media-type.ts';
import { readParts } from './multipart.ts';

/** DICOM JSON Model (PS3.18 Annex F) of the attributes this module needs. */
interface JsonAttribute {
  readonly vr: 'SQ' | 'UI' | 'UR' | 'US';
  readonly Value?: readonly (string | number | JsonDataSet)[];
}
type JsonDataSet = Readonly<Record<string, JsonAttribute>>;
type Refused = Extract<ReceiveResult, { status: 'refused' }>;

export interface StowAnswer {
  readonly status: number;
  readonly body: JsonDataSet;
}

// Store Instances Response Module, PS3.18 Table I.1-1.
const REFERENCED_SOP_CLASS_UID = '00081150';
const REFERENCED_SOP_INSTANCE_UID = '00081155';
const RETRIEVE_URL = '00081190';
const FAILURE_REASON = '00081197';
const FAILED_SOP_SEQUENCE = '00081198';
const REFERENCED_SOP_SEQUENCE = '00081199';
const OTHER_FAILURES_SEQUENCE = '0008119A';
const CANNOT_UNDERSTAND = 0xc000; // PS3.18 Table I.2-2

/** @throws HTTP_MEDIA_TYPE_UNSUPPORTED, HTTP_MULTIPART_MALFORMED, HTTP_REQUEST_INVALID */
export async function storeInstances(request: IntakeRequest, admin: GatewayAdmin): Promise<StowAnswer> {
  checkCoding(request.contentEncoding);
  const boundary = boundaryOf(request.contentType);
  const results: ReceiveResult[] = [];
  for await (const part of readParts(request.body, boundary, { partCountMax: PART_COUNT_MAX })) {
    const result = await receiveOne(request, part.body, admin);
    results.push(result);
    if (isRetry(result)) break;
  }
  if (results.length === 0) throw new LetheError('HTTP_REQUEST_INVALID', { what: 'no part' });
  return answerOf(results);
}

/** Metadata and bulk data apart (PS3.18 §8.7.3) are not taken. Tolerance: `type` left out means application/dicom. */
function boundaryOf(contentType: string | undefined): string {
  const type = parseMediaType(contentType ?? '');
  const partType = type?.parameters.get('type')?.toLowerCase() ?? 'application/dicom';
  if (type?.essence !== 'multipart/related' || partType !== 'application/dicom') {
    throw new LetheError('HTTP_MEDIA_TYPE_UNSUPPORTED', { expected: 'multipart/related; type="application/dicom"' });
  }
  return type.parameters.get('boundary') ?? '';
}

function answerOf(results: readonly ReceiveResult[]): StowAnswer {
  const stored = results.filter((result) => result.status !== 'refused');
  const refused = results.filter((result) => result.status === 'refused');
  const named = refused.filter(({ sopInstanceUid }) => sopInstanceUid !== undefined);
  const unnamed = refused.filter(({ sopInstanceUid }) => sopInstanceUid === undefined);
  const body: JsonDataSet = {
    // Type 2: what is received is not offered for retrieval.
    [RETRIEVE_URL]: { vr: 'UR' },
    ...sequence(REFERENCED_SOP_SEQUENCE, stored.map(reference)),
    ...sequence(
      FAILED_SOP_SEQUENCE,
      named.map((one) => ({ ...reference(one), ...failureReason(one) })),
    ),
    ...sequence(OTHER_FAILURES_SEQUENCE, unnamed.map(failureReason)),
  };
  return { status: statusOf(stored.length, refused), body };
}

function statusOf(storedCount: number, refused: readonly Refused[]): number {
  if (refused.length === 0) return 200;
  if (refused.some(isRetry)) return 503;
  if (storedCount > 0) return 202;
  return refused.every(({ httpStatus }) => httpStatus === 400) ? 400 : 409;
}

function sequence(tag: string, items: readonly JsonDataSet[]): JsonDataSet {
  return items.length === 0 ? {} : { [tag]: { vr: 'SQ', Value: items } };
}

function reference({ sopClassUid, sopInstanceUid }: { sopClassUid?: string; sopInstanceUid?: string }): JsonDataSet {
  return {
    ...(sopClassUid !== undefined && { [REFERENCED_SOP_CLASS_UID]: { vr: 'UI', Value: [sopClassUid] } }),
    ...(sopInstanceUid !== undefined && { [REFERENCED_SOP_INSTANCE_UID]: { vr: 'UI', Value: [sopInstanceUid] } }),
  };
}

/** The status that C-STORE answers for the same cause: PS3.18 Table I.2-2 takes its values from there. */
function failureReason({ code }: Refused): JsonDataSet {
  const row = Object.entries(ERRORS).find(([name]) => name === code)?.[1];
  const status = row !== undefined && 'dimseStatus' in row ? row.dimseStatus : CANNOT_UNDERSTAND;
  return { [FAILURE_REASON]: { vr: 'US', Value: [status] } };
}
