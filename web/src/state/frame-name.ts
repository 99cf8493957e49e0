/** What a frame is coloured by when nothing better is known: package, namespace, script or module of a function. */
export function packageOf(name: string, module: string): string {
  const script = /(?:^|[\s(:*~+^])((?:file:\/\/)?[\w@.$/-]+\.(?:[cm]?[jt]sx?|py|rb|php))(?=[:\s)]|$)/.exec(
    name,
  );
  if (script) return scriptPackage(script[1]);
  const path = withoutReturnType(name).replace(/^[<&*(\s]+/, '');
  const scope = /^(?:dyn\s+)?([\w$]+)(?:<[^:]*>)?::/.exec(path);
  if (scope) return scope[1];
  const slash = path.search(/\/[^/]*$/);
  const dot = path.indexOf('.', slash + 1);
  if (dot > 0 && /^[\w.$~@/-]+$/.test(path.slice(0, dot)))
    return dottedPackage(path.slice(0, dot), path, slash);
  return module.slice(module.lastIndexOf('/') + 1);
}

/** Of node_modules the package, of other scripts the file. */
function scriptPackage(path: string): string {
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules\/)/.exec(path);
  return dependency ? dependency[1] : path.slice(path.lastIndexOf('/') + 1);
}

/** Go has its whole import path before the dot; Java and .NET have dots only, and the type last but one. */
function dottedPackage(beforeDot: string, name: string, slash: number): string {
  if (slash >= 0) return beforeDot.split('/').slice(0, 4).join('/');
  const parts = name.replace(/[([].*$/s, '').split('.');
  return parts.length > 3 ? parts.slice(0, Math.min(3, parts.length - 2)).join('.') : beforeDot;
}

/**
 * The name in at most `columns` characters. Segments go from the left while that helps: import path, then package,
 * then type; the end of what is left is cut with "…". Fewer than 2 columns show nothing.
 */
export function shortenName(name: string, columns: number): string {
  if (name.length <= columns) return name;
  if (columns < 2) return '';
  let rest = name;
  for (const shorter of shorterNames(name)) {
    rest = shorter;
    if (rest.length <= columns) return rest;
  }
  return `${rest.slice(0, columns - 1)}…`;
}

function* shorterNames(name: string): Generator<string> {
  let rest = name.includes('<') || name.includes('(') ? withoutReturnType(withoutArguments(name)) : name;
  yield rest;
  for (;;) {
    const cut = /^[^/\s(]*\/(?=[^/])|^(?:\(anonymous namespace\)|[^:\s(]*)::(?=[^:])/.exec(rest);
    if (!cut) break;
    rest = rest.slice(cut[0].length);
    yield rest;
  }
  for (;;) {
    const cut = /^[\w$-]+\.(?=[\w$(*])/.exec(rest);
    if (!cut || !/[A-Za-z_$]/.test(rest.slice(cut[0].length))) return;
    rest = rest.slice(cut[0].length);
    yield rest;
  }
}

/** `void ns::f` → `ns::f`: what demanglers put before template functions. Spaces inside brackets are no separators. */
function withoutReturnType(name: string): string {
  if (!name.includes('::') || !name.includes(' ') || name.startsWith('<') || name.includes('operator'))
    return name;
  let depth = 0;
  let start = 0;
  for (let i = 0; i < name.length; i++) {
    const char = name[i];
    if (char === '<' || char === '(') depth++;
    else if (char === '>' || char === ')') depth--;
    else if (char === ' ' && depth === 0 && name.includes('::', i) && startsName(name, i + 1)) start = i + 1;
  }
  return name.slice(start);
}

function startsName(name: string, at: number): boolean {
  return name[at] !== '(' || name.startsWith('(anonymous namespace)', at);
}

/** `f<a, b>(int const&) const` → `f<…>`; Go's `(*T).m` keeps its receiver. */
function withoutArguments(name: string): string {
  const plain = withoutCall(name);
  let depth = 0;
  let result = '';
  for (let i = 0; i < plain.length; i++) {
    const char = plain[i];
    if (char === '<' && i > 0 && !plain.startsWith('operator<', i - 8)) {
      if (depth++ === 0) result += '<…>';
    } else if (char === '>' && depth > 0 && plain[i - 1] !== '-') depth--;
    else if (depth === 0) result += char;
  }
  return depth === 0 && result !== '' ? result : plain;
}

/** Cuts the parentheses that a name ends with, whatever they hold. */
function withoutCall(name: string): string {
  const bare = name.replace(/(?:\s*\[clone [^\]]*\]|\s*const|\s*&+)+$/, '');
  if (!bare.endsWith(')')) return name;
  let depth = 0;
  for (let i = bare.length - 1; i > 0; i--) {
    if (bare[i] === ')') depth++;
    else if (bare[i] === '(' && --depth === 0) return bare.slice(0, i).trimEnd();
  }
  return name;
}
