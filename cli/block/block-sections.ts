import { HEADER_LENGTH, TRAILER_LENGTH } from '../../core/block/block-format.ts';
import type { Directory, SectionRef } from '../../core/block/directory.ts';

/** One part of a block file. */
export interface NamedSection {
  /** As errors of the block reader name it. */
  readonly name: string;
  readonly ref: SectionRef;
}

/** All sections in the order in which they lie in the file. */
export function sectionsOf({ datasets, batchesSection }: Directory): NamedSection[] {
  const sections: NamedSection[] = [{ name: 'batches', ref: batchesSection }];
  for (const { service, seriesSection, symbolsSection, types } of datasets) {
    sections.push({ name: `series of ${service}`, ref: seriesSection });
    sections.push({ name: `symbols of ${service}`, ref: symbolsSection });
    for (const { profileType, totalsSection, samplesSection } of types) {
      sections.push({ name: `totals of ${service} ${profileType}`, ref: totalsSection });
      sections.push({ name: `samples of ${service} ${profileType}`, ref: samplesSection });
    }
  }
  return sections.sort((a, b) => a.ref.offset - b.ref.offset);
}

/** Bytes that are neither header, section nor trailer: the directory, in a block that is whole. */
export function directoryLength(directory: Directory, size: number): number {
  const stored = sectionsOf(directory).reduce((sum, { ref }) => sum + ref.storedLength, 0);
  return size - stored - HEADER_LENGTH - TRAILER_LENGTH;
}
