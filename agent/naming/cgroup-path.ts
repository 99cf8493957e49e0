// What the path of a control group says: the container, the pod, the systemd unit. Paths come as in /proc/PID/cgroup after
// the last colon, of version 1 and 2, from systemd and cgroupfs drivers, and possibly relative (`/../../kubepods…`) when
// they are seen from inside another control group namespace.

/** What is known of a process from its control group. Missing parts are undefined. */
export interface CgroupFacts {
  /** 64 hexadecimal digits, or an ECS task's 32 with a number. */
  readonly containerId?: string;
  /** With dashes; a static pod's is 32 digits without. */
  readonly podUid?: string;
  /** Name of a systemd service, or of a desktop application's scope. */
  readonly unit?: string;
}

const CONTAINER = /(?:^|[/:-])([0-9a-f]{64}|[0-9a-f]{32}-\d{4,})(?=\.scope|[/:]|$)/g;
const POD = /(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?=\.slice|[/:]|$)/;
/** CRI-O's monitor of a container runs beside the workload, in a group that carries the container's id. */
const MONITOR = /crio-conmon-[0-9a-f]{64}(?:\.scope)?$/;
/** `user@1000.service` manages a login; what runs in it is told by the group below, if by any. */
const USER_MANAGER = /^user@\d+\.service$/;
/** `app[-launcher]-id[-random].scope`, as desktops name applications (systemd.io/DESKTOP_ENVIRONMENTS). */
const APPLICATION = /^app-(?:(?:gnome|kde|dbus|flatpak|snap|xfce)-)?(.+?)(?:-\d+|-[0-9a-f]{32})?\.scope$/;

/** @param path of a control group, such as `/system.slice/nginx.service` */
export function readCgroupPath(path: string): CgroupFacts {
  const containerId = MONITOR.test(path) ? undefined : [...path.matchAll(CONTAINER)].at(-1)?.[1];
  return { containerId, podUid: POD.exec(path)?.[1]?.replaceAll('_', '-'), unit: unitOf(path) };
}

/** The innermost service or application. Slices only group, and a login session says nothing of what runs in it. */
function unitOf(path: string): string | undefined {
  for (const part of path.split('/').reverse()) {
    if (part.endsWith('.service') && !USER_MANAGER.test(part)) return unescaped(unitName(part));
    const application = APPLICATION.exec(part)?.[1];
    if (application !== undefined) return unescaped(application);
  }
  return undefined;
}

/** `getty@tty1.service` is one of many instances of getty. */
function unitName(part: string): string {
  const name = part.slice(0, -'.service'.length);
  const at = name.indexOf('@');
  return at > 0 ? name.slice(0, at) : name;
}

/** systemd writes `\x2d` for a dash inside a name. */
function unescaped(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
