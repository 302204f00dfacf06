/** Finds the kind of file system that a path lies on, and so which facts of its files can be trusted. */
import { statfs } from 'node:fs/promises';
import { storageCalls } from '../../files/storage-call.js';

/**
 * - `local`: a change raises events here and sets the ctime, and a file keeps its inode.
 * - `network`: changes on other machines raise no events here, times come from another machine, and inodes may change.
 * - `fuse`: a program answers. It may make up inodes and ctimes, and rename a folder file by file.
 */
export type Storage = 'local' | 'network' | 'fuse';

/** The types of statfs(2) that are not local. */
const others: ReadonlyMap<number, { readonly name: string; readonly storage: Storage }> = new Map([
  [0x6969, { name: 'NFS', storage: 'network' }],
  [0x517b, { name: 'SMB', storage: 'network' }],
  [0xff534d42, { name: 'CIFS', storage: 'network' }],
  [0xfe534d42, { name: 'SMB2', storage: 'network' }],
  [0x01021997, { name: '9p', storage: 'network' }],
  [0x00c36400, { name: 'Ceph', storage: 'network' }],
  [0x0bd00bd0, { name: 'Lustre', storage: 'network' }],
  [0x47504653, { name: 'GPFS', storage: 'network' }],
  [0x19830326, { name: 'BeeGFS', storage: 'network' }],
  [0x5346414f, { name: 'AFS', storage: 'network' }],
  [0x786f4256, { name: 'a VirtualBox folder', storage: 'network' }],
  [0x65735546, { name: 'FUSE', storage: 'fuse' }],
]);

/** @throws the file system's error if the path cannot be examined */
export async function storageOf(path: string): Promise<Storage> {
  const { type } = await storageCalls.make(() => statfs(path));
  return others.get(type >>> 0)?.storage ?? 'local';
}

/** The name of the file system of the folder; undefined if its events can be trusted. */
export async function remoteFileSystem(root: string): Promise<string | undefined> {
  const { type } = await storageCalls.make(() => statfs(root));
  return others.get(type >>> 0)?.name;
}

/** proc, sysfs, cgroup2, debugfs, tracefs: the kernel makes up their content at each look. */
const kernels: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x63677270, 0x64626720, 0x74726163]);

/**
 * True for a folder of the kernel, for example `/proc`, which may have a number for each process. It is false if that
 * cannot be determined.
 */
export async function isOfKernel(folder: string): Promise<boolean> {
  const type = await storageCalls
    .make(() => statfs(folder))
    .then(
      (facts) => facts.type,
      () => 0,
    );
  return kernels.has(type >>> 0);
}
