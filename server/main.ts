import { cacheCompiledCode } from './compile-cache.ts';

cacheCompiledCode(process.env);
// Loaded after the line above, as imports at the top would not be.
const { runServer } = await import('./run-server.ts');
process.exitCode = await runServer(process.argv.slice(2));
