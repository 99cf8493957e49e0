import { effect, type ReadonlySignal, signal, untracked } from '@preact/signals';

/** What a panel needs to never be blank: what it has, whether more is coming, and what went wrong. */
export interface Resource<T> {
  data: T | undefined;
  loading: boolean;
  error: Error | undefined;
  /** Counts answers, so that a view can tell a new one from a redraw. */
  version: number;
}

/**
 * Loads whenever `request` changes; undefined asks for nothing. A newer request aborts the older one, and what is
 * shown stays until its answer is here. A failure keeps the old data beside the error.
 */
export function resource<Q, T>(
  request: () => Q | undefined,
  load: (query: Q, abort: AbortSignal) => Promise<T>,
): ReadonlySignal<Resource<T>> {
  const state = signal<Resource<T>>({ data: undefined, loading: false, error: undefined, version: 0 });
  let current: AbortController | undefined;
  let lastKey: string | undefined;
  effect(() => {
    const query = request();
    const key = query === undefined ? undefined : JSON.stringify(query);
    if (key === lastKey) return;
    lastKey = key;
    current?.abort();
    if (query === undefined) return;
    const abort = new AbortController();
    current = abort;
    untracked(() => run(query, abort));
  });
  async function run(query: Q, abort: AbortController): Promise<void> {
    state.value = { ...state.value, loading: true };
    try {
      const data = await load(query, abort.signal);
      if (abort.signal.aborted) return;
      state.value = { data, loading: false, error: undefined, version: state.value.version + 1 };
    } catch (error) {
      if (abort.signal.aborted) return;
      state.value = {
        ...state.value,
        loading: false,
        error: error instanceof Error ? error : new Error(String(error)),
      };
    }
  }
  return state;
}
