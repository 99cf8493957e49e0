import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packageOf, shortenName } from '../../../web/src/state/frame-name.ts';

const packages: [string, string, string][] = [
  ['net/http.(*conn).serve', '/app/server', 'net/http'],
  ['github.com/acme/pay/internal/ledger.(*Tx).Commit', '', 'github.com/acme/pay/internal'],
  ['runtime.mallocgc', '/app/server', 'runtime'],
  ['main.main.func1', '', 'main'],
  ['java.util.concurrent.ThreadPoolExecutor.runWorker', '', 'java.util.concurrent'],
  ['std::vector<int, std::allocator<int>>::push_back(int const&)', '/lib/x.so', 'std'],
  ['<alloc::vec::Vec<T> as core::iter::FromIterator<T>>::from_iter', '', 'alloc'],
  ['JS:*parse /app/src/parser.js:12:4', 'node', 'parser.js'],
  ['render file:///app/node_modules/@scope/pkg/lib/a.mjs:1', 'node', '@scope/pkg'],
  ['_PyEval_EvalFrameDefault', '/usr/bin/python3.12', 'python3.12'],
  ['handler app/views.py', '', 'views.py'],
  ['memcpy', '/usr/lib/libc.so.6', 'libc.so.6'],
  ['v8::Handle<v8::Object> v8::internal::Factory::New<int>(v8::Isolate*)', 'node', 'v8'],
  ['void node::(anonymous namespace)::Compress<node::Deflate>(node::Args const&)', 'node', 'node'],
  ['copy to user', 'vmlinux', 'vmlinux'],
  ['0x7f001234', '', ''],
];

for (const [name, module, expected] of packages) {
  test(`package of ${name}`, () => assert.equal(packageOf(name, module), expected));
}

const shortened: [string, number, string][] = [
  ['net/http.(*conn).serve', 40, 'net/http.(*conn).serve'],
  ['net/http.(*conn).serve', 18, 'http.(*conn).serve'],
  ['net/http.(*conn).serve', 14, '(*conn).serve'],
  ['github.com/acme/pay/ledger.(*Tx).Commit', 22, 'ledger.(*Tx).Commit'],
  ['std::vector<int, std::allocator<int>>::push_back(int const&)', 24, 'vector<…>::push_back'],
  ['std::vector<int, std::allocator<int>>::push_back(int const&)', 12, 'push_back'],
  ['std::operator<<(std::ostream&, char)', 16, 'std::operator<<'],
  [
    'v8::Handle<v8::Object> v8::internal::Factory::New<int>(v8::Isolate*)',
    30,
    'v8::internal::Factory::New<…>',
  ],
  ['void node::(anonymous namespace)::Compress<node::Deflate>(node::Args const&)', 20, 'Compress<…>'],
  ['do a thing', 5, 'do a…'],
  ['Parse<A>(v8::F<void (*)(int)>, (anonymous namespace)::B) const', 12, 'Parse<…>'],
  ['render (/app/src/page.js:1:2)', 12, 'render'],
  ['(*T)', 3, '(*…'],
  ['java.util.HashMap.putVal', 14, 'HashMap.putVal'],
  ['java.util.HashMap.putVal', 7, 'putVal'],
  ['java.util.HashMap.putVal', 4, 'put…'],
  ['very_long_c_function_name', 10, 'very_long…'],
  ['anything', 1, ''],
  ['anything', 0, ''],
];

for (const [name, columns, expected] of shortened) {
  test(`${name} in ${columns}`, () => {
    const short = shortenName(name, columns);
    assert.equal(short, expected);
    assert.ok(short.length <= Math.max(0, columns));
  });
}
