import { baseUrl } from './navigation.ts';

/** The server that the command line asks when it is told of none. */
const DEFAULT_URL = 'http://127.0.0.1:4040';

/** A command of `cinderblock` to the server of this page. */
export function cliCommand(words: string): string {
  const url = baseUrl.href.replace(/\/$/, '');
  return `cinderblock ${words}${url === DEFAULT_URL ? '' : ` --url ${url}`}`;
}
