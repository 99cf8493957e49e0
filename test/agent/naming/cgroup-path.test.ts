import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCgroupPath } from '../../../agent/naming/cgroup-path.ts';

const ID = '4a5b6c7d8e9f'.repeat(6).slice(0, 64);
const UID = '0a1b2c3d-1111-2222-3333-444455556666';
const UID_IN_UNIT = UID.replaceAll('-', '_');

// The shapes that container runtimes, kubelets and systemd give the path, with what they say.
const CORPUS: [
  path: string,
  containerId: string | undefined,
  podUid: string | undefined,
  unit: string | undefined,
][] = [
  [
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_IN_UNIT}.slice/cri-containerd-${ID}.scope`,
    ID,
    UID,
    undefined,
  ],
  [`/kubepods.slice/kubepods-pod${UID_IN_UNIT}.slice/cri-containerd-${ID}.scope`, ID, UID, undefined],
  [`/kubepods/besteffort/pod${UID}/${ID}`, ID, UID, undefined],
  [`/kubepods/pod${UID}/${ID}`, ID, UID, undefined],
  [`/kubepods/burstable/pod${UID}/crio-${ID}`, ID, UID, undefined],
  [
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_IN_UNIT}.slice/crio-${ID}.scope`,
    ID,
    UID,
    undefined,
  ],
  [
    `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_IN_UNIT}.slice/crio-conmon-${ID}.scope`,
    undefined,
    UID,
    undefined,
  ],
  [
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_IN_UNIT}.slice/docker-${ID}.scope`,
    ID,
    UID,
    undefined,
  ],
  [`/system.slice/docker-${ID}.scope`, ID, undefined, undefined],
  [`/system.slice/docker-${ID}.scope/init`, ID, undefined, undefined],
  [`/docker/${ID}`, ID, undefined, undefined],
  [
    `/system.slice/containerd.service/kubepods-besteffort-pod${UID_IN_UNIT}.slice:cri-containerd:${ID}`,
    ID,
    UID,
    'containerd',
  ],
  [`/kubelet/kubepods/burstable/pod${UID}/${ID}`, ID, UID, undefined],
  [
    `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UID_IN_UNIT}.slice/cri-containerd-${ID}.scope`,
    ID,
    UID,
    undefined,
  ],
  [`/../../kubepods-burstable-pod${UID_IN_UNIT}.slice/cri-containerd-${ID}.scope`, ID, UID, undefined],
  [`/../${ID}`, ID, undefined, undefined],
  [
    `/kubepods/burstable/pod00112233445566778899aabbccddeeff/${ID}`,
    ID,
    '00112233445566778899aabbccddeeff',
    undefined,
  ],
  [
    '/ecs/7cb1f8f6d1a34c2b9a3d2f0e5b6c7d8e/7cb1f8f6d1a34c2b9a3d2f0e5b6c7d8e-1234567890',
    '7cb1f8f6d1a34c2b9a3d2f0e5b6c7d8e-1234567890',
    undefined,
    undefined,
  ],
  [`/docker/${ID}/system.slice/nginx.service`, ID, undefined, 'nginx'],
  ['/system.slice/nginx.service', undefined, undefined, 'nginx'],
  ['/system.slice/system-getty.slice/getty@tty1.service', undefined, undefined, 'getty'],
  ['/system.slice/foo\\x2dbar.service', undefined, undefined, 'foo-bar'],
  ['/system.slice/postgresql@15-main.service/workers', undefined, undefined, 'postgresql'],
  ['/user.slice/user-1000.slice/session-3.scope', undefined, undefined, undefined],
  ['/user.slice/user-1000.slice/user@1000.service/init.scope', undefined, undefined, undefined],
  [
    '/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-org.mozilla.firefox-4711.scope',
    undefined,
    undefined,
    'org.mozilla.firefox',
  ],
  [
    '/user.slice/user-1000.slice/user@1000.service/app.slice/pipewire.service',
    undefined,
    undefined,
    'pipewire',
  ],
  [
    '/user.slice/user-1000.slice/user@1000.service/apps.slice/apps-org.gnome.Terminal.slice/vte-spawn-0a1b2c3d-1111-2222-3333-444455556666.scope',
    undefined,
    undefined,
    undefined,
  ],
  ['/process_api/bea5c283000ef91006833397269a26d5', undefined, undefined, undefined],
  ['/', undefined, undefined, undefined],
  ['', undefined, undefined, undefined],
];

for (const [path, containerId, podUid, unit] of CORPUS) {
  test(`reads ${path || 'an empty path'}`, () => {
    assert.deepEqual(readCgroupPath(path), { containerId, podUid, unit });
  });
}
