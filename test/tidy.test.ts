import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  codeOnly,
  type ImportSite,
  importsOf,
  isGenerated,
  isScript,
  lineAt,
  projectFiles,
  ROOT,
  sizeOf,
  textOf,
} from './source-tree.ts';

// Style that matters is a test. Each rule says what to do about a finding; a rule that is wrong is changed here, not
// worked around.

const PRODUCT = [
  'core',
  'storage',
  'pipeline',
  'api',
  'server',
  'agent',
  'web',
  'cli',
  'functions',
  'lib',
  'bin',
];

const files = projectFiles();
const isProduct = (path: string) => PRODUCT.some((folder) => path.startsWith(`${folder}/`));
const productFiles = files.filter((path) => isProduct(path) && !isGenerated(path));
const scripts = files.filter((path) => isScript(path) && !isGenerated(path));
const productScripts = scripts.filter(isProduct);
const allImports = scripts.flatMap(importsOf);

function expectNone(findings: readonly string[], what: string): void {
  assert.deepEqual(findings, [], `${what}\n  ${findings.join('\n  ')}\n`);
}

/** Who may import what. The first row whose `from` fits a file counts. */
interface ImportRule {
  readonly from: RegExp;
  /** Project files that may be imported. */
  readonly files: RegExp;
  /** Packages that may be imported; node:* is one of them. */
  readonly packages: RegExp;
}

