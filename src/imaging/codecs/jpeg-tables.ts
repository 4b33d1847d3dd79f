/** Huffman tables of a DHT segment (ITU-T T.81 §B.2.4.2), shared by the DCT and the lossless decoder. */
import { invalidCodestream } from '../codestream.ts';
import { decodeTable } from './jpeg-huffman.ts';

/**
 * Adds the tables of one segment by destination, those of AC plus 16: 64 Ki entries of length << 8 | symbol.
 * @throws IMAGING_CODESTREAM_INVALID
 */
export function readHuffmanTables(payload: Uint8Array, huffman: Map<number, Uint16Array>): void {
  for (let at = 0; at < payload.length; ) {
    const selector = payload[at] ?? 0;
    const counts = payload.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = payload.subarray(at + 17, at + 17 + total);
    if (counts.length < 16 || symbols.length < total) throw invalidCodestream('has a short Huffman table');
    huffman.set(selector & 0x1f, decodeTable({ counts, symbols }));
    at += 17 + total;
  }
}
