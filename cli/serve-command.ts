import type { Command } from './command.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'run Cinderblock on this machine',
  help: '',
  async run(args) {
    // Loaded when wanted: the server brings the whole API along, which no other command needs.
    const { runServer } = await import('../server/run-server.ts');
    return runServer(args);
  },
};
