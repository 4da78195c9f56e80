/* Method: one straight program, the most frequent calls first; the kernel remembers the verdict on
 * those that do not depend on arguments. Lines for calls a processor does not have drop out with
 * their number. */
#include "sandbox_seccomp.h"

#include <asm/unistd.h>
#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__ARM_EABI__) && !defined(__ARMEB__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#endif

#ifndef ARCHITECTURE

enum error sandbox_seccomp_enter(bool kill)
{
    (void)kill;
    return ERROR_MISSING;
}

#else

#include "sandbox_calls.h"

#ifndef SECCOMP_RET_KILL_PROCESS /* Linux 4.14; before, it ends the thread */
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif

enum { PROGRAM_MAX = 512 };

struct program {
    struct sock_filter lines[PROGRAM_MAX];
    unsigned count;
    uint32_t otherwise; /* the verdict on what is not allowed */
};

static void emit(struct program *program, uint16_t code, uint32_t operand, uint8_t yes, uint8_t no)
{
    assert(program->count < PROGRAM_MAX);
    program->lines[program->count++] =
        (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = operand};
}

static void verdict(struct program *program, uint32_t value)
{
    emit(program, BPF_RET | BPF_K, value, 0, 0);
}

static void load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The low half of an argument: all the processors above are little-endian. */
static size_t low(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

/* `value` on what is at hand. */
static void judge_equal(struct program *program, uint32_t operand, uint32_t value)
{
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, operand, 0, 1);
    verdict(program, value);
}

/* Opens the part for one call and returns its line; the part ends with the verdict on all other
 * arguments. */
static unsigned begin_call(struct program *program, long number)
{
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    return program->count - 1;
}

static void end_call(struct program *program, unsigned begin)
{
    verdict(program, program->otherwise);
    unsigned length = program->count - begin - 1;
    assert(length <= UINT8_MAX);
    program->lines[begin].jf = (uint8_t)length;
}

static void allow_values(struct program *program, const struct values_rule *rule)
{
    unsigned begin = begin_call(program, rule->number);
    load(program, low(rule->argument));
    for (unsigned i = 0; i < rule->count; i++) {
        judge_equal(program, rule->values[i], SECCOMP_RET_ALLOW);
    }
    end_call(program, begin);
}

/* Allowed when none (`set`: any) of the bits is set. */
static void allow_bits(struct program *program, const struct bits_rule *rule)
{
    unsigned begin = begin_call(program, rule->number);
    load(program, low(rule->argument));
    emit(program, BPF_JMP | BPF_JSET | BPF_K, rule->bits, rule->set ? 0 : 1, rule->set ? 1 : 0);
    verdict(program, SECCOMP_RET_ALLOW);
    end_call(program, begin);
}

/* Route netlink besides: how libc learns the names and addresses of interfaces. */
static void allow_sockets(struct program *program)
{
    unsigned begin = begin_call(program, __NR_socket);
    load(program, low(0));
    judge_equal(program, AF_INET, SECCOMP_RET_ALLOW);
    judge_equal(program, AF_INET6, SECCOMP_RET_ALLOW);
    judge_equal(program, AF_UNIX, SECCOMP_RET_ALLOW);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3);
    load(program, low(2));
    judge_equal(program, 0, SECCOMP_RET_ALLOW); /* NETLINK_ROUTE */
    end_call(program, begin);
}

/* Reading limits: no new ones are handed over. */
static void allow_limits(struct program *program)
{
#ifdef __NR_prlimit64
    unsigned begin = begin_call(program, __NR_prlimit64);
    load(program, low(2));
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
    load(program, low(2) + sizeof(uint32_t));
    judge_equal(program, 0, SECCOMP_RET_ALLOW);
    end_call(program, begin);
#endif
}

/* abort() and raise(). */
static void allow_own_signals(struct program *program)
{
    const uint32_t self = (uint32_t)getpid();
    const struct values_rule rule = {__NR_tgkill, 0, 1, &self};
    allow_values(program, &rule);
}

static void write_program(struct program *program)
{
    load(program, offsetof(struct seccomp_data, arch));
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    verdict(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < ARRAY_LEN(calls_allowed); i++) {
        judge_equal(program, (uint32_t)calls_allowed[i], SECCOMP_RET_ALLOW);
    }
    allow_sockets(program);
    for (unsigned i = 0; i < ARRAY_LEN(calls_by_bits); i++) {
        allow_bits(program, &calls_by_bits[i]);
    }
    for (unsigned i = 0; i < ARRAY_LEN(calls_by_values); i++) {
        allow_values(program, &calls_by_values[i]);
    }
    allow_limits(program);
    allow_own_signals(program);
    judge_equal(program, CALLS_CLONE3, SECCOMP_RET_ERRNO | ENOSYS);
    emit(program, BPF_JMP | BPF_JGE | BPF_K, CALLS_PRIVATE, 2, 0);
    emit(program, BPF_JMP | BPF_JGT | BPF_K, CALLS_NEWEST, 0, 1);
    verdict(program, SECCOMP_RET_ERRNO | ENOSYS);
    verdict(program, program->otherwise);
}

enum error sandbox_seccomp_enter(bool kill)
{
    static struct program program;
    program =
        (struct program){.otherwise = kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM};
    write_program(&program);
    struct sock_fprog filter = {.len = (unsigned short)program.count, .filter = program.lines};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 ? ERROR_NONE : ERROR_MISSING;
}

#endif
