/**
 * Makes the image that `bin/lethe deid` starts from (docs/adr/0017): bundles `src/cli/start-image.ts` into one script, lets
 * Node run it, and keeps the heap as a start-up snapshot. Without compiled code of the runtime's own modules: with it Node
 * refuses an image on another kind of processor. Takes half a second; an image is moved into place when it is whole.
 *
 *   node scripts/build-start-image.ts [IMAGE]        default node_modules/.cache/lethe/start-image.blob
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'src/');
const ENTRY = join(ROOT, 'src/cli/start-image.ts');
const COPY_THREAD = join(ROOT, 'src/cli/copy-thread.ts');
const IMAGE = join(ROOT, 'node_modules/.cache/lethe/start-image.blob');
/** Only workers and other processes load these, and they start from the sources. */
const NOT_IN_IMAGE = ['sharp', 'onnxruntime-node', '@cornerstonejs/*'];

/**
 * A bundle is one script: what a module asks about its own place is answered here, and what it loads only when needed is
 * taken into the bundle, as a second copy of our modules would not know the first one's classes.
 */
const own: Plugin = {
  name: 'own',
  setup({ onLoad, onResolve }) {
    // Ours in plain JavaScript start codecs.
    onResolve({ filter: /^\..*\.mjs$/ }, ({ importer }) =>
      importer.startsWith(SOURCES) ? { external: true } : undefined,
    );
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replaceAll(/\bcreateRequire\(import\.meta\.url\)\((?=')/g, 'require(')
        .replaceAll(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(path).href))
        .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(dirname(path))),
    }));
  },
};

interface Bundle {
  readonly text: string;
  /** Of ours, below the root. */
  readonly sources: readonly string[];
}

async function bundle(entry: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: `node${process.versions.node}`,
    external: NOT_IN_IMAGE,
    plugins: [own],
    metafile: true,
    write: false,
    logLevel: 'error',
  });
  const sources = Object.keys(metafile.inputs).filter((path) => !path.split('/').includes('node_modules'));
  return { text: outputFiles[0]?.text ?? '', sources };
}

async function scriptOf(image: string): Promise<string> {
  const [main, copying] = await Promise.all([bundle(ENTRY), bundle(COPY_THREAD)]);
  const sources = [...new Set([...main.sources, ...copying.sources])].map((path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    return [path, size, mtimeMs];
  });
  const origin = { root: ROOT, image, sources, threads: { [basename(COPY_THREAD)]: copying.text } };
  return `globalThis.letheOrigin = ${JSON.stringify(origin)};\n${main.text}`;
}

/** @throws Error with what Node said, where it could not make the snapshot */
function keep(script: string, image: string): void {
  mkdirSync(dirname(image), { recursive: true });
  const folder = mkdtempSync(join(dirname(image), 'start-image-'));
  try {
    const [builder, config, made] = ['bundle.cjs', 'config.json', 'blob'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(builder, script);
    writeFileSync(config, JSON.stringify({ builder, withoutCodeCache: true }));
    const options = ['--no-warnings', '--snapshot-blob', made, '--build-snapshot-config', config];
    const { status, stderr } = spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`node --build-snapshot-config failed (${status}): ${stderr}`);
    renameSync(made, image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const image = resolve(process.argv[2] ?? IMAGE);
keep(await scriptOf(image), image);
