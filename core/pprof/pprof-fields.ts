// Field numbers of google/pprof's proto/profile.proto, as tags: field number << 3 | wire type (0 varint, 2 bytes).
// Repeated numbers are written packed (wire type 2) by proto3 writers and one by one (wire type 0) by older ones.

const varint = (field: number) => field << 3;
const bytes = (field: number) => (field << 3) | 2;

export const ProfileField = {
  sampleType: bytes(1),
  sample: bytes(2),
  mapping: bytes(3),
  location: bytes(4),
  func: bytes(5),
  stringTable: bytes(6),
  // 7 drop_frames and 8 keep_frames hold regular expressions; they are never evaluated.
  timeNanos: varint(9),
  durationNanos: varint(10),
  periodType: bytes(11),
  period: varint(12),
  comment: varint(13),
  commentPacked: bytes(13),
} as const;

export const ValueTypeField = { type: varint(1), unit: varint(2) } as const;

export const SampleField = {
  location: varint(1),
  locationPacked: bytes(1),
  value: varint(2),
  valuePacked: bytes(2),
  label: bytes(3),
} as const;

export const LabelField = { key: varint(1), str: varint(2), num: varint(3), numUnit: varint(4) } as const;

export const MappingField = {
  id: varint(1),
  memoryStart: varint(2),
  memoryLimit: varint(3),
  fileOffset: varint(4),
  filename: varint(5),
  buildId: varint(6),
  hasFunctions: varint(7),
  hasFilenames: varint(8),
  hasLineNumbers: varint(9),
  hasInlineFrames: varint(10),
} as const;

export const LocationField = {
  id: varint(1),
  mapping: varint(2),
  address: varint(3),
  line: bytes(4),
  isFolded: varint(5),
} as const;

export const LineField = { func: varint(1), line: varint(2), column: varint(3) } as const;

export const FunctionField = {
  id: varint(1),
  name: varint(2),
  systemName: varint(3),
  filename: varint(4),
  startLine: varint(5),
} as const;
