/** `lethe audit verify`: proves the audit chain whole, or names the first broken entry. */
import { CHAIN_START, chainHash } from '../core/chain.ts';
import { CONFIG_OPTION, type Command, EXIT, JSON_OPTION, UsageError } from './command.ts';
import { withStore } from './offline.ts';

export const command: Command = {
  summary: 'Proves the audit chain whole, or names the first broken entry.',
  usage: 'verify [--config FILE]',
  options: { config: CONFIG_OPTION, json: JSON_OPTION },
  async run(invocation) {
    const { terminal, positionals } = invocation;
    if (positionals[0] !== 'verify') throw new UsageError('audit takes verify');
    const result = await withStore(invocation, async (store) => {
      let previous = CHAIN_START;
      let entries = 0;
      for await (const { hash, ...entry } of store.auditEntries()) {
        if (entry.sequence !== entries + 1 || chainHash(previous, entry) !== hash)
          return { whole: false, entries, firstBroken: entry.sequence };
        previous = hash;
        entries++;
      }
      return { whole: true, entries, lastHash: previous };
    });
    if (terminal.json) terminal.out(JSON.stringify(result));
    else if (result.whole)
      terminal.out(`the audit chain is whole: ${result.entries} entries, last hash ${result.lastHash}`);
    else
      terminal.out(
        `the audit chain is broken at entry ${result.firstBroken}; ${result.entries} entries before it are whole`,
      );
    return result.whole ? EXIT.success : EXIT.failure;
  },
};
