import { type Labels, labelsOf } from '../core/labels/labels.ts';
import { UsageError } from './exit-code.ts';

/** Labels of repeated `--label name=value`. @throws UsageError */
export function parseLabels(pairs: readonly string[]): Labels {
  return labelsOf(pairs.map(parseLabel));
}

function parseLabel(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  const name = pair.slice(0, equals).trim();
  const value = pair.slice(equals + 1).trim();
  if (equals < 0 || name === '' || value === '') {
    throw new UsageError(`--label is "${pair}", it must be name=value`);
  }
  // These marks separate labels in the name parameter that carries them; there is no way to escape one.
  if (!/^[a-zA-Z0-9_.]+$/.test(name))
    throw new UsageError(`label "${name}" may only use letters, digits, _ and .`);
  if (/[,{}]/.test(value)) throw new UsageError(`the value of label "${name}" may not hold , { or }`);
  return [name, value];
}
