import { type CgroupFacts, readCgroupPath } from './cgroup-path.ts';
import { type ContainerName, workloadOf } from './container-names.ts';
import { isInterpreter, scriptName } from './script-name.ts';

/** What an engine says of a process, and what the node knows besides. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parentPid: number;
  /** Name of the executable, or what the kernel calls the process. */
  readonly executable: string;
  /** Undefined for kernel threads, and for what ended before it could be looked at. */
  readonly executablePath?: string;
  readonly cgroupPath: string;
  /** As the engine found it; otherwise the control group's path may say. */
  readonly containerId?: string;
}

/** Service of all kernel threads of a node. */
export const KERNEL_SERVICE = 'kernel';
/** Parent of all kernel threads. */
const KTHREADD = 2;
const SHORT_ID_LENGTH = 12;

/** What the rule looks at. */
export interface NameSources {
  /** A name by which the process announced itself, such as OpenTelemetry's service.name. */
  readonly announced?: string;
  readonly containerName: (containerId: string) => ContainerName | undefined;
  /** Arguments of a process that lives. */
  readonly argumentsOf: (pid: number) => readonly string[];
}

/**
 * Names the service that a process belongs to. The first that is known wins: what it announced; the workload of its
 * pod; its container's name or short id; its systemd unit; its script, if it is an interpreter; its executable.
 * Inside a container a systemd unit is the container's own business, so the container goes first.
 */
export function serviceName(process: ProcessFacts, sources: NameSources): string {
  if (sources.announced) return sources.announced;
  if (isKernelThread(process)) return KERNEL_SERVICE;
  const cgroup = readCgroupPath(process.cgroupPath);
  return containerService(process, cgroup, sources) ?? cgroup.unit ?? programName(process, sources);
}

/** Whether a process is a thread of the kernel: it has no executable, and the kernel's own parent. */
export function isKernelThread({ pid, parentPid, executablePath }: ProcessFacts): boolean {
  return executablePath === undefined && (pid === 0 || pid === KTHREADD || parentPid === KTHREADD);
}

function containerService(
  process: ProcessFacts,
  cgroup: CgroupFacts,
  sources: NameSources,
): string | undefined {
  const id = process.containerId ?? cgroup.containerId;
  if (id === undefined) return undefined;
  const name = sources.containerName(id);
  if (name?.pod !== undefined) return workloadOf(name.pod);
  return name?.container ?? id.slice(0, SHORT_ID_LENGTH);
}

function programName({ pid, executable }: ProcessFacts, sources: NameSources): string {
  const script = isInterpreter(executable) ? scriptName(executable, sources.argumentsOf(pid)) : undefined;
  return script ?? (executable || 'unknown_process');
}
