/**
 * The Store Instances Response Module (PS3.18 Annex I, Table I.1-1) in the DICOM JSON Model (PS3.18 Annex F): which of
 * the instances of a STOW-RS request were stored and why others were not. Pure.
 */
import type { DeliveryOutcome } from '../destination.ts';
import { DUPLICATE_SOP_INSTANCE, outcomeOfStoreStatus } from '../store-status.ts';

const FAILED_SOP_SEQUENCE = '00081198';
const REFERENCED_SOP_SEQUENCE = '00081199';
const REFERENCED_SOP_INSTANCE_UID = '00081155';
const FAILURE_REASON = '00081197';
const WARNING_REASON = '00081196';

export interface StoreResponse {
  /** By SOP Instance UID, for those that it names. */
  readonly named: ReadonlyMap<string, DeliveryOutcome>;
  /** A failure whose instance the server could not name, because it could not read it. */
  readonly unnamed: DeliveryOutcome | undefined;
}

/** Undefined when the body is not a Store Instances Response Module. */
export function parseStoreResponse(body: Buffer): StoreResponse | undefined {
  const module = asObject(jsonOf(body));
  if (module === undefined || !(FAILED_SOP_SEQUENCE in module || REFERENCED_SOP_SEQUENCE in module)) return undefined;
  const named = new Map<string, DeliveryOutcome>();
  let unnamed: DeliveryOutcome | undefined;
  for (const item of itemsOf(module, REFERENCED_SOP_SEQUENCE)) {
    const uid = firstValue(item, REFERENCED_SOP_INSTANCE_UID);
    const warning = firstValue(item, WARNING_REASON);
    if (typeof uid === 'string') named.set(uid, storedOutcome(warning));
  }
  for (const item of itemsOf(module, FAILED_SOP_SEQUENCE)) {
    const uid = firstValue(item, REFERENCED_SOP_INSTANCE_UID);
    const reason = firstValue(item, FAILURE_REASON);
    if (typeof uid === 'string') named.set(uid, failedOutcome(reason));
    else unnamed = failedOutcome(reason);
  }
  return { named, unnamed };
}

/** Named among the stored it is stored, whatever is said beside. */
function storedOutcome(warning: unknown): DeliveryOutcome {
  return { kind: 'delivered', receipt: typeof warning === 'number' ? `stored, warning ${warning}` : 'stored' };
}

/** Named among the failed it is not stored, whatever the reason, unless because it is there already. */
function failedOutcome(reason: unknown): DeliveryOutcome {
  const outcome = typeof reason === 'number' ? outcomeOfStoreStatus(reason) : undefined;
  const believable = outcome?.kind === 'failed' || reason === DUPLICATE_SOP_INSTANCE;
  return believable && outcome !== undefined
    ? outcome
    : { kind: 'failed', code: 'DELIVERY_REJECTED', detail: 'no failure reason' };
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
