/** `lethe conformance`: the DICOM Conformance Statement (PS3.2) of a configuration. */
import { loadConfiguration } from '../config/load.ts';
import { conformanceStatement } from '../gateway/conformance.ts';
import { CONFIG_OPTION, type Command, EXIT, textOption } from './command.ts';

export const command: Command = {
  summary:
    'Prints the DICOM Conformance Statement (PS3.2) of a configuration, from the tables that the listener runs on.',
  usage: '[--config FILE]',
  options: { config: CONFIG_OPTION },
  async run({ options, cwd, env, terminal }) {
    const loaded = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
    terminal.out(conformanceStatement(loaded).trimEnd());
    return EXIT.success;
  },
};
