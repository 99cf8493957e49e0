import { type Labels, labelsOf } from '../../core/labels/labels.ts';
import type { AttributeValue } from '../../core/otlp/otlp-attributes.ts';
import { readCgroupPath } from './cgroup-path.ts';
import type { ContainerNames } from './container-names.ts';
import { argumentsOf } from './script-name.ts';
import { isKernelThread, type ProcessFacts, serviceName } from './service-name.ts';

/** Labels of everything that one agent sends. */
export interface NodeLabels {
  readonly cluster: string;
  readonly node: string;
  /** Which engine took the samples. */
  readonly engine: string;
}

/** Label that marks the series into which the smallest ones of a window were folded. */
export const OVERFLOW_LABEL = 'overflow';
/** Service of that series. */
export const OVERFLOW_SERVICE = 'other';

/** A name once found is kept this long after its last use: a process is named while it lives, and pids come back. */
const KEEP_MS = 600_000;
const KEPT_MAX = 20_000;

interface Named {
  readonly labels: Labels;
  usedAt: number;
}

/** Gives every process its labels, and remembers them, so that a process that ends keeps its name to the end. */
export class ProcessLabels {
  readonly #node: NodeLabels;
  readonly #containers: Pick<ContainerNames, 'find'>;
  readonly #ownServices: ReadonlyMap<number, string>;
  readonly #now: () => number;
  readonly #argumentsOf: (pid: number) => readonly string[];
  readonly #named = new Map<string, Named>();

  /**
   * @param options.ownServices service by pid, for the parts of Cinderblock itself
   * @param options.now any clock that does not jump, ms
   */
  constructor(options: {
    node: NodeLabels;
    containers: Pick<ContainerNames, 'find'>;
    ownServices?: ReadonlyMap<number, string>;
    now: () => number;
    argumentsOf?: (pid: number) => readonly string[];
  }) {
    this.#node = options.node;
    this.#containers = options.containers;
    this.#ownServices = options.ownServices ?? new Map();
    this.#now = options.now;
    this.#argumentsOf = options.argumentsOf ?? argumentsOf;
  }

  /** Labels of a process, from the attributes of its OTLP resource. They have service_name. */
  of(resource: ReadonlyMap<string, AttributeValue>): Labels {
    const process = factsOf(resource);
    const key = `${process.pid}/${process.executablePath ?? process.executable}/${process.cgroupPath}`;
    const named = this.#named.get(key);
    const usedAt = this.#now();
    if (named !== undefined) {
      named.usedAt = usedAt;
      return named.labels;
    }
    const labels = this.#name(process, textOf(resource, 'service.name'));
    this.#named.set(key, { labels, usedAt });
    if (this.#named.size > KEPT_MAX) this.forgetUnused();
    return labels;
  }

  /** Drops what was not used for a while; all of it when that does not help. */
  forgetUnused(): void {
    const oldest = this.#now() - KEEP_MS;
    for (const [key, { usedAt }] of this.#named) if (usedAt < oldest) this.#named.delete(key);
    if (this.#named.size > KEPT_MAX) this.#named.clear();
  }

  /** The series into which small ones are folded. */
  get overflow(): Labels {
    const { cluster, node, engine } = this.#node;
    return labelsOf(
      Object.entries({ cluster, node, engine, service_name: OVERFLOW_SERVICE, [OVERFLOW_LABEL]: 'true' }),
    );
  }

  #name(process: ProcessFacts, announced: string | undefined): Labels {
    const { cluster, node, engine } = this.#node;
    const cgroup = readCgroupPath(process.cgroupPath);
    const containerId = process.containerId ?? cgroup.containerId;
    const container = containerId === undefined ? undefined : this.#containers.find(containerId);
    const service =
      this.#ownServices.get(process.pid) ??
      serviceName(process, {
        announced,
        containerName: (id) => this.#containers.find(id),
        argumentsOf: this.#argumentsOf,
      });
    return labelsOf([
      ['cluster', cluster],
      ['node', node],
      ['engine', engine],
      ['service_name', cleaned(service) || 'unknown_process'],
      ['executable', isKernelThread(process) ? '' : cleaned(process.executable)],
      ['container_id', containerId ?? ''],
      ['pod_uid', cgroup.podUid ?? ''],
      ['namespace', cleaned(container?.namespace ?? '')],
      ['pod', cleaned(container?.pod ?? '')],
      ['container', cleaned(container?.container ?? '')],
    ]);
  }
}

/** Names of threads without what numbers them: `kworker/0:1-events` is "kworker", `pool-3` is "pool". */
export function threadLabel(name: string): string {
  if (name.startsWith('kworker/')) return 'kworker';
  return cleaned(name).replace(/(?:[-_#:/. ]?\d+)+$/, '') || cleaned(name);
}

function factsOf(resource: ReadonlyMap<string, AttributeValue>): ProcessFacts {
  return {
    pid: numberOf(resource, 'process.pid'),
    parentPid: numberOf(resource, 'process.parent_pid'),
    executable: textOf(resource, 'process.executable.name') ?? '',
    executablePath: textOf(resource, 'process.executable.path'),
    cgroupPath: textOf(resource, 'cgroup.path') ?? '',
    containerId: textOf(resource, 'container.id'),
  };
}

function textOf(resource: ReadonlyMap<string, AttributeValue>, key: string): string | undefined {
  const value = resource.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(resource: ReadonlyMap<string, AttributeValue>, key: string): number {
  const value = resource.get(key);
  return typeof value === 'number' ? value : -1;
}

const LABEL_LENGTH_MAX = 200;

/** Any process may call itself anything: control characters and endless names go no further. */
function cleaned(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
    .slice(0, LABEL_LENGTH_MAX);
}
