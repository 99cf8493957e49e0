import { MalformedInputError } from '../../core/errors.ts';

/** The `name` parameter of /ingest, taken apart. */
export interface AppName {
  app: string;
  labels: Map<string, string>;
}

/** Letters, digits and a few marks; the field's own rule. */
const APP_NAME = /^[a-zA-Z0-9_.\-/]+$/;
const LABEL_NAME = /^[a-zA-Z0-9_.]+$/;

/**
 * Reads `shop.cart{env=prod,region=eu}`. Values stand without quotes and end at `,` or `}`. Spaces around names and
 * values are dropped, labels without a value too.
 * @throws MalformedInputError naming the parameter
 */
export function parseAppName(name: string): AppName {
  const open = name.indexOf('{');
  const app = (open < 0 ? name : name.slice(0, open)).trim();
  if (!APP_NAME.test(app)) fail(`"${app}" is not an application name (letters, digits and _ . - / only)`);
  const labels = new Map<string, string>();
  if (open < 0) return { app, labels };
  const close = name.indexOf('}', open);
  if (close < 0) fail('a "{" is not closed');
  if (name.slice(close + 1).trim() !== '') fail('something follows the "}"');
  for (const pair of name.slice(open + 1, close).split(',')) addLabel(labels, pair);
  return { app, labels };
}

function addLabel(labels: Map<string, string>, pair: string): void {
  if (pair.trim() === '') return;
  const equals = pair.indexOf('=');
  if (equals < 0) fail(`label "${pair.trim()}" has no "="`);
  const label = pair.slice(0, equals).trim();
  if (!LABEL_NAME.test(label)) fail(`"${label}" is not a label name (letters, digits, _ and . only)`);
  labels.set(label, pair.slice(equals + 1).trim());
}

function fail(message: string): never {
  throw new MalformedInputError('name', message);
}
