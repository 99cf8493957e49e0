/** What the agent tells the server that started it, over the channel between them, once an engine takes samples. */
export const ENGINE_RUNS = { type: 'engine-runs' } as const;

export function isEngineRuns(message: unknown): boolean {
  return (message as { type?: unknown } | null)?.type === ENGINE_RUNS.type;
}
