/** Between SQLite's rows and the store's types. */
import type { PreparedLocation } from './spool.ts';
import type { Row } from './sqlite-database.ts';
import type { DeliveryRow, DeliveryState, InstanceRow, InstanceState, PreparedOutput } from './store.ts';

export const INSTANCE_COLUMNS = [
  'id',
  'customer',
  'source_kind',
  'source_name',
  'sop_class_uid',
  'sop_instance_uid',
  'study_instance_uid',
  'transfer_syntax_uid',
  'bytes',
  'digest',
  'received_at_ms',
  'urgent',
  'state',
  'reason',
  'reason_detail',
  'location',
  'prepared_location',
  'manifest',
  'study_key',
  'series_key',
  'prepared_bytes',
  'settled_at_ms',
  'profile',
] as const;

export const DELIVERY_COLUMNS = [
  'id',
  'instance',
  'destination',
  'state',
  'attempts',
  'created_at_ms',
  'due_at_ms',
  'urgent',
  'reason',
  'reason_detail',
  'receipt',
] as const;

export function columns(names: readonly string[], table: string): string {
  return names.map((name) => `${table}.${name}`).join(', ');
}

export function instanceOf(row: Row): InstanceRow {
  return {
    id: text(row, 'id'),
    customer: text(row, 'customer'),
    sourceKind: text(row, 'source_kind'),
    sourceName: text(row, 'source_name'),
    sopClassUid: text(row, 'sop_class_uid'),
    sopInstanceUid: text(row, 'sop_instance_uid'),
    studyInstanceUid: optional(row, 'study_instance_uid'),
    transferSyntaxUid: text(row, 'transfer_syntax_uid'),
    bytes: number(row, 'bytes'),
    digest: text(row, 'digest') === '' ? undefined : text(row, 'digest'),
    receivedAtMs: number(row, 'received_at_ms'),
    priority: priorityOf(row),
    profile: optional(row, 'profile'),
    state: text(row, 'state') as InstanceState,
    reason: optional(row, 'reason'),
    reasonDetail: optional(row, 'reason_detail'),
    location: optional(row, 'location'),
    prepared: preparedOf(row),
    settledAtMs: row['settled_at_ms'] === null ? undefined : number(row, 'settled_at_ms'),
  };
}

/** The brand is safe here: a row's prepared location was written from `PreparedWriter.commit` and nothing else. */
export function preparedOf(row: Row): PreparedOutput | undefined {
  const location = optional(row, 'prepared_location');
  if (location === undefined) return undefined;
  return {
    location: location as PreparedLocation,
    manifest: text(row, 'manifest'),
    studyKey: text(row, 'study_key'),
    seriesKey: text(row, 'series_key'),
    bytes: number(row, 'prepared_bytes'),
  };
}

export function deliveryOf(row: Row): DeliveryRow {
  return {
    id: number(row, 'id'),
    instance: text(row, 'instance'),
    destination: text(row, 'destination'),
    state: text(row, 'state') as DeliveryState,
    attempts: number(row, 'attempts'),
    createdAtMs: number(row, 'created_at_ms'),
    dueAtMs: number(row, 'due_at_ms'),
    priority: priorityOf(row),
    reason: optional(row, 'reason'),
    reasonDetail: optional(row, 'reason_detail'),
    receipt: optional(row, 'receipt'),
  };
}

export function text(row: Row, name: string): string {
  return String(row[name] ?? '');
}

export function optional(row: Row, name: string): string | undefined {
  const value = row[name];
  return value === null || value === undefined ? undefined : String(value);
}

export function number(row: Row, name: string): number {
  return Number(row[name] ?? 0);
}

function priorityOf(row: Row): 'high' | 'normal' {
  return number(row, 'urgent') === 1 ? 'high' : 'normal';
}
