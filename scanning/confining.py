"""Taking from a process what a parser never needs: network, programs, processes, changes to the file system.

Rules: on Linux (x86-64, aarch64) a seccomp filter over every thread answers "not permitted"; it cannot be taken off again and
is inherited. Elsewhere only the resource limits hold, and `confine` says so. Reading files stays allowed, for modules and
models are loaded on use.
"""

import ctypes
import os
import platform
import struct
import sys
from dataclasses import dataclass
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000 | 1  # SECCOMP_RET_ERRNO, EPERM
_ABSENT: Final = 0x00050000 | 38  # ENOSYS: the C library then asks in the old way, whose arguments a filter can see
_KILL: Final = 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_OF, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: LD|W|ABS, JEQ, JGE, JSET, RET
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets into struct seccomp_data; arguments take eight bytes each
_CLONE_THREAD: Final = 0x00010000
_WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """Numbers of system calls. `denied` are refused outright; the others by their arguments. `open` is None where there is
    none."""

    architecture: int
    seccomp: int
    denied: tuple[int, ...]
    absent: tuple[int, ...]
    clone: int
    kill: tuple[int, ...]  # first argument: a process, which must be this one
    openat: int
    open: int | None


# Linux's own tables, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
_MACHINES: Final = {
    "x86_64": _Machine(
        architecture=0xC000003E,
        seccomp=317,
        denied=(
            *(
                41,
                42,
                43,
                46,
                49,
                50,
                53,
                288,
                307,
            ),  # socket connect accept sendmsg bind listen socketpair accept4 sendmmsg
            *(57, 58, 59, 322),  # fork vfork execve execveat
            *(101, 310, 311, 434, 438, 424, 200),  # ptrace, process_vm_*, pidfd_*, tkill
            *(76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133),  # truncate … mknod, the old calls
            *(258, 259, 260, 263, 264, 265, 266, 268, 316, 452),  # mkdirat … fchmodat, renameat2, fchmodat2
            *(188, 189, 190, 197, 198, 199, 132, 235, 261, 280),  # extended attributes, times
            *(161, 165, 166, 155, 272, 308, 246, 169, 175, 313),  # chroot mount umount … kexec, reboot, modules
            *(248, 249, 250, 298, 319, 321, 323, 425, 426, 427),  # keys, perf, memfd, bpf, userfaultfd, io_uring
        ),
        absent=(435, 437),  # clone3 openat2
        clone=56,
        kill=(62, 234),
        openat=257,
        open=2,
    ),
    "aarch64": _Machine(
        architecture=0xC00000B7,
        seccomp=277,
        denied=(
            *(198, 199, 200, 201, 202, 203, 211, 242, 269),
            *(221, 281),
            *(117, 270, 271, 434, 438, 424, 130),
            *(45, 46, 33, 34, 35, 36, 37, 38, 52, 53, 54, 55, 276, 452),
            *(5, 6, 7, 14, 15, 16, 88),
            *(51, 40, 39, 41, 97, 268, 104, 142, 105, 273),
            *(217, 218, 219, 241, 279, 280, 282, 425, 426, 427),
        ),
        absent=(435, 437),
        clone=220,
        kill=(129, 131),
        openat=56,
        open=None,
    ),
}


def can_confine() -> bool:
    """Whether this platform has the filter; where it has not, the resource limits are all that holds."""
    return sys.platform == "linux" and platform.machine() in _MACHINES and sys.maxsize > 2**32


def confine() -> bool:
    """Take network, programs, new processes and writing from this process, for good; True where that was done.

    Raises `OSError` where the platform should have the filter and the kernel refuses it.
    """
    if not can_confine():
        return False
    machine = _MACHINES[platform.machine()]
    program = _program(machine, os.getpid())
    code = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs is refused")
    filters = ctypes.create_string_buffer(descriptor, len(descriptor))
    done = library.syscall(
        ctypes.c_long(machine.seccomp), ctypes.c_long(_SECCOMP_SET_MODE_FILTER),
        ctypes.c_long(_SECCOMP_FILTER_FLAG_TSYNC), filters,
    )  # fmt: skip
    if done:
        raise OSError(ctypes.get_errno(), "the system call filter is refused; ASSAY_UNCONFINED=1 goes on without")
    return True


def _program(machine: _Machine, own: int) -> bytes:
    """The filter: for each call a comparison that steps over its answer, so that no jump is long."""
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, machine.architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, 0x40000000, 0, 1),  # the x32 way to call, with numbers of its own
        _step(_RETURN, _DENY),
    ]
    for numbers, verdict in ((machine.denied, _DENY), (machine.absent, _ABSENT)):
        for number in numbers:
            steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, verdict)]
    steps += _when(machine.clone, 0, [_step(_ANY_OF, _CLONE_THREAD, 1, 0)])
    for number in machine.kill:
        steps += _when(number, 0, [_step(_EQUAL, own, 1, 0)])
    # Opening for writing: the bits are forbidden, so the sense is turned round.
    for opening, argument in ((machine.openat, 2), (machine.open, 1)):
        if opening is not None:
            steps += _when(opening, argument, [_step(_ANY_OF, _WRITING, 0, 1)])
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _when(number: int, argument: int, test: list[bytes]) -> list[bytes]:
    """For one call: load an argument, test it; the test jumps over the refusal where the call may pass."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT + 8 * argument),
        *test,
        _step(_RETURN, _DENY),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
