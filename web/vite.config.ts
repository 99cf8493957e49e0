import { defineConfig } from 'vite';

// Relative base: the page may live under any path prefix. Nothing is inlined, because the page's content security
// policy allows neither inline code nor data: scripts.
export default defineConfig({
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: { format: 'es' },
  server: { host: '127.0.0.1', proxy: developmentProxy('http://127.0.0.1:4040') },
});

/** `vite dev web` beside a running server. */
function developmentProxy(target: string) {
  return Object.fromEntries(
    ['^/v1/', '^/querier', '^/cinderblock', '^/ingest'].map((path) => [path, { target }]),
  );
}
