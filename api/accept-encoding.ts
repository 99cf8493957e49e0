/** Whether a caller takes gzip: named, or by `*`, and not with q=0. */
export function acceptsGzip(request: Request): boolean {
  const accepted = (request.headers.get('accept-encoding') ?? '').toLowerCase().split(',');
  return accepted.some((entry) => /^\s*(gzip|x-gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$)[\d.]+\s*)?$/.test(entry));
}
