import { readdirSync, readFileSync } from 'node:fs';

/** How people call a container. Missing parts are undefined. */
export interface ContainerName {
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
}

/** `<pod>_<namespace>_<container>-<id>.log`: the kubelet's links to container logs. */
const LOG_NAME = /^([^_]+)_([^_]+)_(.+)-([0-9a-f]{64})\.log$/;
/** A folder is listed again for an unknown container, but not more often than this. */
const REFRESH_MS = 10_000;
const DOCKER_CONFIG_BYTES_MAX = 1 << 20;

/**
 * Finds the names of containers in what the node's own files are called: the kubelet's log links (their names are read,
 * never their content) and Docker's container folder. No API server and no runtime socket is asked.
 */
export class ContainerNames {
  readonly #logFolder: string;
  readonly #dockerFolder: string;
  readonly #now: () => number;
  #known = new Map<string, ContainerName>();
  #listedAt = Number.NEGATIVE_INFINITY;

  /** @param options.now any clock that does not jump, ms */
  constructor(options: { logFolder?: string; dockerFolder?: string; now: () => number }) {
    this.#logFolder = options.logFolder ?? '/var/log/containers';
    this.#dockerFolder = options.dockerFolder ?? '/var/lib/docker/containers';
    this.#now = options.now;
  }

  /** The name of a container, or undefined when nothing on this node says. */
  find(containerId: string): ContainerName | undefined {
    const known = this.#known.get(containerId);
    if (known !== undefined) return known;
    if (this.#now() - this.#listedAt < REFRESH_MS) return undefined;
    this.#listedAt = this.#now();
    this.#known = this.#listLogs();
    if (!this.#known.has(containerId)) {
      const docker = this.#dockerName(containerId);
      if (docker !== undefined) this.#known.set(containerId, docker);
    }
    return this.#known.get(containerId);
  }

  #listLogs(): Map<string, ContainerName> {
    const names = new Map<string, ContainerName>();
    for (const file of namesIn(this.#logFolder)) {
      const match = LOG_NAME.exec(file);
      if (match) names.set(match[4]!, { pod: match[1], namespace: match[2], container: match[3] });
    }
    return names;
  }

  #dockerName(containerId: string): ContainerName | undefined {
    try {
      const text = readFileSync(`${this.#dockerFolder}/${containerId}/config.v2.json`, 'utf8');
      if (text.length > DOCKER_CONFIG_BYTES_MAX) return undefined;
      const { Name: name } = JSON.parse(text) as { Name?: unknown };
      return typeof name === 'string' && name !== '' ? { container: name.replace(/^\//, '') } : undefined;
    } catch {
      return undefined;
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The name of what made a pod: a Deployment's or DaemonSet's pod without its hashes, a StatefulSet's without its number. */
export function workloadOf(pod: string): string {
  // Kubernetes draws suffixes from these characters only, so that they spell no words.
  const random = '[bcdfghjklmnpqrstvwxz2456789]';
  const hashed = new RegExp(`^(.+?)(?:-${random}{5,10})?-${random}{5}$`).exec(pod);
  if (hashed) return hashed[1]!;
  return pod.replace(/-\d+$/, '');
}
