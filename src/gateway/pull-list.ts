/**
 * The list of what to pull: CSV (RFC 4180; comma, semicolon or tab) with one study a line, named by accession number or
 * Study Instance UID, and the record of what came of each line. Pure. Values of the list identify people: they go to
 * the archive and nowhere else; in records and messages a line is its number and the hash of its key.
 */
import { createHash } from 'node:crypto';
import { LetheError } from '../core/errors.ts';
import { isStudyKey, type StudyKey } from '../dimse/query-retrieve.ts';

export interface PullItem {
  /** From 1, in the file. */
  readonly line: number;
  readonly key: StudyKey;
  /** SHA-256 (hex) of kind and value. */
  readonly hash: string;
}

export type PullStatus = 'complete' | 'incomplete' | 'absent' | 'failed';

/** One line of the record; the last one of a hash counts. */
export interface PullRecord {
  readonly hash: string;
  readonly status: PullStatus;
  readonly studies: number;
  /** What the archive says there is (0020,1208); undefined where it does not say. */
  readonly expected?: number;
  /** What came, by its or our count. */
  readonly received: number;
  readonly code?: string;
}

const LINES_MAX = 1_000_000;
const ACCESSION_HEADERS = new Set(['accessionnumber', 'accession', '00080050', 'accno']);
const STUDY_HEADERS = new Set(['studyinstanceuid', 'studyuid', 'study', '0020000d']);
/** An accession number has at most 16 characters (SH), and seldom three dots. */
const UID = /^[0-2](\.\d+){3,}$|^(?=.{17})[0-2](\.\d+)+$/;

/** `by`: what a list without headers holds; undefined: what looks like a UID is one. @throws PULL_LIST_INVALID */
export function parsePullList(text: string, by: 'accession' | 'study' | undefined): PullItem[] {
  const rows = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .map((row, index) => ({ line: index + 1, fields: fieldsOf(row) }))
    .filter(({ fields }) => fields.some((field) => field !== ''));
  if (rows.length > LINES_MAX)
    throw new LetheError('PULL_LIST_INVALID', { problem: 'too many lines', limit: LINES_MAX });
  const header = headerOf(rows[0]?.fields ?? []);
  const items = (header === undefined ? rows : rows.slice(1)).map(({ line, fields }) =>
    itemOf(line, fields, { header, by }),
  );
  if (items.length === 0) throw new LetheError('PULL_LIST_INVALID', { problem: 'no study is named' });
  const firsts = new Map(items.toReversed().map((item) => [item.hash, item]));
  return items.filter((item) => firsts.get(item.hash) === item);
}

interface Header {
  readonly accession: number;
  readonly study: number;
}

function headerOf(fields: readonly string[]): Header | undefined {
  const names = fields.map((field) => field.toLowerCase().replace(/[^a-z0-9]/g, ''));
  const accession = names.findIndex((name) => ACCESSION_HEADERS.has(name));
  const study = names.findIndex((name) => STUDY_HEADERS.has(name));
  return accession < 0 && study < 0 ? undefined : { accession, study };
}

function itemOf(
  line: number,
  fields: readonly string[],
  { header, by }: { header: Header | undefined; by: 'accession' | 'study' | undefined },
): PullItem {
  const key = keyOf(fields, header, by);
  if (!isStudyKey(key))
    throw new LetheError('PULL_LIST_INVALID', {
      line,
      problem: 'neither an accession number nor a Study Instance UID',
    });
  const [kind, value] = Object.entries(key)[0] ?? [];
  return { line, key, hash: createHash('sha256').update(`${kind}:${value}`).digest('hex') };
}

/** A study's UID is preferred: it names one study. */
function keyOf(fields: readonly string[], header: Header | undefined, by: 'accession' | 'study' | undefined): StudyKey {
  if (header !== undefined) {
    const study = fields[header.study] ?? '';
    return study === '' ? { accessionNumber: fields[header.accession] ?? '' } : { studyInstanceUid: study };
  }
  const value = fields[0] ?? '';
  const isStudy = by === undefined ? UID.test(value) : by === 'study';
  return isStudy ? { studyInstanceUid: value } : { accessionNumber: value };
}

/** Quoted or plain; quotes are doubled inside quotes. No list has a line break inside a field. */
function fieldsOf(row: string): string[] {
  const fields: string[] = [];
  for (let rest = `,${row}`; rest !== ''; ) {
    const [whole, quoted, plain] = /^[,;\t] *(?:"((?:[^"]|"")*)" *(?=[,;\t]|$)|([^,;\t]*))/.exec(rest) ?? [rest];
    fields.push((quoted?.replaceAll('""', '"') ?? plain ?? '').trim());
    rest = rest.slice(whole.length);
  }
  return fields;
}

/** What earlier runs recorded, by hash; a last line that a crash cut off is passed over. */
export function parsePullRecords(text: string): Map<string, PullRecord> {
  const records = new Map<string, PullRecord>();
  for (const line of text.split('\n')) {
    try {
      const record = JSON.parse(line) as PullRecord;
      records.set(record.hash, record);
    } catch {
      // empty or cut off: that study is pulled again, which is harmless
    }
  }
  return records;
}
