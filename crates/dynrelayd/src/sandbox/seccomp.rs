//! Limits system calls, by seccomp (seccomp(2)).
//!
//! A call that is not listed fails with ENOSYS, as on a kernel without it. The C library has a
//! fallback for that. For example, it replaces clone3, whose arguments no filter can see, by clone.
//! It has no fallback for EPERM. Killing the process would end every relay for one surprise.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Memory: the heap and the threads' stacks.
const MEMORY: &[c_long] = &[libc::SYS_brk, libc::SYS_madvise, libc::SYS_mremap, libc::SYS_munmap];

/// Threads, their locks and their ends; signals for the thread that waits for them.
const THREADS: &[c_long] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// Time, where the kernel provides it only by a call.
const TIME: &[c_long] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
];

/// Files within reach of Landlock, the log, and sockets that are read like files.
const FILES: &[c_long] = &[
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Sockets: the relays' UDP, questions to edges over TCP, callers, netlink and the journal. The
/// kinds of socket are limited below.
const SOCKETS: &[c_long] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// Waiting for events.
const WAITING: &[c_long] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
];

/// The process's identity and location, and randomness.
const IDENTITY: &[c_long] = &[
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getrandom,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Calls that C libraries still use on x86-64, where later architectures have one of the calls
/// above.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Requests of ioctl(2): TCGETS and TCGETS2 (is it a terminal?), FIONBIO, FIONREAD, SIOCGIFNAME and
/// SIOCGIFINDEX. In numbers, since C libraries don't agree on their type.
const IOCTLS: [u64; 6] = [0x5401, 0x802c_542a, 0x5421, 0x541b, 0x8910, 0x8933];

/// Limits this thread, and those that it starts, to these calls.
pub(crate) fn filter() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&program()?)
}

fn program() -> Result<BpfProgram, BackendError> {
    let whole = [MEMORY, THREADS, TIME, FILES, SOCKETS, WAITING, IDENTITY, OLDER];
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        whole.into_iter().flatten().map(|call| (*call, Vec::new())).collect();
    rules.extend(in_part()?);
    let errno = libc::ENOSYS.unsigned_abs();
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Errno(errno), SeccompAction::Allow, architecture)?
        .try_into()
}

/// Calls that are allowed only with certain arguments.
fn in_part() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let flags = |flags: libc::c_int| u64::from(flags.unsigned_abs());
    // A kind of socket, with any flags (SOCK_CLOEXEC, SOCK_NONBLOCK).
    let socket = |family, kind| {
        SeccompRule::new(vec![
            SeccompCondition::new(0, Dword, Eq, flags(family))?,
            SeccompCondition::new(1, Dword, MaskedEq(0xf), flags(kind))?,
        ])
    };
    let is = |argument, value| {
        SeccompRule::new(vec![SeccompCondition::new(argument, Dword, Eq, value)?])
    };
    let masked = |argument, mask, value| {
        SeccompRule::new(vec![SeccompCondition::new(argument, Qword, MaskedEq(mask), value)?])
    };
    let (write, execute) = (flags(libc::PROT_WRITE), flags(libc::PROT_EXEC));
    // A new thread, but no new process or namespace.
    let thread = flags(libc::CLONE_THREAD);
    let namespaces = flags(
        libc::CLONE_NEWCGROUP
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWUTS,
    );
    let own = u64::from(std::process::id());
    Ok(vec![
        (libc::SYS_clone, vec![masked(0, thread | namespaces, thread)?]),
        // Code may be mapped, for modules that resolve names, but may never be writable.
        (libc::SYS_mmap, vec![masked(2, execute, 0)?, masked(2, write, 0)?]),
        (libc::SYS_mprotect, vec![masked(2, execute, 0)?]),
        (
            libc::SYS_ioctl,
            IOCTLS.map(|request| is(1, request)).into_iter().collect::<Result<_, _>>()?,
        ),
        (libc::SYS_prctl, vec![is(0, flags(libc::PR_SET_NAME))?]),
        // Its own limits, and its own end if it cannot continue.
        (libc::SYS_prlimit64, vec![is(0, 0)?, is(0, own)?]),
        (libc::SYS_tgkill, vec![is(0, own)?]),
        (
            libc::SYS_socket,
            vec![
                socket(libc::AF_INET, libc::SOCK_DGRAM)?,
                socket(libc::AF_INET, libc::SOCK_STREAM)?,
                socket(libc::AF_INET6, libc::SOCK_DGRAM)?,
                socket(libc::AF_INET6, libc::SOCK_STREAM)?,
                socket(libc::AF_UNIX, libc::SOCK_DGRAM)?,
                socket(libc::AF_UNIX, libc::SOCK_STREAM)?,
                socket(libc::AF_NETLINK, libc::SOCK_RAW)?,
            ],
        ),
        (libc::SYS_socketpair, vec![is(0, flags(libc::AF_UNIX))?]),
    ])
}
