/** `lethe audit verify`: proves the audit chain and its signed checkpoints, or names the first broken entry. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { wholeChain } from '../audit/archive.ts';
import { checkpointsPath, publicKeyPath, readCheckpoints, readPublicKeys } from '../audit/checkpoint.ts';
import { type Verdict, verifyAudit } from '../audit/verify.ts';
import { CONFIG_OPTION, type Command, EXIT, JSON_OPTION, textOption, UsageError } from './command.ts';
import { withStore } from './offline.ts';

export const command: Command = {
  summary: 'Proves the audit chain and its checkpoints, or names the first broken entry.',
  usage: 'verify [--config FILE] [--checkpoints FILE] [--public-key FILE]',
  options: {
    config: CONFIG_OPTION,
    checkpoints: { type: 'string', value: 'FILE', help: 'A copy of checkpoints.jsonl that was kept elsewhere.' },
    'public-key': { type: 'string', value: 'FILE', help: 'A copy of audit-signing.pub.pem that was kept elsewhere.' },
    json: JSON_OPTION,
  },
  details: `Copies kept on another machine prove more than the files beside the database: whoever can write those could have made
them anew. dataDir/audit/checkpoints.jsonl and dataDir/keys/audit-signing.pub.pem hold no secret.`,
  async run(invocation) {
    const { terminal, positionals, options, cwd } = invocation;
    if (positionals[0] !== 'verify') throw new UsageError('audit takes verify');
    const verdict = await withStore(invocation, async (store, dataDir) => {
      const path = (name: string, own: string) => {
        const given = textOption(options, name);
        return given === undefined ? own : resolve(cwd, given);
      };
      const keys = path('public-key', publicKeyPath(dataDir));
      const checkpoints = readCheckpoints(path('checkpoints', checkpointsPath(dataDir)));
      return verifyAudit(wholeChain(store, dataDir), checkpoints, existsSync(keys) ? readPublicKeys(keys) : []);
    });
    terminal.out(terminal.json ? JSON.stringify(verdict) : words(verdict));
    return verdict.whole ? EXIT.success : EXIT.failure;
  },
};

function words(verdict: Verdict): string {
  if (verdict.whole)
    return `the audit chain is whole: ${verdict.entries} entries, ${verdict.checkpoints} signed checkpoints, last hash ${verdict.lastHash}`;
  return `the audit chain is broken at entry ${verdict.firstBroken}: ${verdict.problem}`;
}
