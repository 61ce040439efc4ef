package watcher

import "golang.org/x/sys/unix"

// networkFileSystems are those of which inotify tells only what this machine itself does (inotify(7), limitations). FUSE may be local, but
// mostly is sshfs and the like.
var networkFileSystems = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "cifs", unix.SMB_SUPER_MAGIC: "smb",
	unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p", unix.CEPH_SUPER_MAGIC: "ceph", unix.AFS_SUPER_MAGIC: "afs",
	unix.CODA_SUPER_MAGIC: "coda", unix.OCFS2_SUPER_MAGIC: "ocfs2", 0x0bd00bd0: "lustre", 0x01161970: "gfs2",
	0x786f4256: "vboxsf", 0xbacbacbc: "vmhgfs",
}

// Network is the kind of network file system that a folder is on; "": none, as far as can be told.
func Network(dir string) string {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return ""
	}
	return networkFileSystems[uint32(stat.Type)]
}
