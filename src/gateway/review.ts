/**
 * The review queue: what was found in the pixels of a held instance, and what a person decides about it. The decision
 * stands for the instance: it is processed again, just these boxes are blanked, the result is looked at for identifiers,
 * and it goes its way. Saved as a rule it stands for all images of that model and size. All of it is in the audit.
 */
import { LetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import { boxesOfDetail, boxesText, LISTED_BOXES_MAX } from '../deid/burned-in/boxes-text.ts';
import { readPart10 } from '../dicom/part10.ts';
import type { EquipmentRule, LocalReviews, ReviewedBox } from '../queue/local-review.ts';
import type { Spool } from '../queue/spool.ts';
import type { InstanceRow, Store } from '../queue/store.ts';

export interface Review {
  /** Found by the detector, or known by rule; the person accepts, moves, draws or drops them. */
  readonly boxes: readonly ReviewedBox[];
  /** False: there may be more than are listed, so that accepting these could let others pass. */
  readonly complete: boolean;
  /** Of the stored image, in pixels. */
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  /** Whether a decision can be saved as a rule: the instance names its manufacturer and model. */
  readonly canBeRule: boolean;
}

export interface ReviewDecision {
  /** All that is to be blanked, on every frame; none releases the pixels as they are. */
  readonly boxes: readonly ReviewedBox[];
  readonly saveRule: boolean;
}

export interface ReviewDeps {
  readonly store: Store;
  readonly spool: Pick<Spool, 'openReceived'>;
  readonly reviews: LocalReviews;
}

const BOXES_MAX = 100;
const SIDE_MAX = 65_535;
const TAGS = { manufacturer: 0x00080070, model: 0x00081090, rows: 0x00280010, columns: 0x00280011, frames: 0x00280008 };

/** @throws INSTANCE_UNKNOWN where it is not held, or its bytes are gone; DICOM_* */
export async function readReview({ store, spool }: ReviewDeps, id: InstanceId): Promise<Review> {
  const row = await heldRow(store, id);
  const { manufacturer, model, rows, columns, frames } = headOf(spool, row);
  const boxes = boxesOfDetail(row.reasonDetail);
  return {
    boxes,
    complete: boxes.length < LISTED_BOXES_MAX,
    rows,
    columns,
    frames,
    canBeRule: manufacturer !== '' && model !== '',
  };
}

/** @throws INSTANCE_UNKNOWN, HTTP_REQUEST_INVALID, SPOOL_* */
export async function decideReview(
  { store, spool, reviews }: ReviewDeps,
  id: InstanceId,
  { boxes, saveRule }: ReviewDecision,
  by: string,
): Promise<void> {
  const row = await heldRow(store, id);
  if (boxes.length > BOXES_MAX || !boxes.every(isBox)) throw new LetheError('HTTP_REQUEST_INVALID', { field: 'boxes' });
  const { manufacturer, model, rows, columns } = headOf(spool, row);
  const rule: EquipmentRule = { manufacturer, model, rows, columns, boxes };
  if (saveRule && (manufacturer === '' || model === '' || boxes.length === 0))
    throw new LetheError('HTTP_REQUEST_INVALID', { field: 'saveRule' });
  // The record comes first: nothing happens to pixels that the audit does not know of.
  await store.note('review.decided', `by ${by}: ${boxes.length} boxes ${boxesText(boxes)}`.trimEnd(), id);
  if (saveRule) {
    await store.note(
      'review.rule-saved',
      `by ${by}: ${columns} × ${rows}, ${boxes.length} boxes ${boxesText(boxes)}`,
      id,
    );
    reviews.addRule(rule);
  }
  reviews.decide(id, boxes);
  await store.release(id, by);
}

function isBox({ x, y, width, height }: ReviewedBox): boolean {
  const numbers = [x, y, width, height];
  return (
    numbers.every((value) => Number.isInteger(value) && value >= 0 && value <= SIDE_MAX) && width > 0 && height > 0
  );
}

async function heldRow(store: Store, id: InstanceId): Promise<InstanceRow> {
  const row = await store.instance(id);
  if (row?.state !== 'held' || row.location === undefined || row.prepared !== undefined)
    throw new LetheError('INSTANCE_UNKNOWN');
  return row;
}

function headOf(spool: ReviewDeps['spool'], row: InstanceRow) {
  if (row.location === undefined) throw new LetheError('INSTANCE_UNKNOWN');
  const source = spool.openReceived(row.location);
  try {
    const { dataSet } = readPart10(source, { endAfterPixelData: true });
    return {
      manufacturer: dataSet.string(TAGS.manufacturer) ?? '',
      model: dataSet.string(TAGS.model) ?? '',
      rows: dataSet.number(TAGS.rows) ?? 0,
      columns: dataSet.number(TAGS.columns) ?? 0,
      frames: Math.max(1, dataSet.number(TAGS.frames) ?? 1),
    };
  } finally {
    source.close();
  }
}
