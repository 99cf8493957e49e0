import type { Labels } from '../labels/labels.ts';
import type { ValueType } from '../labels/profile-type.ts';
import type { DatasetBuilder } from '../profile/dataset-builder.ts';
import { type KeepAddresses, LocationSection } from './location-section.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { addRows, type TypeTotal } from './pprof-rows.ts';
import { SampleReader } from './pprof-samples.ts';
import { PprofSections } from './pprof-sections.ts';
import { ProfileTypeNames } from './profile-type-names.ts';
import { SampleLabels } from './sample-labels.ts';

export interface PprofOptions {
  /** Labels of all series of the profile, with service_name. They win over sample labels of the same name. */
  readonly labels: Labels;
  /** First part of the profile type ids, such as "process_cpu", from the sample types. */
  readonly profileName: (sampleTypes: readonly ValueType[]) => string;
  /** Where the batch that brings the profile is in the batch table of the rows. */
  readonly batch: number;
  /** Start of the window in ms since epoch, instead of what the profile says. */
  readonly start?: number;
  /** Length of the window in ms, instead of what the profile says. */
  readonly durationMs?: number;
  /** ms since epoch: the start when the profile says none that can be true. */
  readonly now: number;
  readonly limits: PprofLimits;
  readonly keepAddresses: KeepAddresses;
}

export interface PprofSummary {
  /** Per sample type: its profile type id, the exact sum of its values, and how many samples it stands for. Negative
   *  values, turned, are an entry of their own (see SignedProfileType). */
  readonly profileTypes: readonly TypeTotal[];
  /** Window [start, start + durationMs), ms since epoch. */
  readonly start: number;
  readonly durationMs: number;
  /** Nanoseconds (or whatever the period type counts) between two samples; 0 when not said. */
  readonly period: bigint;
  /** Samples in the profile, with those that have no value. */
  readonly sampleRecords: number;
  /** Distinct locations that samples use. */
  readonly locations: number;
  /** Distinct label sets among the samples. */
  readonly labelSets: number;
}

/**
 * Adds one pprof profile (protobuf, not gzipped) to a dataset, one row per sample type and label set. Symbols go
 * straight into the dataset's tables: no object is built per sample, location or function. When the profile is refused
 * no row was added, though names that were read before that may stay in the symbol table.
 *
 * Format: google/pprof proto/profile.proto. Fields may come in any order, numbers packed or not, ids are any non-zero
 * 64-bit numbers. Deep stacks keep the frames at their root and end in "[truncated]": who reads a flame graph from its
 * root sees true totals everywhere but at the cut.
 * @throws MalformedInputError when it does not follow the format
 * @throws RejectedError when it passes a limit or its sums are not exact
 */
export function addPprof(into: DatasetBuilder, raw: Uint8Array, options: PprofOptions): PprofSummary {
  const decoder = idle ?? new PprofDecoder();
  idle = undefined;
  try {
    return decoder.add(into, raw, options);
  } finally {
    decoder.release();
    if (decoder.byteLength <= IDLE_BYTES_MAX) idle = decoder;
  }
}

/**
 * Columns that are kept from one profile to the next: for small profiles, allocating them costs more than decoding.
 * Taken while in use, so that a decode started by a callback of another gets its own.
 */
let idle: PprofDecoder | undefined;
/** Columns that a huge profile made grow beyond this are given back. */
const IDLE_BYTES_MAX = 16 * 1024 * 1024;

class PprofDecoder {
  readonly #sections = new PprofSections();
  readonly #locations = new LocationSection();
  readonly #samples = new SampleReader();
  readonly #typeNames = new ProfileTypeNames();

  get byteLength(): number {
    return this.#sections.byteLength + this.#locations.byteLength + this.#samples.byteLength;
  }

  release(): void {
    this.#locations.release();
    this.#samples.release();
  }

  add(into: DatasetBuilder, raw: Uint8Array, options: PprofOptions): PprofSummary {
    const sections = this.#sections;
    const locations = this.#locations;
    const { limits } = options;
    sections.find(raw, limits);
    locations.reset(raw, sections, into.symbols, limits, options.keepAddresses);
    const types = this.#typeNames.of(sections, locations.strings, options.profileName);
    const labels = new SampleLabels(options.labels, into.series, locations.strings, limits);
    const columns = this.#samples.read(raw, sections, locations, into.symbols, labels, limits);
    const start = options.start ?? startOf(sections.timeNanos, options.now);
    const durationMs = Math.max(1, options.durationMs ?? durationOf(sections.durationNanos));
    const { seriesIds } = labels;
    const { batch } = options;
    const plan = { types, seriesIds, start, duration: durationMs, batch };
    return {
      profileTypes: addRows(into, columns, plan),
      start,
      durationMs,
      period: sections.period,
      sampleRecords: sections.samples.count,
      locations: locations.used,
      labelSets: seriesIds.length,
    };
  }
}

/** Continuous profiling is younger than this: 2000-01-01. Earlier times come from clocks or units that are not set. */
const EARLIEST_START = 946_684_800_000;
const DAY = 86_400_000;

/** `now` when the profile's time is not set, before EARLIEST_START or more than a day ahead. */
function startOf(timeNanos: bigint, now: number): number {
  const start = Number(timeNanos / 1_000_000n);
  return start < EARLIEST_START || start > now + DAY ? now : start;
}

/** Longest window that is believed: 31 days. */
const DURATION_MAX = 31 * DAY;

function durationOf(durationNanos: bigint): number {
  const ms = Math.round(Number(durationNanos) / 1e6);
  return ms < 0 || ms > DURATION_MAX ? 0 : ms;
}
