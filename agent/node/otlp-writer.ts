import { ByteWriter } from '../../core/wire/byte-writer.ts';

// Writes OTLP profiles (opentelemetry-proto v1.10) for one process: what the sampler sends for all of them. Field numbers
// stand beside each message; index 0 of every table means "not set".

/** One frame of a stack. */
export interface WrittenFrame {
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
  /** profile.frame.type, such as v8js. */
  readonly type: string;
}

export interface WrittenProfile {
  readonly resource: ReadonlyMap<string, string | number>;
  /** The window, ms since epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  /** What one sample stands for, ns of CPU. */
  readonly periodNs: number;
  /** Stacks, leaf first, with how many samples had them. */
  readonly samples: Iterable<readonly [readonly WrittenFrame[], number]>;
}

/** ProfilesData {1 resource profiles, 2 dictionary}. */
export function writeOtlp(profile: WrittenProfile): Uint8Array {
  const dictionary = new Dictionary();
  const body = message((out) => {
    bytesField(
      out,
      1,
      message((type) => valueType(type, dictionary, 'samples', 'count')),
    );
    for (const [stack, count] of profile.samples) {
      bytesField(
        out,
        2,
        message((sample) => writeSample(sample, dictionary.stack(stack), count)),
      );
    }
    out.varint((3 << 3) | 1);
    const startNs = BigInt(Math.round(profile.startMs)) * 1_000_000n;
    out.u32(Number(startNs & 0xffff_ffffn));
    out.u32(Number(startNs >> 32n));
    varintField(out, 4, Math.round(profile.durationMs) * 1_000_000);
    bytesField(
      out,
      5,
      message((type) => valueType(type, dictionary, 'cpu', 'nanoseconds')),
    );
    varintField(out, 6, profile.periodNs);
  });
  return message((out) => {
    bytesField(
      out,
      1,
      message((resourceProfiles) => {
        bytesField(
          resourceProfiles,
          1,
          message((resource) => writeAttributes(resource, profile.resource)),
        );
        bytesField(
          resourceProfiles,
          2,
          message((scope) => bytesField(scope, 2, body)),
        );
      }),
    );
    bytesField(out, 2, dictionary.encode());
  });
}

/** ProfilesDictionary {2 locations, 3 functions, 5 strings, 6 attributes, 7 stacks}. */
class Dictionary {
  readonly #strings = new Table(5);
  readonly #functions = new Table(3);
  readonly #locations = new Table(2);
  readonly #attributes = new Table(6);
  readonly #stacks = new Table(7);

  constructor() {
    for (const table of this.#tables()) table.add('', new Uint8Array(0));
  }

  string(text: string): number {
    return this.#strings.add(text, new TextEncoder().encode(text));
  }

  /** Stack {1 locations, leaf first}. */
  stack(frames: readonly WrittenFrame[]): number {
    const locations = frames.map((frame) => this.#location(frame));
    const packed = message((out) => {
      for (const location of locations) out.varint(location);
    });
    return this.#stacks.add(
      locations.join(' '),
      message((out) => bytesField(out, 1, packed)),
    );
  }

  encode(): Uint8Array {
    return message((out) => {
      for (const table of this.#tables())
        for (const entry of table.entries) bytesField(out, table.field, entry);
    });
  }

  #tables(): Table[] {
    return [this.#locations, this.#functions, this.#strings, this.#attributes, this.#stacks];
  }

  /** Location {3 lines, 4 attributes}; Line {1 function, 2 line}; Function {1 name, 3 file}. */
  #location({ functionName, file, line, type }: WrittenFrame): number {
    const func = message((out) => {
      varintField(out, 1, this.string(functionName));
      varintField(out, 3, this.string(file));
    });
    const functionIndex = this.#functions.add(`${functionName}\0${file}`, func);
    const attribute = this.#frameType(type);
    const entry = message((out) => {
      bytesField(
        out,
        3,
        message((lineOut) => {
          varintField(lineOut, 1, functionIndex);
          varintField(lineOut, 2, line);
        }),
      );
      bytesField(
        out,
        4,
        message((packed) => packed.varint(attribute)),
      );
    });
    return this.#locations.add(`${functionIndex} ${line} ${type}`, entry);
  }

  /** KeyValueAndUnit {1 key, 2 value}; AnyValue {1 text}. */
  #frameType(type: string): number {
    const entry = message((out) => {
      varintField(out, 1, this.string('profile.frame.type'));
      bytesField(
        out,
        2,
        message((value) => textField(value, 1, type)),
      );
    });
    return this.#attributes.add(type, entry);
  }
}

/** Distinct entries of one table, numbered in order of first sight. */
class Table {
  readonly field: number;
  readonly entries: Uint8Array[] = [];
  readonly #indices = new Map<string, number>();

  constructor(field: number) {
    this.field = field;
  }

  add(key: string, entry: Uint8Array): number {
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.entries.push(entry) - 1;
      this.#indices.set(key, index);
    }
    return index;
  }
}

/** ValueType {1 type, 2 unit}. */
function valueType(out: ByteWriter, dictionary: Dictionary, type: string, unit: string): void {
  varintField(out, 1, dictionary.string(type));
  varintField(out, 2, dictionary.string(unit));
}

/** Sample {1 stack, 4 values}. */
function writeSample(out: ByteWriter, stack: number, count: number): void {
  varintField(out, 1, stack);
  bytesField(
    out,
    4,
    message((values) => values.varint(count)),
  );
}

/** Resource {1 attributes}; KeyValue {1 key, 2 value}; AnyValue {1 text, 3 integer}. */
function writeAttributes(out: ByteWriter, attributes: ReadonlyMap<string, string | number>): void {
  for (const [key, value] of attributes) {
    const any = message((v) =>
      typeof value === 'number' ? varintField(v, 3, value) : textField(v, 1, value),
    );
    bytesField(
      out,
      1,
      message((attribute) => {
        textField(attribute, 1, key);
        bytesField(attribute, 2, any);
      }),
    );
  }
}

function message(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(64);
  write(out);
  return out.finish();
}

function varintField(out: ByteWriter, field: number, value: number): void {
  out.varint(field << 3);
  out.varint(value);
}

function bytesField(out: ByteWriter, field: number, bytes: Uint8Array): void {
  out.varint((field << 3) | 2);
  out.varint(bytes.length);
  out.bytes(bytes);
}

function textField(out: ByteWriter, field: number, text: string): void {
  bytesField(out, field, new TextEncoder().encode(text));
}
