import { LetheError } from '../../core/errors.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import type { JpegHeader } from './jpeg-header.ts';

export function decodeDct(header: JpegHeader, _description: ImageDescription, _transformed: boolean): DecodedFrame {
  throw new LetheError('IMAGING_SYNTAX_UNSUPPORTED', { precision: header.precision });
}
