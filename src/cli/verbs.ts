/** The verbs, in the order of the help. Each is loaded only when it is called: a short verb starts no codec. */
import type { Command } from './command.ts';

export interface VerbEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

function verb(summary: string, load: () => Promise<{ command: Command }>): VerbEntry {
  return { summary, load: async () => (await load()).command };
}

export const VERBS: Readonly<Record<string, VerbEntry>> = {
  serve: verb('run the gateway until SIGTERM or SIGINT', () => import('./serve.ts')),
  demo: verb('send sample studies through a gateway to the reference backend', () => import('./demo.ts')),
  backend: verb('run the reference backend alone', () => import('./backend.ts')),
  check: verb('validate configuration and surroundings', () => import('./check.ts')),
  deid: verb('de-identify files to files', () => import('./deid.ts')),
  explain: verb('say what happens to every element of a file, and why', () => import('./explain.ts')),
  convert: verb('render frames to JPEG or PNG without de-identifying', () => import('./convert.ts')),
  echo: verb('C-ECHO a peer', () => import('./echo.ts')),
  send: verb('C-STORE files to a peer', () => import('./send.ts')),
  pull: verb('pull the studies of a list from an archive', () => import('./pull.ts')),
  status: verb('the ledger, the queue and what is held, on one screen', () => import('./status.ts')),
  queue: verb('list, show, retry, hold, release or discard instances', () => import('./queue.ts')),
  profile: verb('compare what two profiles would do', () => import('./profile.ts')),
  rules: verb('say what the rules would do with files', () => import('./rules.ts')),
  conformance: verb('print the DICOM Conformance Statement of a configuration', () => import('./conformance.ts')),
  bench: verb('the benchmarks that performance claims rest on', () => import('./bench.ts')),
  reidentify: verb('original identifiers of pseudonyms, with the private key', () => import('./reidentify.ts')),
  audit: verb('prove the audit chain whole', () => import('./audit.ts')),
};
