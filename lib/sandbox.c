#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifdef MACHINE
/* Refused whatever their arguments are.  clone3 and openat2 hide theirs in memory: libc goes on with the older calls.
 */
static const uint32_t refused[] = {
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_sendto,
    SYS_sendmsg,
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_utimensat,
    SYS_mount,
    SYS_umount2,
    SYS_chroot,
    SYS_pivot_root,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_userfaultfd,
    SYS_init_module,
    SYS_finit_module,
    SYS_reboot,
    SYS_open_by_handle_at,
    /* By number: younger than some libc's headers, and the same on all machines. */
    428, /* open_tree */
    429, /* move_mount */
    430, /* fsopen */
    431, /* fsconfig */
    432, /* fsmount */
    433, /* fspick */
    438, /* pidfd_getfd */
    442, /* mount_setattr */
    452, /* fchmodat2 */
    463, /* setxattrat */
    466, /* removexattrat */
#ifdef __x86_64__
    SYS_unlink,
    SYS_rename,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_creat,
    SYS_fork,
    SYS_vfork,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
};
static const uint32_t unknown[] = {SYS_clone3, SYS_openat2};

enum { MOST = 192, WRITES = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC };

typedef struct {
    struct sock_filter code[MOST];
    unsigned short n;
} program;

static void put(program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->code[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void answer_if(program *p, uint32_t call, uint32_t answer)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
    put(p, BPF_RET | BPF_K, answer, 0, 0);
}

/* The low half of an argument, on a little-endian machine. */
#define ARGUMENT(i) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (i)))

/* The call is refused if the argument has (`with`), or has not, one of the bits; otherwise it is allowed. */
static void by_bits(program *p, uint32_t call, int argument, uint32_t bits, int with)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    put(p, BPF_LD | BPF_W | BPF_ABS, ARGUMENT(argument), 0, 0);
    put(p, BPF_JMP | BPF_JSET | BPF_K, bits, with ? 0 : 1, with ? 1 : 0);
    put(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void compose(program *p)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    put(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
#ifdef __x86_64__
    put(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* the x32 numbers of the same calls */
    put(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    by_bits(p, SYS_open, 1, WRITES, 1);
#endif
    by_bits(p, SYS_openat, 2, WRITES, 1);
    by_bits(p, SYS_clone, 0, CLONE_THREAD, 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        answer_if(p, refused[i], SECCOMP_RET_ERRNO | EPERM);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        answer_if(p, unknown[i], SECCOMP_RET_ERRNO | ENOSYS);
    put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}
_Static_assert(2 * (sizeof refused / sizeof *refused + 2) + 24 <= MOST, "room for all of it");

int ps_sandbox(void)
{
    program p = {.n = 0};
    compose(&p);
    const struct sock_fprog filter = {p.n, p.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        return ps_fail(PS_ESYS, "--sandbox: this system does not have it");
    return 0;
}
#else
int ps_sandbox(void)
{
    errno = ENOSYS;
    return ps_fail(PS_ESYS, "--sandbox: not known for this machine");
}
#endif