const NONE = /^$/;
const NODE = /^node:/;
const IMPORT_TABLE: readonly ImportRule[] = [
  { from: /^core\//, files: /^core\//, packages: NONE },
  // Codecs are on the root of storage so that the agent shares them; ports themselves need nothing of Node.js.
  { from: /^storage\/(zstd-codec|gzip)\.ts$/, files: /^core\//, packages: /^node:zlib$/ },
  { from: /^storage\/[^/]+$/, files: /^(core\/|storage\/[^/]+$)/, packages: NONE },
  { from: /^storage\/embedded\//, files: /^(core\/|storage\/[^/]+$|storage\/embedded\/)/, packages: NODE },
  {
    from: /^storage\/aws\//,
    files: /^(core\/|storage\/[^/]+$|storage\/aws\/)/,
    packages: /^(node:|@aws-sdk\/|@smithy\/)/,
  },
  { from: /^storage\/faults\//, files: /^(core\/|storage\/[^/]+$|storage\/faults\/)/, packages: NODE },
  { from: /^pipeline\//, files: /^(core\/|storage\/[^/]+$|pipeline\/)/, packages: /^re2js$/ },
  {
    from: /^api\//,
    files: /^(core\/|storage\/[^/]+$|pipeline\/|api\/)/,
    packages: /^(node:|@bufbuild\/protobuf|@connectrpc\/)/,
  },
  { from: /^functions\/environment\.ts$/, files: NONE, packages: NONE },
  { from: /^functions\/build\.ts$/, files: NONE, packages: /^(node:|esbuild$)/ },
  {
    from: /^functions\//,
    files: /^(core|storage|pipeline|api|functions)\/|^package\.json$/,
    packages: /^(node:|@middy\/|@aws-lambda-powertools\/|aws-jwt-verify(\/jwk)?$)/,
  },
  // Infrastructure names handlers by path; it shares with them only the names that both must spell alike.
  {
    from: /^lib\//,
    files: /^(lib\/|functions\/environment\.ts$|storage\/names\.ts$|storage\/aws\/names\.ts$)/,
    packages: /^(node:|aws-cdk-lib(\/|$)|constructs$|cdk-nag$|zod$)/,
  },
  {
    from: /^bin\//,
    files: /^(lib\/|functions\/build\.ts$|web\/vite\.config\.ts$)/,
    packages: /^(node:|aws-cdk-lib(\/|$)|cdk-nag$|vite$)/,
  },
  {
    from: /^server\//,
    files:
      /^(core|storage|pipeline|api|server)\/|^agent\/(node\/answer-inspector|engine\/engine-runs)\.ts$|^package\.json$/,
    packages: /^(node:|vite$)/,
  },
  {
    from: /^agent\//,
    files: /^(core\/|agent\/|storage\/(zstd-codec|gzip)\.ts$)|^package\.json$/,
    packages: /^(node:|@smithy\/|@aws-crypto\/|@aws-sdk\/credential-providers$)/,
  },
  { from: /^cli\/cinderblock\.mjs$/, files: NONE, packages: NODE },
  { from: /^cli\//, files: /^(core|storage|pipeline|api|server|agent|cli)\//, packages: NODE },
  { from: /^web\/vite\.config\.ts$/, files: /^web\//, packages: /^(node:|vite$|@preact\/)/ },
  {
    from: /^web\//,
    files: /^(web\/|core\/(flamegraph|query|labels|profile)\/|core\/errors\.ts$)/,
    packages: /^(preact|@preact\/signals|oauth4webapi)(\/|$)/,
  },
];

test('imports point one way: web, agent, cli, server → api → pipeline → storage ports → core', () => {
  const findings = allImports.filter(({ from, isByPath }) => isProduct(from) && !isByPath).flatMap(problemOf);
  expectNone(
    findings,
    'These imports break the table of ARCHITECTURE.md. Move the code to where both may reach it.',
  );
});

function problemOf({ from, line, specifier, target }: ImportSite): string[] {
  const rule = IMPORT_TABLE.find((row) => row.from.test(from));
  if (rule === undefined) return [`${from}: no rule of the import table covers it`];
  const allowed = target === undefined ? rule.packages.test(specifier) : rule.files.test(target);
  return allowed ? [] : [`${from}:${line} imports ${target ?? specifier}`];
}

test('core has no I/O, clock, randomness or host of its own: they are arguments', () => {
  const banned =
    /(?<![#.])\b(process\.|Buffer\b|Date\.now\b|new Date\(\)|Math\.random\b|performance\.now\b|console\.|fetch\(|setTimeout\b|setInterval\b|require\()/g;
  expectNone(
    matches(
      productScripts.filter((path) => path.startsWith('core/')),
      banned,
      codeOnly,
    ),
    'core/ runs in Lambda, server, CLI and browser alike. Take what is needed as an argument.',
  );
});

test('every relative import names a file that is there', () => {
  const known = new Set(files);
  const findings = allImports
    .filter(({ target }) => target !== undefined && !target.startsWith('..') && !isBuilt(target))
    .filter(({ target }) => !known.has(target!) && !existsSync(join(ROOT, target!)))
    .map(({ from, line, specifier }) => `${from}:${line} imports ${specifier}`);
  expectNone(findings, 'No such file; imports are written with their extension.');
});

/** Folders and what a build makes are named by path, and may be absent. */
function isBuilt(target: string): boolean {
  return /(^|\/)(dist|target)(\/|$)/.test(target) || target.endsWith('/') || target === '.';
}

/** Files that are started by name, by a person, a process or a page. */
const ENTRIES = [
  'cli/cinderblock.mjs',
  'cli/main.ts',
  'server/main.ts',
  'agent/cinderblock-agent.mjs',
  'web/vite.config.ts',
  // Opened by hosts on AWS, and by the contract suites.
  'storage/aws/open-aws-storage.ts',
  // Bundled by name, and started by the CDK.
  ...['ingest', 'processor', 'query', 'query-worker', 'admin', 'authorizer'].map(
    (name) => `functions/${name}.ts`,
  ),
  ...['compaction-planner', 'compaction-worker', 'housekeeper'].map((name) => `functions/${name}.ts`),
  'bin/cinderblock.ts',
  'bin/spoke.ts',
];

test('no product file is dead', () => {
  const used = new Set<string>(ENTRIES);
  // Faults are injected by tests alone; everything else must be used by the product itself.
  for (const { from, target } of allImports) {
    if (target !== undefined && (isProduct(from) || target.startsWith('storage/faults/'))) used.add(target);
  }
  for (const page of files.filter((path) => path.startsWith('web/') && path.endsWith('.html'))) {
    for (const [, source] of textOf(page).matchAll(/(?:src|href)="\.?\/?([^":]+)"/g))
      used.add(`web/${source}`);
  }
  const findings = productScripts.filter((path) => !used.has(path) && !path.endsWith('.d.ts'));
  expectNone(findings, 'Nothing of the product imports these. Use them or delete them.');
});

test('files are named in kebab case, by what they are about', () => {
  const name =
    /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|fuzz|bench|contract|walk|browser|clients|corpus|standins|deploy|config|module))?\.(ts|tsx|mjs|js|css|html)$/;
  const findings = files
    .filter(
      (path) =>
        /\.(ts|tsx|mjs|js|css|html)$/.test(path) && !isGenerated(path) && !path.includes('/fixtures/'),
    )
    .filter((path) => !name.test(path.split('/').at(-1)!) && !path.endsWith('.d.ts'));
  expectNone(findings, 'Rename to kebab-case.ts.');
});

test('there is no drawer for things without a name', () => {
  const drawers = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'shared', 'index']);
  const findings = files
    .filter((path) => !isGenerated(path))
    .filter((path) =>
      path.split('/').some((part) => drawers.has(part.replace(/\..*$/, '')) && !part.endsWith('.html')),
    );
  expectNone(findings, 'A function lives beside its only user; a second user gives it a real noun.');
});

test('no product file is longer than 450 lines', () => {
  const findings = productFiles
    .filter((path) => /\.(ts|tsx|mjs|js|css|rs|proto)$/.test(path))
    .map((path) => ({ path, lines: textOf(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 450)
    .map(({ path, lines }) => `${path}: ${lines}`);
  expectNone(findings, 'Split by concept.');
});

const SOURCE = /\.(ts|tsx|mjs|js|css|html|rs|go|toml|json|md|yaml|yml|proto|sh)$/;
const sources = files.filter(
  (path) => SOURCE.test(path) && !isGenerated(path) && !path.includes('/fixtures/'),
);

test('nothing is left to do in comments', () => {
  // Put together here, so that this file does not find itself.
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`, 'g');
  expectNone(matches(sources, marks), 'Do it, or open an issue.');
});

test('no test is switched off, and none runs alone', () => {
  const off = /\b(test|it|describe|suite|t)\.(only|skip|todo)\(|\b(skip|only|todo): *(true|['"`])/g;
  expectNone(
    matches(
      scripts.filter((path) => path.startsWith('test/')),
      off,
      codeOnly,
    ),
    'A test runs everywhere or is no test.',
  );
});

test('no path of one machine is written down', () => {
  const own = new RegExp(
    ['/wo' + 'rk/', '/ho' + 'me/[a-z]+/(?!user\\b)', '/Us' + 'ers/[A-Za-z]', '/ro' + 'ot/']
      .map((p) => `(?<![\\w.$}-])${p}`)
      .join('|'),
    'g',
  );
  expectNone(
    matches(sources, own),
    'Use a path relative to the file, a temporary folder, or an environment variable.',
  );
});

test('README names every top-level folder, ARCHITECTURE every folder of the product, and none that is gone', () => {
  const folders = [
    ...new Set(files.filter((path) => path.includes('/')).map((path) => path.split('/')[0]!)),
  ].filter((folder) => !folder.startsWith('.'));
  const pages = {
    'README.md': folders,
    'ARCHITECTURE.md': folders.filter((folder) => PRODUCT.includes(folder)),
  };
  for (const [page, expected] of Object.entries(pages)) {
    assert.ok(existsSync(join(ROOT, page)), `${page} is missing`);
    const text = textOf(page);
    const missing = expected.filter((folder) => !new RegExp(`\\b${folder}\\b`).test(text));
    expectNone(missing, `${page} does not mention these folders.`);
    const named = [...text.matchAll(/`([a-z]+)\/`/g)].map(([, folder]) => folder!);
    const gone = named.filter(
      (folder) => !folders.includes(folder) && !files.some((path) => path.includes(`/${folder}/`)),
    );
    expectNone(gone, `${page} names folders that are not there.`);
  }
});

test('links of the documentation lead somewhere', () => {
  const findings = files
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...textOf(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)/g)]
        .map(([, link]) => link!)
        .filter((link) => !existsSync(join(ROOT, path, '..', link)))
        .map((link) => `${path} links to ${link}`),
    );
  expectNone(findings, 'No such file.');
});

test('no large blob is in the tree', () => {
  const findings = files
    .filter((path) => !/(package-lock\.json|Cargo\.lock)$/.test(path) && sizeOf(path) > 400 * 1024)
    .map((path) => `${path}: ${Math.round(sizeOf(path) / 1024)} KiB`);
  expectNone(findings, 'Generate it, or keep it outside the repository.');
});

test('package.json pins every dependency exactly', () => {
  const { dependencies, devDependencies } = JSON.parse(textOf('package.json'));
  const findings = Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))
    .map(([name, version]) => `${name}: ${version}`);
  expectNone(findings, 'Write the exact version.');
});

test('every package that is imported is declared, and every declared one is used', () => {
  const { dependencies, devDependencies } = JSON.parse(textOf('package.json'));
  const nameOf = (specifier: string) =>
    specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
  const packages = allImports.filter(
    ({ target, specifier }) => target === undefined && !specifier.startsWith('node:'),
  );
  const undeclared = packages
    .filter(({ from, specifier }) => {
      // Infrastructure and builds run where the product is made, not where it runs.
      const builds = /^(lib\/|bin\/|functions\/build\.ts$|web\/vite\.config\.ts$|server\/build-web)/;
      const runs = isProduct(from) && !builds.test(from);
      return !(nameOf(specifier) in dependencies) && (runs || !(nameOf(specifier) in devDependencies));
    })
    .map(({ from, line, specifier }) => `${from}:${line} imports ${specifier}`);
  expectNone(undeclared, 'Add it to package.json; what the product runs with belongs to dependencies.');
  const used = new Set(packages.map(({ specifier }) => nameOf(specifier)));
  // The launcher starts this one by path.
  used.add('node');
  expectNone(
    Object.keys(dependencies).filter((name) => !used.has(name)),
    'Nothing imports these dependencies.',
  );
});

test('nothing looks like a secret', () => {
  const names = files.filter((path) =>
    /(\.(pem|key|p12|pfx|jks)|(^|\/)(\.env(\..+)?|id_(rsa|ed25519|ecdsa)|\.npmrc|credentials))$/.test(path),
  );
  expectNone(names, 'Files of this kind hold secrets; they do not belong here.');
  const marks = new RegExp(
    `${'BEGIN [A-Z ]*PRIVATE' + ' KEY'}|\\bAKIA(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\\b|\\bgh[pousr]_[A-Za-z0-9]{36}\\b|\\bxox[abp]-[A-Za-z0-9-]{20,}`,
    'g',
  );
  expectNone(matches(sources, marks), 'This looks like a secret.');
});

/** Findings of a pattern as "path:line: what was found". */
function matches(
  paths: readonly string[],
  pattern: RegExp,
  prepare: (text: string) => string = (text) => text,
): string[] {
  return paths.flatMap((path) => {
    const text = prepare(textOf(path));
    return [...text.matchAll(pattern)].map(
      (match) => `${path}:${lineAt(text, match.index)}: ${match[0].trim()}`,
    );
  });
}
