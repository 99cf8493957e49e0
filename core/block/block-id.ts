const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * A new block id: 26 characters, sorted by time of creation (ULID: 48 bits of milliseconds, 80 random bits, in
 * Crockford's base 32; github.com/ulid/spec).
 * @param random answers numbers in [0, 1)
 */
export function newBlockId(nowMs: number, random: () => number): string {
  let time = '';
  for (let i = 0, rest = nowMs; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32]! + time;
  let tail = '';
  for (let i = 0; i < 16; i++) tail += ALPHABET[Math.floor(random() * 32)]!;
  return time + tail;
}
