/** Moments on the way from an answer to a picture, for whoever measures the page from outside (performance.mark). */
export function markMoment(name: 'bytes' | 'painted'): void {
  const mark = `cinderblock:${name}`;
  // Only the latest counts; a page that lives for weeks must not gather them.
  performance.clearMarks(mark);
  performance.mark(mark);
}
