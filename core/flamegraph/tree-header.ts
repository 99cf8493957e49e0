import { MalformedInputError } from '../errors.ts';
import type { Completeness } from '../query/completeness.ts';
import type { ByteReader } from '../wire/byte-reader.ts';

/** One side of a diff. */
export interface DiffSide {
  /** Decimal digits, in the tree's unit. */
  total: string;
  start: number;
  end: number;
  selector: string;
  /** Of this side, as in its completeness. */
  coveredMs: number;
}

/** First part of an encoded tree. Times are ms since epoch, half-open [start, end). */
export interface TreeHeader {
  unit: string;
  scale: number;
  profileType: string;
  start: number;
  end: number;
  /** Decimal digits, in `unit`; exact beyond 2^53. */
  total: string;
  nodes: number;
  diff: boolean;
  trimmed: { nodes: number; value: number };
  rounded: boolean;
  completeness: Completeness;
  left?: DiffSide;
  right?: DiffSide;
}

/** Reads and checks the header JSON. @throws MalformedInputError */
export function readHeader(from: ByteReader): TreeHeader {
  const fields = new HeaderFields(parse(from), 'header');
  const header: TreeHeader = {
    unit: fields.text('unit'),
    scale: fields.number('scale'),
    profileType: fields.text('profileType'),
    start: fields.number('start'),
    end: fields.number('end'),
    total: fields.digits('total'),
    nodes: fields.number('nodes'),
    diff: fields.flag('diff'),
    trimmed: readTrimmed(fields.object('trimmed')),
    rounded: fields.flag('rounded'),
    completeness: readCompleteness(fields.object('completeness')),
  };
  if (!(header.scale > 0)) from.fail(`scale is ${header.scale}, must be above 0`);
  if (!Number.isSafeInteger(header.nodes) || header.nodes < 1) from.fail(`nodes is ${header.nodes}`);
  if (fields.has('left')) header.left = readDiffSide(fields.object('left'));
  if (fields.has('right')) header.right = readDiffSide(fields.object('right'));
  return header;
}

function parse(from: ByteReader): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(from.take(from.remaining)));
  } catch (cause) {
    throw new MalformedInputError('tree', 'the header is not JSON', from.offset, { cause });
  }
}

function readTrimmed(fields: HeaderFields): TreeHeader['trimmed'] {
  return { nodes: fields.number('nodes'), value: fields.number('value') };
}

function readDiffSide(fields: HeaderFields): DiffSide {
  return {
    total: fields.digits('total'),
    start: fields.number('start'),
    end: fields.number('end'),
    selector: fields.text('selector'),
    coveredMs: fields.number('coveredMs'),
  };
}

function readCompleteness(fields: HeaderFields): Completeness {
  return {
    complete: fields.flag('complete'),
    blocksRead: fields.number('blocksRead'),
    bytesRead: fields.number('bytesRead'),
    missingBlocks: fields.number('missingBlocks'),
    corruptBlocks: fields.number('corruptBlocks'),
    asideBlocks: fields.number('asideBlocks'),
    samples: fields.number('samples'),
    samplesLost: fields.number('samplesLost'),
    lagMs: fields.number('lagMs'),
    resolutionSeconds: fields.number('resolutionSeconds'),
    coveredMs: fields.number('coveredMs'),
    ...(fields.has('continueBefore') && { continueBefore: fields.number('continueBefore') }),
    notes: fields.texts('notes'),
  };
}

/** Typed access to an object of unknown content. 64-bit numbers may come as decimal strings, as protobuf JSON has them. */
class HeaderFields {
  readonly #fields: Record<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MalformedInputError('tree', `${path} is not an object`);
    }
    this.#fields = value as Record<string, unknown>;
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  object(name: string): HeaderFields {
    return new HeaderFields(this.#fields[name], `${this.#path}.${name}`);
  }

  text(name: string): string {
    const value = this.#fields[name];
    return typeof value === 'string' ? value : this.#fail(name, 'a text');
  }

  texts(name: string): string[] {
    const value = this.#fields[name];
    if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string'))
      return this.#fail(name, 'texts');
    return value as string[];
  }

  digits(name: string): string {
    const value = this.text(name);
    return /^\d{1,40}$/.test(value) ? value : this.#fail(name, 'decimal digits');
  }

  number(name: string): number {
    const value = this.#fields[name];
    const number = typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : this.#fail(name, 'a number');
  }

  flag(name: string): boolean {
    const value = this.#fields[name];
    return typeof value === 'boolean' ? value : this.#fail(name, 'true or false');
  }

  #fail(name: string, wanted: string): never {
    throw new MalformedInputError('tree', `${this.#path}.${name} is not ${wanted}`);
  }
}
