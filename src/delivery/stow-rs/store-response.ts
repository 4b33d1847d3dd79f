/**
 * The Store Instances Response Module (PS3.18 Annex I, Table I.1-1) in the DICOM JSON Model (PS3.18 Annex F): which of
 * the instances of a STOW-RS request were stored and why others were not. Pure.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { DeliveryOutcome } from '../destination.ts';

const FAILED_SOP_SEQUENCE = '00081198';
const REFERENCED_SOP_SEQUENCE = '00081199';
const REFERENCED_SOP_INSTANCE_UID = '00081155';
const FAILURE_REASON = '00081197';
const WARNING_REASON = '00081196';

/** What the module says of each SOP Instance UID that it names. */
export type StoreResponse = ReadonlyMap<string, DeliveryOutcome>;

/** Undefined when the body is not a Store Instances Response Module. */
export function parseStoreResponse(body: Buffer): StoreResponse | undefined {
  const module = asObject(jsonOf(body));
  if (module === undefined || !(FAILED_SOP_SEQUENCE in module || REFERENCED_SOP_SEQUENCE in module)) return undefined;
  const outcomes = new Map<string, DeliveryOutcome>();
  for (const item of itemsOf(module, REFERENCED_SOP_SEQUENCE)) {
    const uid = firstValue(item, REFERENCED_SOP_INSTANCE_UID);
    const warning = firstValue(item, WARNING_REASON);
    const receipt = typeof warning === 'number' ? `stored, warning ${hexadecimal(warning)}` : 'stored';
    if (typeof uid === 'string') outcomes.set(uid, { kind: 'delivered', receipt });
  }
  for (const item of itemsOf(module, FAILED_SOP_SEQUENCE)) {
    const uid = firstValue(item, REFERENCED_SOP_INSTANCE_UID);
    const reason = firstValue(item, FAILURE_REASON);
    if (typeof uid === 'string') outcomes.set(uid, outcomeOfReason(typeof reason === 'number' ? reason : undefined));
  }
  return outcomes;
}

/**
 * Failure Reason (0008,1197), PS3.18 Table I.2-2 with the statuses of PS3.4 Table B.2-1. Duplicate SOP Instance (0111)
 * is a receipt: UIDs are a keyed function of the original, so the instance over there is this one.
 */
export function outcomeOfReason(reason: number | undefined): DeliveryOutcome {
  if (reason === undefined) return { kind: 'failed', code: 'DELIVERY_REJECTED', detail: 'reason=none' };
  const text = hexadecimal(reason);
  if (reason === 0x0111) return { kind: 'delivered', receipt: `already there, ${text}` };
  const code: ErrorCode = isTransient(reason) ? 'DELIVERY_BUSY' : 'DELIVERY_REJECTED';
  return { kind: 'failed', code, detail: `reason=${text}` };
}

/** Out of resources (A7xx), processing failure (0110), resource limitation (0213): the same may succeed later. */
function isTransient(reason: number): boolean {
  return (reason & 0xff00) === 0xa700 || reason === 0x0110 || reason === 0x0213;
}

function hexadecimal(value: number): string {
  return `${value.toString(16).toUpperCase().padStart(4, '0')}H`;
}

type JsonObject = Readonly<Record<string, unknown>>;

function itemsOf(module: JsonObject, tag: string): JsonObject[] {
  const values = asObject(module[tag])?.['Value'];
  return Array.isArray(values) ? values.map(asObject).filter((item) => item !== undefined) : [];
}

function firstValue(item: JsonObject, tag: string): unknown {
  const values = asObject(item[tag])?.['Value'];
  return Array.isArray(values) ? values[0] : undefined;
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function jsonOf(body: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    // Some servers wrap the module into an array, as QIDO-RS does.
    return Array.isArray(value) ? value[0] : value;
  } catch {
    // Not JSON (XML, an error page): the status alone has to do.
    return undefined;
  }
}
