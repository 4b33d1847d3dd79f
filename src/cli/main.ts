/** The command line's entry; what it does is in `command-line.ts`. */
import { runCommandLine } from './command-line.ts';
import { VERBS } from './verbs.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), VERBS);
