package job

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the kernel end a child with this process, however that ends. The child is in a group
// of its own: an interrupt at the terminal reaches this process, which ends the child in order.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
