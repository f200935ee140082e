/* cuda_emu_switch.h - leaving one stack for another: what makes fibers (cuda_emu.cc).
 *
 * On x86-64 and aarch64 the registers that a call preserves are saved on the stack that is left, and the stack pointer is
 * exchanged: a dozen instructions. Elsewhere, or with -DEMU_UCONTEXT, it is ucontext, which enters the kernel each time.
 */
#ifndef ASSAY_CUDA_EMU_SWITCH_H
#define ASSAY_CUDA_EMU_SWITCH_H

#include <string.h>

#if !defined EMU_UCONTEXT && !defined __x86_64__ && !defined __aarch64__
#define EMU_UCONTEXT
#endif

#if defined EMU_UCONTEXT
#include <ucontext.h>

struct emu_context {
	ucontext_t uc;
};

static void emu_context_switch(struct emu_context *from, struct emu_context *to)
{
	swapcontext(&from->uc, &to->uc);
}

static void emu_context_make(struct emu_context *f, char *stack, char *top, void (*entry)(void))
{
	getcontext(&f->uc);
	f->uc.uc_stack.ss_sp = stack;
	f->uc.uc_stack.ss_size = (size_t)(top - stack);
	f->uc.uc_link = nullptr;
	makecontext(&f->uc, entry, 0);
}
#else
struct emu_context {
	void *sp;
};

extern "C" void emu_switch_(void **save, void *sp);
#if defined __x86_64__
__asm__(".text\n.p2align 4\n.globl emu_switch_\n.type emu_switch_,@function\nemu_switch_:\n"
	"\tpushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
	"\tmovq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n"
	"\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret\n"
	".size emu_switch_,.-emu_switch_\n");
#define SAVED 8 /* words on a waiting stack: six registers, the return address, one that keeps the alignment */
#define ENTRY 6
#else
__asm__(".text\n.p2align 4\n.globl emu_switch_\n.type emu_switch_,%function\nemu_switch_:\n"
	"\tsub sp, sp, #160\n"
	"\tstp x19, x20, [sp]\n\tstp x21, x22, [sp, #16]\n\tstp x23, x24, [sp, #32]\n\tstp x25, x26, [sp, #48]\n"
	"\tstp x27, x28, [sp, #64]\n\tstp x29, x30, [sp, #80]\n"
	"\tstp d8, d9, [sp, #96]\n\tstp d10, d11, [sp, #112]\n\tstp d12, d13, [sp, #128]\n\tstp d14, d15, [sp, #144]\n"
	"\tmov x9, sp\n\tstr x9, [x0]\n\tmov sp, x1\n"
	"\tldp x19, x20, [sp]\n\tldp x21, x22, [sp, #16]\n\tldp x23, x24, [sp, #32]\n\tldp x25, x26, [sp, #48]\n"
	"\tldp x27, x28, [sp, #64]\n\tldp x29, x30, [sp, #80]\n"
	"\tldp d8, d9, [sp, #96]\n\tldp d10, d11, [sp, #112]\n\tldp d12, d13, [sp, #128]\n\tldp d14, d15, [sp, #144]\n"
	"\tadd sp, sp, #160\n\tret\n.size emu_switch_,.-emu_switch_\n");
#define SAVED 20
#define ENTRY 11
#endif
static inline void emu_context_switch(struct emu_context *from, struct emu_context *to)
{
	emu_switch_(&from->sp, to->sp);
}

static void emu_context_make(struct emu_context *f, char *stack, char *top, void (*entry)(void))
{
	(void)stack;
	void **s = reinterpret_cast<void **>(top) - SAVED;
	memset(s, 0, SAVED * sizeof *s);
	s[ENTRY] = reinterpret_cast<void *>(entry);
	f->sp = s;
}
#endif

#endif
