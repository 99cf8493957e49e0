import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KNOWN_GAPS } from './known-gaps.ts';

/**
 * Rewrites the templates that a synth left in a folder for what the stand-in does not know.
 * @returns how many places of each gap there were
 */
export function adaptTemplates(folder: string): Map<string, number> {
  const changes = new Map(KNOWN_GAPS.map(({ name }) => [name, 0]));
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.template.json'))) {
    const path = join(folder, file);
    const before = readFileSync(path, 'utf8');
    const template = JSON.parse(before);
    let total = 0;
    for (const { name, work } of KNOWN_GAPS) {
      const count = work(template);
      total += count;
      changes.set(name, changes.get(name)! + count);
    }
    if (total > 0) replace(folder, file, before, JSON.stringify(template, undefined, 1));
  }
  return changes;
}

/** A template is uploaded under the hash of its content, which the files beside it name. */
function replace(folder: string, file: string, before: string, after: string): void {
  writeFileSync(join(folder, file), after);
  const [old, fresh] = [before, after].map((text) => createHash('sha256').update(text).digest('hex'));
  for (const name of [file.replace('.template.json', '.assets.json'), 'manifest.json']) {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(old, fresh));
  }
}
