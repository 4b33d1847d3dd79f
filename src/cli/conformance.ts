/** `lethe conformance`: the DICOM Conformance Statement (PS3.2) of a configuration. */
import { loadConfiguration } from '../config/load.ts';
import { conformanceStatement } from '../dimse/conformance.ts';
import { scpOptions } from '../gateway/scp-options.ts';
import { CONFIG_OPTION, type Command, EXIT, textOption } from './command.ts';

export const command: Command = {
  summary:
    'Prints the DICOM Conformance Statement (PS3.2) of a configuration, from the tables that the listener runs on.',
  usage: '[--config FILE]',
  options: { config: CONFIG_OPTION },
  async run({ options, cwd, env, terminal }) {
    const { configuration } = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
    terminal.out(conformanceStatement(scpOptions(configuration)));
    return EXIT.success;
  },
};
