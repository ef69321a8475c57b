/* Loaded before a program's libraries, this hides from them what the processor can do beyond AVX2.
 *
 * Libraries ask by the instruction CPUID. Linux can let it fail instead, on processors that support that
 * (arch_prctl(2), ARCH_SET_CPUID). Each such failure arrives here as SIGSEGV. The true answer is then given with some
 * bits cleared. Their numbers are those of Intel's manual (Software Developer's Manual, volume 2A, CPUID).
 *
 * A program may want SIGSEGV for itself. It is let believe that it has it, and gets those that are not ours. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

typedef int (*Sigaction)(int, const struct sigaction *, struct sigaction *);
typedef int (*Sigmask)(int, const sigset_t *, sigset_t *);

/* What the program does with a segmentation fault of its own. */
static struct sigaction of_program;

static Sigaction true_sigaction(void) {
    static Sigaction found;
    if (!found) found = (Sigaction)dlsym(RTLD_NEXT, "sigaction");
    return found;
}

/* Let CPUID work in this thread and those that it starts (1), or fail (0). */
static long let_cpuid_work(unsigned long yes) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes); }

/* Write into the registers what CPUID would, less what is hidden, and go past the instruction. */
static void answer(greg_t *registers) {
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    let_cpuid_work(1);
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(part));
    let_cpuid_work(0);
    if (leaf == 7 && part == 0) {
        b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31)); /* AVX-512 F to VL */
        c &= ~(BIT(1) | BIT(6) | BIT(8) | BIT(11) | BIT(12) | BIT(14)); /* VBMI, GFNI, AVX-512 VNNI and others */
        d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25)); /* more of AVX-512, and AMX */
    } else if (leaf == 7 || leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {
        a = b = c = d = 0; /* AVX-VNNI and bf16; tiles; AVX10 */
    } else if (leaf == 0xd && part == 0) {
        a &= ~(BIT(5) | BIT(6) | BIT(7) | BIT(17) | BIT(18)); /* the registers of AVX-512, and tiles */
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

static void on_fault(int number, siginfo_t *information, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    /* SI_KERNEL: the instruction itself failed. After a jump to nowhere there is no code to read. */
    if (information->si_code == SI_KERNEL && code[0] == 0x0f && code[1] == 0xa2) {
        answer(registers);
    } else if (of_program.sa_flags & SA_SIGINFO) {
        of_program.sa_sigaction(number, information, context);
    } else if (of_program.sa_handler != SIG_DFL && of_program.sa_handler != SIG_IGN) {
        of_program.sa_handler(number);
    } else {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        true_sigaction()(SIGSEGV, &plain, NULL);
        raise(SIGSEGV); /* it ends the process */
    }
}

int sigaction(int number, const struct sigaction *wanted, struct sigaction *before) {
    if (number != SIGSEGV) return true_sigaction()(number, wanted, before);
    struct sigaction old = of_program;
    if (wanted) of_program = *wanted;
    if (before) *before = old;
    return 0;
}

sighandler_t signal(int number, sighandler_t handler) {
    struct sigaction wanted = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
    return sigaction(number, &wanted, &before) ? SIG_ERR : before.sa_handler;
}

/* A thread that blocked SIGSEGV would end at its first CPUID. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
    static Sigmask found;
    if (!found) found = (Sigmask)dlsym(RTLD_NEXT, "pthread_sigmask");
    sigset_t allowed;
    if (set) {
        allowed = *set;
        if (how != SIG_UNBLOCK) sigdelset(&allowed, SIGSEGV);
    }
    return found(how, set ? &allowed : NULL, before);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before) {
    int error = pthread_sigmask(how, set, before);
    if (error) errno = error;
    return error ? -1 : 0;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    true_sigaction()(SIGSEGV, &ours, NULL);
    if (let_cpuid_work(0)) {
        fputs("older_processor.py: error: this processor or kernel cannot hide features\n", stderr);
        _exit(2);
    }
}
