/** Copies a data set token by token: what the tokenizer says, the writer writes. For tests of both. */
import assert from 'node:assert/strict';
import { type ByteSource, MemorySink } from '../../src/core/bytes.ts';
import type { Encoding } from '../../src/dicom/part10.ts';
import { DataSetTokenizer, type Token } from '../../src/dicom/tokens.ts';
import { DataSetWriter } from '../../src/dicom/writer.ts';

export interface CopyOptions {
  /** Bytes pushed at a time. */
  readonly step?: number;
  readonly offset?: number;
  readonly wholeValueBytesMax?: number;
}

export function copyDataSet(source: ByteSource, encoding: Encoding, options: CopyOptions = {}): Uint8Array {
  const { step = 65536, offset = 0, wholeValueBytesMax = 64 } = options;
  const sink = new MemorySink();
  const writer = new DataSetWriter(sink, encoding);
  const tokenizer = new DataSetTokenizer({ ...encoding, wholeValueBytesMax });
  for (let at = offset; !tokenizer.finished; at += step) {
    const bytes = source.read(at, step);
    if (bytes.length === 0) tokenizer.end();
    else tokenizer.push(bytes);
    for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) writeToken(writer, token);
    assert.ok(at < source.size + 2 * step, 'the tokenizer wants more than there is');
  }
  return sink.bytes();
}

function writeToken(writer: DataSetWriter, token: Token): void {
  switch (token.kind) {
    case 'element':
      writer.element(token.tag, token.vr, token.value);
      break;
    case 'bulk-start':
      writer.beginBulk(token.tag, token.vr, token.length);
      break;
    case 'bulk-data':
      writer.bulkData(token.bytes);
      break;
    case 'bulk-end':
    case 'fragment-end':
      writer.endBulk();
      break;
    case 'sequence-start':
      writer.beginSequence(token.tag);
      break;
    case 'item-start':
      writer.beginItem();
      break;
    case 'item-end':
      writer.endItem();
      break;
    case 'sequence-end':
      writer.endSequence();
      break;
    case 'fragments-start':
      writer.beginFragments(token.tag, token.vr);
      break;
    case 'fragment-start':
      writer.fragment(token.length);
      break;
    case 'fragments-end':
      writer.endFragments();
      break;
  }
}
