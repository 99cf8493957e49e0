import { AGENT_HELP } from './agent-settings.ts';
import { runAgent } from './run-agent.ts';

// The entry of the agent. `cinderblock-agent.mjs` runs this with less memory.

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) process.stdout.write(AGENT_HELP);
else if (args[0] === 'doctor') {
  const { runDoctor } = await import('./doctor/run-doctor.ts');
  process.exitCode = await runDoctor(args.slice(1));
} else runAgent(args);
