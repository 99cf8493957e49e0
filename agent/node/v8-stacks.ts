import type { WrittenFrame } from './otlp-writer.ts';

/** What the V8 inspector's Profiler.stop answers (Chrome DevTools protocol, Profiler.Profile). */
export interface V8Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Node of every sample. */
  readonly samples?: readonly number[];
}

/** Nodes that V8 makes up. `(program)` is native code outside JavaScript, which may just as well be waiting. */
const ROOT = '(root)';
const IDLE = '(idle)';
const PROGRAM = '(program)';

/** Stacks of the samples that ran, leaf first, with how often each was seen. */
export interface V8Stacks {
  readonly stacks: [WrittenFrame[], number][];
  /** Sum of the counts. */
  readonly samples: number;
}

/**
 * Sums the samples of a profile by stack. Idle samples are left out, and of those in native code as many as the process
 * did not use CPU for.
 * @param cpuSamples how many samples the CPU time of the process is worth
 */
export function v8Stacks(profile: V8Profile, cpuSamples: number): V8Stacks {
  const parents = new Map<number, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const { id, children } of profile.nodes) for (const child of children ?? []) parents.set(child, id);
  const counts = new Map<number, number>();
  for (const id of profile.samples ?? []) counts.set(id, (counts.get(id) ?? 0) + 1);
  const nameOf = (id: number) => nodes.get(id)?.callFrame.functionName;
  const isRunning = (id: number) => ![ROOT, IDLE, PROGRAM].includes(nameOf(id) ?? IDLE);
  let samples = 0;
  const stacks: [WrittenFrame[], number][] = [];
  for (const [id, count] of counts) {
    if (!isRunning(id)) continue;
    stacks.push([framesOf(id), count]);
    samples += count;
  }
  for (const [id, count] of counts) {
    if (nameOf(id) !== PROGRAM) continue;
    const running = Math.max(0, Math.min(count, Math.round(cpuSamples) - samples));
    if (running === 0) continue;
    stacks.push([framesOf(id), running]);
    samples += running;
  }
  return { stacks, samples };

  function framesOf(leaf: number): WrittenFrame[] {
    const frames: WrittenFrame[] = [];
    for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
      const node = nodes.get(id);
      if (node !== undefined && node.callFrame.functionName !== ROOT) frames.push(frameOf(node.callFrame));
    }
    return frames;
  }
}

function frameOf({ functionName, url, lineNumber }: V8Profile['nodes'][number]['callFrame']): WrittenFrame {
  const isMadeUp = functionName.startsWith('(') && url === '';
  return {
    functionName: functionName === '' ? '(anonymous)' : functionName,
    file: url.replace(/^file:\/\//, ''),
    // The protocol counts lines from 0.
    line: url === '' ? 0 : lineNumber + 1,
    type: isMadeUp ? 'native' : 'v8js',
  };
}
