/**
 * What a Storage SCP says of an instance, over C-STORE (PS3.4 Table B.2-1, PS3.7 Annex C) or as Failure Reason
 * (0008,1197) of STOW-RS (PS3.18 Table I.2-2), which uses the same codes. Pure.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { DeliveryOutcome } from './destination.ts';

/** Refusals that are not for good, or not about the instance. Every other failure is a refusal of the instance. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  272: 'DELIVERY_BUSY', // Processing failure
  290: 'DIMSE_NO_CONTEXT', // SOP Class not supported
  292: 'DELIVERY_AUTH_FAILED', // Not authorized
  531: 'DELIVERY_BUSY', // Resource limitation
};

export const DUPLICATE_SOP_INSTANCE = 0x0111;
/** Attribute list error and attribute value out of range: warnings (PS3.7 §C.4), as all of Bxxx. */
const WARNINGS: ReadonlySet<number> = new Set([0x0001, 0x0107, 0x0116]);

/** Statuses as `A7xx`: hexadecimal, an `x` stands for any digit. The first list that has one decides. */
export interface StatusPolicy {
  /** As good as stored. */
  readonly delivered?: readonly string[];
  /** Sent again later. */
  readonly retry?: readonly string[];
  /** Held for a person. */
  readonly hold?: readonly string[];
}

/**
 * Duplicate SOP Instance (0111) is a receipt: our UIDs are a keyed function of the original, so the instance over
 * there is this one. A warning says that the instance was stored (PS3.4 §B.2.3).
 */
export function outcomeOfStoreStatus(status: number, policy: StatusPolicy = {}): DeliveryOutcome {
  const text = `${status.toString(16).toUpperCase().padStart(4, '0')}H`;
  if (isIn(policy.delivered, text)) return { kind: 'delivered', receipt: `taken as stored, ${text}` };
  if (isIn(policy.retry, text)) return { kind: 'failed', code: 'DELIVERY_BUSY', detail: `status=${text}` };
  if (isIn(policy.hold, text)) return { kind: 'failed', code: 'DELIVERY_REJECTED', detail: `status=${text}` };
  if (status === 0) return { kind: 'delivered', receipt: `stored, ${text}` };
  if (status === DUPLICATE_SOP_INSTANCE) return { kind: 'delivered', receipt: `already there, ${text}` };
  if (WARNINGS.has(status) || status >>> 12 === 0xb) return { kind: 'delivered', receipt: `stored, warning ${text}` };
  // A7xx is Refused: Out of resources.
  const code = status >>> 8 === 0xa7 ? 'DELIVERY_BUSY' : (CODES[status] ?? 'DELIVERY_REJECTED');
  return { kind: 'failed', code, detail: `status=${text}` };
}

function isIn(patterns: readonly string[] = [], text: string): boolean {
  return patterns.some((pattern) =>
    Array.from(pattern.toUpperCase()).every((digit, index) => digit === 'X' || digit === text[index]),
  );
}
